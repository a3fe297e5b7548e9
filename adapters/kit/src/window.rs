//! What is seen in one step, in an order that does not depend on timing.
//!
//! The log and the sockets are read side by side, so it is not known which came first between them. A window has
//! the log first, then HTTP calls, then gRPC calls, then the upstream's side, then the client's: each in its own order, calls and
//! streams by number.

use pw_cases::transcript::{Event, Part};

/// The events of one window.
#[derive(Debug, Default)]
pub struct Window {
    events: Vec<Event>,
}

impl Window {
    /// Adds an event.
    pub fn push(&mut self, event: Event) {
        self.events.push(event);
    }

    /// Adds what reached the upstream or the client. Pieces of a body that follow each other are joined, up to its end: a proxy
    /// may split a body as it likes.
    pub fn push_part(&mut self, event: Event) {
        let place = place(&event);
        let last = self.events.iter_mut().rev().find(|earlier| self::place(earlier) == place);
        if let (Some(Part::Body { body: more, end_of_stream: end }), Some(last)) = (part(&event), last)
            && let Event::Upstream { part, .. } | Event::Client { part, .. } = last
            && let Part::Body { body, end_of_stream } = part
            && !*end_of_stream
        {
            body.0.extend_from_slice(&more.0);
            *end_of_stream |= *end;
            return;
        }
        self.events.push(event);
    }

    /// The events in their order; they are removed from here.
    pub fn take(&mut self) -> Vec<Event> {
        let mut events = std::mem::take(&mut self.events);
        events.sort_by_key(place);
        events
    }
}

fn part(event: &Event) -> Option<&Part> {
    match event {
        Event::Upstream { part, .. } | Event::Client { part, .. } => Some(part),
        _ => None,
    }
}

fn place(event: &Event) -> (u8, u32) {
    match event {
        Event::HttpCall { .. } => (1, 0),
        Event::Grpc { call, .. } => (2, *call),
        Event::Upstream { stream, .. } => (3, *stream),
        Event::Client { stream, .. } => (4, *stream),
        Event::Died { .. } => (5, 0),
        _ => (0, 0),
    }
}

#[cfg(test)]
mod tests {
    use pw_cases::data::Data;

    use super::*;

    fn body(text: &str, end_of_stream: bool) -> Part {
        Part::Body { body: Data::from(text), end_of_stream }
    }

    #[test]
    fn joins_bodies_and_puts_the_log_first() {
        let mut window = Window::default();
        let log = Event::Log { plugin: "p".into(), level: "INFO".into(), message: Data::from("x") };
        window.push_part(Event::Client { stream: 0, part: body("a", false) });
        window.push_part(Event::Upstream { stream: 1, part: body("b", false) });
        window.push_part(Event::Client { stream: 0, part: body("c", true) });
        window.push_part(Event::Upstream { stream: 0, part: Part::Reset });
        window.push(log.clone());
        let expected = [
            log,
            Event::Upstream { stream: 0, part: Part::Reset },
            Event::Upstream { stream: 1, part: body("b", false) },
            Event::Client { stream: 0, part: body("ac", true) },
        ];
        assert_eq!(window.take(), expected);
        assert_eq!(window.take(), []);
    }
}
