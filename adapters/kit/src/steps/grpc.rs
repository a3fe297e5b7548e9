//! Steps of gRPC calls and streams of plugins.

use pw_cases::data::Fields;
use pw_cases::scenario::Step;

use crate::grpc;
use crate::http::Connection;
use crate::instance::HostError;
use crate::stage::Stage;

impl Stage {
    /// Does a step of a gRPC call. Returns whether it is one.
    pub(super) async fn act_on_grpc(&mut self, step: &Step) -> Result<bool, HostError> {
        match step {
            Step::GrpcInitialMetadata { call, metadata } => {
                self.answer_grpc(*call, false, |http, at, _| {
                    http.send_fields(at, &grpc::headers(metadata), false);
                })
                .await?;
            }
            Step::GrpcMessage { call, message } => {
                self.answer_grpc(*call, false, |http, at, answered| {
                    if !answered {
                        http.send_fields(at, &grpc::headers(&Fields::new()), false);
                    }
                    http.send_data(at, &grpc::message(&message.0), false);
                })
                .await?;
            }
            Step::GrpcClose { call, status, message, metadata } => {
                let trailers = grpc::trailers(*status, message, metadata);
                self.answer_grpc(*call, true, |http, at, answered| {
                    let begin = if answered { Fields::new() } else { grpc::headers(&Fields::new()) };
                    http.send_fields(at, &[begin, trailers].concat(), true);
                })
                .await?;
            }
            Step::GrpcReset { call } => {
                self.answer_grpc(*call, true, |http, at, _| http.reset(at)).await?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Does something to a call's stream, given whether the response has begun. It may be the last thing.
    async fn answer_grpc(
        &mut self,
        call: u32,
        last: bool,
        act: impl FnOnce(&mut Connection, u32, bool),
    ) -> Result<(), HostError> {
        if let Some(((link, at), answered)) = self.traffic.grpc.answer(call, last) {
            self.instance.write(link, |http| act(http, at, answered)).await?;
        }
        Ok(())
    }
}
