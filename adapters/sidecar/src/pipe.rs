//! Pieces of one message that wait to be sent, between the task that produces them and hyper, which takes them.
//!
//! A producer asks for room before it reads more, so that no more than some pieces wait.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use pw_host::{Fields, Piece};
use tokio::sync::Notify;

use crate::message::{self, Reset};

/// Bytes that wait before a producer has to wait, too.
const MAX_WAITING_BYTES: usize = 64 << 10;

/// A message on its way.
#[derive(Default)]
pub(crate) struct Pipe {
    state: RefCell<State>,
    has_room: Notify,
    was_reset: Notify,
}

#[derive(Default)]
struct State {
    pieces: VecDeque<Piece>,
    /// Bytes of bodies in `pieces`.
    bytes: usize,
    /// The last piece is in `pieces`, or was taken.
    ended: bool,
    reset: bool,
    /// Nobody takes pieces any more.
    closed: bool,
    reader: Option<Waker>,
}

impl Pipe {
    /// Adds a piece.
    pub(crate) fn push(&self, piece: Piece) {
        let mut state = self.state.borrow_mut();
        if state.closed || state.reset {
            return;
        }
        if let Piece::Body { body, .. } = &piece {
            state.bytes += body.len();
        }
        state.ended |= piece.ends();
        state.pieces.push_back(piece);
        let reader = state.reader.take();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
    }

    /// Nothing follows what was added: the headers were all of the message.
    pub(crate) fn end(&self) {
        self.state.borrow_mut().ended = true;
    }

    /// Resets the message; what waits is dropped.
    pub(crate) fn reset(&self) {
        let mut state = self.state.borrow_mut();
        state.reset = true;
        state.pieces.clear();
        let reader = state.reader.take();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
        self.was_reset.notify_one();
        self.has_room.notify_one();
    }

    /// The headers, which are the first piece; `None` if the message was reset before.
    pub(crate) async fn headers(&self) -> Option<Arc<Fields>> {
        poll_fn(|context| {
            let mut state = self.state.borrow_mut();
            if state.reset {
                return Poll::Ready(None);
            }
            match state.pieces.pop_front() {
                Some(Piece::Headers { headers, .. }) => Poll::Ready(Some(headers)),
                Some(Piece::Body { .. } | Piece::Trailers { .. }) => Poll::Ready(None),
                None => {
                    state.reader = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// Waits until more may be produced.
    pub(crate) async fn room(&self) {
        while self.is_full() {
            self.has_room.notified().await;
        }
    }

    fn is_full(&self) -> bool {
        let state = self.state.borrow();
        !state.closed && !state.reset && state.bytes >= MAX_WAITING_BYTES
    }

    /// Waits until the message is reset.
    pub(crate) async fn reset_by_plugins(&self) {
        while !self.state.borrow().reset {
            self.was_reset.notified().await;
        }
    }

    /// Whether all was taken.
    pub(crate) fn is_done(&self) -> bool {
        let state = self.state.borrow();
        state.ended && state.pieces.is_empty() && !state.reset
    }
}

/// The body of a message, and its trailers, for hyper.
pub(crate) struct PipeBody {
    pipe: Rc<Pipe>,
    /// Called when this is dropped before all was taken: the peer has reset the stream.
    given_up: Option<Box<dyn FnOnce()>>,
}

impl PipeBody {
    /// The body of the message in a pipe.
    pub(crate) fn new(pipe: Rc<Pipe>, given_up: Option<Box<dyn FnOnce()>>) -> PipeBody {
        PipeBody { pipe, given_up }
    }
}

impl Body for PipeBody {
    type Data = Bytes;
    type Error = Reset;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Reset>>> {
        let mut state = self.pipe.state.borrow_mut();
        if state.reset {
            return Poll::Ready(Some(Err(Reset)));
        }
        loop {
            let frame = match state.pieces.pop_front() {
                // Informational responses were sent before, or not at all.
                Some(Piece::Headers { .. }) => continue,
                Some(Piece::Body { body, end_of_stream }) => {
                    state.bytes -= body.len();
                    self.pipe.has_room.notify_one();
                    if body.is_empty() && end_of_stream {
                        return Poll::Ready(None);
                    }
                    Frame::data(body)
                }
                Some(Piece::Trailers { trailers }) => match message::header_map(&trailers) {
                    Ok(trailers) => Frame::trailers(trailers),
                    Err(reset) => return Poll::Ready(Some(Err(reset))),
                },
                None if state.ended => return Poll::Ready(None),
                None => {
                    state.reader = Some(context.waker().clone());
                    return Poll::Pending;
                }
            };
            return Poll::Ready(Some(Ok(frame)));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.pipe.is_done()
    }
}

impl Drop for PipeBody {
    fn drop(&mut self) {
        let done = self.pipe.is_done();
        self.pipe.state.borrow_mut().closed = true;
        self.pipe.has_room.notify_one();
        if let Some(given_up) = self.given_up.take().filter(|_| !done) {
            given_up();
        }
    }
}
