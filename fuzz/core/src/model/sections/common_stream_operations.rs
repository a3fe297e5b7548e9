//! The section "Common HTTP and TCP stream operations".

use pw_abi::{Status, StreamType};

use super::CommonStreamOperations;
use crate::model::call::{Call, Judged};
use crate::model::calls::Subject;
use crate::model::state::{BAD_ARGUMENT, Model, Next, OK};
use crate::model::stream::Direction;

pub(super) fn judge(function: CommonStreamOperations, model: &mut Model, _: usize, call: &Call<'_>) -> Judged {
    match function {
        CommonStreamOperations::proxy_continue_stream => resume(model, call),
        CommonStreamOperations::proxy_close_stream => {
            if call.word(0) > StreamType::UPSTREAM.0 {
                return call.is(&[BAD_ARGUMENT]);
            }
            call.is(&[OK])?;
            model.unfollow();
            Ok(())
        }
        CommonStreamOperations::proxy_get_status => status(model, call),
    }
}

fn resume(model: &mut Model, call: &Call<'_>) -> Judged {
    let (http, direction) = match StreamType(call.word(0)) {
        StreamType::HTTP_REQUEST => (true, Direction::Request),
        StreamType::HTTP_RESPONSE => (true, Direction::Response),
        StreamType::DOWNSTREAM => (false, Direction::Request),
        StreamType::UPSTREAM => (false, Direction::Response),
        _ => return call.is(&[BAD_ARGUMENT]),
    };
    let other =
        model.here().and_then(|(number, _)| model.streams.get(&number)).is_some_and(|stream| stream.http != http);
    if other {
        return call.chosen(&[Status::UNIMPLEMENTED.0]);
    }
    call.is(&[OK])?;
    model.resume(direction);
    Ok(())
}

fn status(model: &Model, call: &Call<'_>) -> Judged {
    call.is(&[OK])?;
    match model.frame.as_ref().map(|frame| &frame.subject) {
        Some(Subject::Closed(status, message)) => {
            call.returns(0, (*status).into())?;
            message.as_ref().map_or(Ok(()), |message| call.returns_bytes(1, message.as_bytes()))
        }
        _ => Ok(()),
    }
}

impl Model {
    /// The message of the effective context is resumed after the callback has returned, if it is paused then.
    pub(in crate::model) fn resume(&mut self, direction: Direction) {
        let Some((number, place)) = self.here() else { return };
        let Some(stage) = self.streams.get_mut(&number).map(|stream| stream.stage(direction, place)) else { return };
        if !stage.paused {
            stage.resume = true;
        } else if !self.pending.contains(&(number, Next::Resume(place, direction))) {
            // One pause ends once, and a later pause does not end with it.
            self.pending.push_back((number, Next::Resume(place, direction)));
        }
    }

    /// The stream of the effective context is no longer followed.
    pub(in crate::model) fn unfollow(&mut self) {
        if let Some((number, _)) = self.here() {
            self.streams.entry(number).and_modify(|stream| stream.unfollowed = true);
        }
    }
}
