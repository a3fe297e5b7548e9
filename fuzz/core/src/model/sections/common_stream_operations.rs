//! The section "Common HTTP and TCP stream operations".

use pw_abi::{Status, StreamType};

use super::calls::Subject;
use crate::model::call::{Call, Judged};
use crate::model::stream::Direction;
use crate::model::{BAD_ARGUMENT, Model, Next, OK};

pub(super) fn judge(model: &mut Model, _: usize, call: &Call<'_>) -> Judged {
    match call.function.name {
        "proxy_continue_stream" => go_on(model, call),
        "proxy_close_stream" => {
            if call.word(0) > StreamType::UPSTREAM.0 {
                return call.is(&[BAD_ARGUMENT]);
            }
            call.is(&[OK])?;
            model.cut();
            Ok(())
        }
        _ => status(model, call),
    }
}

fn go_on(model: &mut Model, call: &Call<'_>) -> Judged {
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
    model.go_on(direction);
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
    /// The message of the effective context goes on when the callback has returned, if it is paused by then.
    pub(in crate::model) fn go_on(&mut self, direction: Direction) {
        let Some((number, place)) = self.here() else { return };
        let Some(stage) = self.streams.get_mut(&number).map(|stream| stream.stage(direction, place)) else { return };
        if !stage.paused {
            stage.resume = true;
        } else if !self.going_on.contains(&(number, Next::GoesOn(place, direction))) {
            // One pause ends once, and what pauses after it does not end with it.
            self.going_on.push_back((number, Next::GoesOn(place, direction)));
        }
    }

    /// The stream of the effective context ends; which part of it gets where is not told.
    pub(in crate::model) fn cut(&mut self) {
        if let Some((number, _)) = self.here() {
            self.streams.entry(number).and_modify(|stream| stream.wild = true);
        }
    }
}
