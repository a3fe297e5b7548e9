//! TCP streams: the client's connection to the host, and the host's to the upstream.

use std::collections::BTreeMap;

use pw_cases::data::Data;
use pw_cases::transcript::{Event, Part};

use crate::window::Window;

/// TCP streams, by their numbers in the scenario.
#[derive(Default)]
pub struct Pipes(BTreeMap<u32, Pipe>);

/// A stream.
pub struct Pipe {
    /// The client's port, which the host names to the upstream.
    port: u16,
    /// The client's connection, until it is reset.
    pub client: Option<u64>,
    /// The upstream's connection, once it is there and until it is reset.
    pub upstream: Option<u64>,
}

impl Pipes {
    /// A client with this port has connected.
    pub fn open(&mut self, stream: u32, client: u64, port: u16) {
        self.0.insert(stream, Pipe { port, client: Some(client), upstream: None });
    }

    /// A stream.
    pub fn find(&mut self, stream: u32) -> Option<&mut Pipe> {
        self.0.get_mut(&stream)
    }

    /// The connections of all streams, which are forgotten.
    pub fn take(&mut self) -> Vec<u64> {
        let pipes = std::mem::take(&mut self.0).into_values();
        pipes.flat_map(|pipe| pipe.client.into_iter().chain(pipe.upstream)).collect()
    }

    /// The host has connected to the upstream on behalf of the client with this port.
    pub fn see_upstream(&mut self, link: u64, port: u16, window: &mut Window) {
        if let Some((stream, pipe)) = self.0.iter_mut().find(|(_, pipe)| pipe.port == port) {
            pipe.upstream = Some(link);
            window.push_part(Event::Upstream { stream: *stream, part: Part::Opened });
        }
    }

    /// The host has sent bytes; with none, it sends nothing more.
    pub fn see_bytes(&mut self, link: u64, bytes: Vec<u8>, window: &mut Window) {
        self.see_part(link, Part::Body { end_of_stream: bytes.is_empty(), body: Data(bytes) }, window);
    }

    /// The host has reset a connection.
    pub fn see_reset(&mut self, link: u64, window: &mut Window) {
        self.see_part(link, Part::Reset, window);
        for pipe in self.0.values_mut() {
            pipe.client.take_if(|client| *client == link);
            pipe.upstream.take_if(|upstream| *upstream == link);
        }
    }

    fn see_part(&self, link: u64, part: Part, window: &mut Window) {
        let of_client = |(_, pipe): &(&u32, &Pipe)| pipe.client == Some(link);
        let of_upstream = |(_, pipe): &(&u32, &Pipe)| pipe.upstream == Some(link);
        if let Some((stream, _)) = self.0.iter().find(of_client) {
            window.push_part(Event::Client { stream: *stream, part });
        } else if let Some((stream, _)) = self.0.iter().find(of_upstream) {
            window.push_part(Event::Upstream { stream: *stream, part });
        }
    }
}
