//! The section "HTTP streams".

use bytes::Bytes;
use pw_abi::{Exit, HttpStreams, Status};

use crate::effect::Effect;
use crate::state::account::{EFFECT, MAP};
use crate::state::{Direction, LocalResponse, State, Undo, Work, ignore};
use crate::{http, local_response};

/// -1: the response is not a gRPC response, whatever the request was.
const NO_GRPC_STATUS: u32 = u32::MAX;

impl HttpStreams for State {
    /// The first of several in a callback counts. Outside of an HTTP stream, and after response headers were sent, it returns BAD_ARGUMENT,
    /// as for an invalid status and headers that do not parse or are not HTTP. If the status permits no body, the body is left out.
    fn proxy_send_local_response(
        &mut self,
        status_code: u32,
        _details: &[u8],
        body: &[u8],
        headers: &[u8],
        grpc_status: u32,
    ) -> Result<(), Status> {
        let mut headers = local_response::headers(status_code, headers, body, self.limits().fields)?;
        if !(200..=599).contains(&status_code) {
            return Err(Status::BAD_ARGUMENT);
        }
        let too_late = match self.config.choices.late_local_responses_are_dropped {
            true => Ok(()),
            false => Err(Status::BAD_ARGUMENT),
        };
        let Some((stream, _)) = self.http_stream() else { return too_late };
        if stream.over || stream.response.sent {
            return too_late;
        }
        if stream.local.is_none() || crate::planted::has(crate::planted::Planted::LastResponseCounts) {
            let is_head = stream.request.is_head;
            let is_grpc = stream.request.headers.as_deref().is_some_and(local_response::is_grpc);
            let (choices, max) = (self.config.choices, self.limits().fields);
            let body = if is_grpc && choices.grpc_local_responses && grpc_status != NO_GRPC_STATUS {
                local_response::make_grpc(&mut headers, grpc_status, body, max);
                &[]
            } else {
                let body = if http::has_no_body(status_code) { &[] } else { body };
                local_response::complete(&mut headers, body, &choices);
                if is_head { &[] } else { body }
            };
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
