//! The section "HTTP streams".

use bytes::Bytes;
use pw_abi::{Exit, HttpStreams, Status};

use crate::effect::Effect;
use crate::http;
use crate::state::account::{EFFECT, MAP};
use crate::state::{Direction, LocalResponse, State, Undo, Work, ignore};

impl HttpStreams for State {
    /// The first of several counts. Outside of an HTTP stream, and once response headers were sent, there is nothing that
    /// could be answered: a bad argument, as are a status that HTTP does not have and headers that do not parse or are not HTTP. A response that cannot have a body has none.
    fn proxy_send_local_response(
        &mut self,
        status_code: u32,
        _details: &[u8],
        body: &[u8],
        headers: &[u8],
        _grpc_status: u32,
    ) -> Result<(), Status> {
        let headers = http::local_response(status_code, headers, body, self.limits().fields)?;
        if !(200..=599).contains(&status_code) {
            return Err(Status::BAD_ARGUMENT);
        }
        let (stream, _) = self.http_stream().ok_or(Status::BAD_ARGUMENT)?;
        if stream.over || stream.response.sent {
            return Err(Status::BAD_ARGUMENT);
        }
        if stream.local.is_none() {
            let no_body = http::has_no_body(status_code) || stream.request.is_head;
            let body = if no_body { &[] } else { body };
            let charge = self.charge(2 * EFFECT + MAP + headers.footprint() + body.len())?;
            let (stream, _) = self.http_stream().ok_or(Status::BAD_ARGUMENT)?;
            stream.local = Some(LocalResponse { headers, body: Bytes::copy_from_slice(body), charge });
            let stream = stream.id;
            self.change(Undo::LocalResponse(stream));
            self.defer(Work::LocalResponse { stream });
        }
        Ok(())
    }

    fn proxy_continue_request(&mut self) -> Result<(), Exit> {
        ignore(self.continue_message(Direction::Request))
    }

    fn proxy_continue_response(&mut self) -> Result<(), Exit> {
        ignore(self.continue_message(Direction::Response))
    }

    fn proxy_clear_route_cache(&mut self) -> Result<(), Exit> {
        if let Some((stream, _)) = self.http_stream() {
            let stream = stream.id;
            if stream.shadow {
                self.emit(stream, Effect::ClearRouteCache { stream });
            } else {
                ignore(self.plugin_effect(Effect::ClearRouteCache { stream }, 0))?;
            }
        }
        Ok(())
    }
}
