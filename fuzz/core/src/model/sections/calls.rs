//! HTTP and gRPC calls in flight, and the callbacks that are due for them.

use pw_cases::scenario::Step;
use pw_cases::transcript::Returned;

use crate::model::call::{Call, Judged};
use crate::model::calls::{DEADLINE_EXCEEDED, Due, InFlight, Kind, Subject, UNAVAILABLE};
use crate::model::finding::Wanted;
use crate::model::state::Model;

/// The upstream that refuses connections.
const DEAD: &[u8] = b"dead";

pub(super) fn is_upstream(name: &[u8]) -> bool {
    pw_reference::UPSTREAMS.iter().any(|known| known.as_bytes() == name)
}

impl Model {
    /// A call is in flight.
    pub(super) fn starts_call(
        &mut self,
        instance: usize,
        call: &Call<'_>,
        kind: Kind,
        param: usize,
        timeout: u32,
    ) -> Judged {
        let id = call.returned(param) as u32;
        if self.in_flight(instance, id).is_some() {
            return call.wrong_value(param, Returned::Untouched, format!("{id}, which is another call's"));
        }
        let deadline = (timeout > 0).then(|| self.time.0 + u64::from(timeout) * 1_000_000);
        self.calls.in_flight.push(InFlight { instance, id, kind, deadline });
        let sent = if kind == Kind::Http { &mut self.calls.http } else { &mut self.calls.grpc };
        if call.bytes(0) != DEAD {
            sent.push((instance, id));
        } else if kind == Kind::Http {
            self.calls.fails(instance, id);
        } else {
            self.calls.closes(instance, id, UNAVAILABLE, None);
        }
        Ok(())
    }

    /// The kind of a call that is in flight.
    pub(super) fn in_flight(&self, instance: usize, id: u32) -> Option<Kind> {
        self.calls.in_flight.iter().find(|call| call.instance == instance && call.id == id).map(|call| call.kind)
    }

    pub(super) fn set_kind(&mut self, instance: usize, id: u32, kind: Kind) {
        let mut in_flight = self.calls.in_flight.iter_mut();
        if let Some(call) = in_flight.find(|call| call.instance == instance && call.id == id) {
            call.kind = kind;
        }
    }

    /// A call is over, and no callback is due for it any more.
    pub(super) fn ends_call(&mut self, instance: usize, id: u32) {
        self.calls.in_flight.retain(|call| call.instance != instance || call.id != id);
        self.calls.due.retain(|due| due.instance != instance || due.args.first() != Some(&id));
    }

    /// A callback that may be about a call, or about a foreign function that the embedder calls.
    pub(in crate::model) fn about_call(&mut self, instance: usize, name: &'static str, args: &[u32]) {
        if name == "proxy_on_foreign_function" {
            if let Some(Step::ForeignCall { arguments, .. }) = self.step.map(|step| &self.scenario.steps[step])
                && let Some(frame) = &mut self.frame
            {
                frame.subject = Subject::Arguments(arguments.0.clone());
            }
            return;
        }
        let about = [
            "proxy_on_http_call_response",
            "proxy_on_grpc_receive_initial_metadata",
            "proxy_on_grpc_receive",
            "proxy_on_grpc_receive_trailing_metadata",
            "proxy_on_grpc_close",
        ];
        if !about.contains(&name) {
            return;
        }
        self.times_out(instance, name, args[1]);
        let is = |due: &Due| due.instance == instance && due.callback == name && due.args == args[1..];
        let Some(place) = self.calls.due.iter().position(is) else {
            let plugin = Some(self.instances[instance].plugin);
            let of_it =
                |due: &&Due| due.instance == instance && due.callback == name && due.args.first() == args.get(1);
            let wanted = self.calls.due.iter().find(of_it).and_then(|due| {
                let place = due.args.iter().zip(&args[1..]).position(|(due, actual)| due != actual)?;
                Some(Wanted::Argument(name, place + 1, due.args[place]))
            });
            let wanted = wanted.unwrap_or(Wanted::Never(name));
            return self.found(name, &format!("{name}({args:?}) is not due"), plugin, Some(wanted));
        };
        let due = self.calls.due.remove(place);
        if name == "proxy_on_http_call_response" || name == "proxy_on_grpc_close" {
            self.ends_call(instance, args[1]);
        }
        if let Some(frame) = &mut self.frame {
            frame.subject = due.subject;
        }
    }

    /// A call fails if its timeout has passed, unless it has ended otherwise.
    fn times_out(&mut self, instance: usize, name: &str, id: u32) {
        let until = self.time.1;
        let ends = |due: &Due| due.instance == instance && due.callback == name && due.args.first() == Some(&id);
        if self.calls.due.iter().any(ends) {
            return;
        }
        let late = self.calls.in_flight.iter().find(|call| call.instance == instance && call.id == id);
        let late = late.and_then(|call| call.deadline).filter(|deadline| *deadline <= until);
        let Some(deadline) =
            late.filter(|_| matches!(self.step.map(|step| &self.scenario.steps[step]), Some(Step::Advance { .. })))
        else {
            return;
        };
        self.time.0 = self.time.0.max(deadline);
        match name {
            "proxy_on_http_call_response" => self.calls.fails(instance, id),
            "proxy_on_grpc_close" => self.calls.closes(instance, id, DEADLINE_EXCEEDED, None),
            _ => {}
        }
    }

    /// Checks that the callbacks that were due for calls have come.
    pub(in crate::model) fn check_calls(&mut self) {
        let until = self.time.1;
        let late = self
            .calls
            .due
            .iter()
            .find(|due| !self.instances[due.instance].ended)
            .map(|due| (due.instance, due.callback, due.callback));
        let is_slow = |call: &&InFlight| {
            let owner = &self.instances[call.instance];
            !owner.ended && !owner.restarted && call.deadline.is_some_and(|deadline| deadline <= until)
        };
        let slow = self.calls.in_flight.iter().find(is_slow).map(|call| {
            let is_http = call.kind == Kind::Http;
            let callback = if is_http { "proxy_on_http_call_response" } else { "proxy_on_grpc_close" };
            (call.instance, "the timeout of a call", callback)
        });
        if let Some((instance, what, callback)) = late.or(slow) {
            let plugin = Some(self.instances[instance].plugin);
            self.found(what, &format!("{what} was due and has not come"), plugin, Some(Wanted::Due(callback)));
        }
    }
}
