//! The section "HTTP streams".

use bytes::Bytes;
use pw_abi::{Exit, HttpStreams, Status, pairs};

use super::http_fields::check_all;
use crate::effect::Effect;
use crate::fields::Fields;
use crate::state::account::{EFFECT, MAP};
use crate::state::{Direction, LocalResponse, State, Work, ignore};

impl HttpStreams for State {
    /// The first of several counts. Outside of an HTTP stream, and once response headers were sent, there is nothing that
    /// could be answered: a bad argument, as are a status that HTTP does not have and headers that do not parse.
    fn proxy_send_local_response(
        &mut self,
        status_code: u32,
        _details: &[u8],
        body: &[u8],
        headers: &[u8],
        _grpc_status: u32,
    ) -> Result<(), Status> {
        let given = pairs::decode(headers).map_err(|_| Status::BAD_ARGUMENT)?;
        check_all(&given)?;
        if !(200..=599).contains(&status_code) {
            return Err(Status::BAD_ARGUMENT);
        }
        let (stream, _) = self.http_stream().ok_or(Status::BAD_ARGUMENT)?;
        if stream.over || stream.response.sent {
            return Err(Status::BAD_ARGUMENT);
        }
        if stream.local.is_none() {
            let charge = self.charge(2 * EFFECT + MAP + 2 * headers.len() + body.len())?;
            let mut headers = Fields::from([(":status", status_code.to_string())]);
            given
                .iter()
                .filter(|(key, _)| !key.eq_ignore_ascii_case(b":status"))
                .for_each(|(key, value)| headers.add(key, value));
            let (stream, _) = self.http_stream().ok_or(Status::BAD_ARGUMENT)?;
            stream.local = Some(LocalResponse { headers, body: Bytes::copy_from_slice(body), charge });
            let stream = stream.id;
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
