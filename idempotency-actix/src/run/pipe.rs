//! The buffer between the reader of a stream and its client, and how far each is. It does not know when a record is made.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::error::Error;
use std::mem;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::web::Bytes;

use crate::claim::Share;

pub(super) type BodyError = Box<dyn Error>;

/// How much a client that has fallen behind is given at a time.
const PIECE: usize = 64 * 1024;

/// What is on its way to the record and to the client. Reader and client live on one thread.
#[derive(Clone)]
pub(super) struct Pipe(Rc<RefCell<Pending>>);

struct Pending {
    /// What the client gets next.
    chunks: VecDeque<Chunk>,
    /// What is collected for the record; the client reads from it where it has fallen behind.
    seen: Vec<u8>,
    /// How much of that the client has, or has in `chunks`.
    passed: usize,
    /// Counts the room of `seen`, and what is in `chunks`.
    share: Share,
    close: Option<Close>,
    /// There while the client waits for more.
    client: Option<Waker>,
    client_is_gone: bool,
}

/// Octets for the client.
struct Chunk {
    octets: Bytes,
    /// Whether they keep all that was collected alive.
    is_part: bool,
}

impl Chunk {
    /// Takes some octets from the front. Over HTTP/2 the server keeps what it is given, which must keep nothing larger.
    fn take(&mut self, most: usize) -> Bytes {
        if !self.is_part && self.octets.len() <= most {
            return mem::take(&mut self.octets);
        }
        Bytes::copy_from_slice(&self.octets.split_to(self.octets.len().min(most)))
    }
}

/// How the client's side of a stream ends.
pub(super) enum Close {
    End,
    Rest(BoxBody),
    Cut(BodyError),
}

impl Pipe {
    pub(super) fn new(share: Share) -> Self {
        Self(Rc::new(RefCell::new(Pending {
            chunks: VecDeque::new(),
            seen: Vec::new(),
            passed: 0,
            share,
            close: None,
            client: None,
            client_is_gone: false,
        })))
    }

    /// Collects a chunk for the record, which is `most` long at most. `false`, and nothing is done, if there is no room
    /// for it. A client that waits gets the chunk at once, but for the last byte of the last one.
    pub(super) fn collect(&self, chunk: &Bytes, is_last: bool, most: u64) -> bool {
        let mut pending = self.0.borrow_mut();
        if !pending.make_room(chunk.len(), most) {
            return false;
        }
        let is_abreast = pending.passed == pending.seen.len();
        pending.seen.extend_from_slice(chunk);
        let passes = chunk.len() - usize::from(is_last && !chunk.is_empty());
        if is_abreast && pending.client.is_some() && passes > 0 {
            pending.passed += passes;
            pending.share.take_anyway(passes);
            pending.pass(chunk.slice(..passes), false);
        }
        drop(pending);
        self.wake();
        true
    }

    /// Takes what was collected.
    pub(super) fn collected(&self) -> Vec<u8> {
        mem::take(&mut self.0.borrow_mut().seen)
    }

    /// Passes on what the client has not got of all that was collected.
    pub(super) fn pass_rest(&self, body: &Bytes) {
        let mut pending = self.0.borrow_mut();
        let in_chunks: usize = pending.chunks.iter().map(|it| it.octets.len()).sum();
        // The whole buffer stays for as long as the record's handle to it, or the client's to a part of it.
        pending.share.keep(in_chunks + body.len());
        let passed = mem::take(&mut pending.passed).min(body.len());
        let rest = body.slice(passed..);
        if !rest.is_empty() && !pending.client_is_gone {
            pending.pass(rest, true);
        }
        drop(pending);
        self.wake();
    }

    /// The same where nothing of it is kept.
    pub(super) fn pass_collected(&self) {
        let collected = self.collected().into_boxed_slice();
        if !collected.is_empty() {
            self.pass_rest(&collected.into());
        }
    }

    /// Passes on what is not collected.
    pub(super) fn push(&self, chunk: Bytes) {
        let mut pending = self.0.borrow_mut();
        if !pending.client_is_gone && !chunk.is_empty() {
            pending.share.take_anyway(chunk.len());
            pending.pass(chunk, false);
        }
        drop(pending);
        self.wake();
    }

    pub(super) fn close(&self, close: Close) {
        let mut pending = self.0.borrow_mut();
        pending.close.get_or_insert(close);
        pending.settle();
        drop(pending);
        self.wake();
    }

    fn wake(&self) {
        let client = self.0.borrow_mut().client.take();
        if let Some(client) = client {
            client.wake();
        }
    }
}

impl Pending {
    /// Makes room for some more of a body that is `most` long at most; `false` if the budget has none left.
    fn make_room(&mut self, more: usize, most: u64) -> bool {
        let (room, length) = (self.seen.capacity(), self.seen.len() + more);
        if length > room {
            let most = usize::try_from(most).unwrap_or(usize::MAX);
            let doubled = (2 * room).min(most).max(length);
            let fits = [doubled, length];
            let fits = fits.into_iter().find(|to| self.share.take(to - room));
            let Some(to) = fits else {
                return false;
            };
            self.seen.reserve_exact(to - self.seen.len());
        }
        true
    }

    fn pass(&mut self, octets: Bytes, is_part: bool) {
        self.chunks.push_back(Chunk { octets, is_part });
    }

    /// Takes the next piece for the client. The server copies what it is given into a buffer of its own, which nobody
    /// counts here, so it gets no more at a time.
    fn next(&mut self) -> Option<Bytes> {
        if let Some(chunk) = self.chunks.front_mut() {
            let piece = chunk.take(PIECE);
            if chunk.octets.is_empty() {
                self.chunks.pop_front();
            }
            if self.seen.capacity() > 0 {
                self.share.give_back(piece.len());
            }
            self.settle();
            return Some(piece);
        }
        let behind = &self.seen[self.passed.min(self.seen.len())..];
        let piece = Bytes::copy_from_slice(&behind[..behind.len().min(PIECE)]);
        self.passed += piece.len();
        (!piece.is_empty()).then_some(piece)
    }

    /// Gives the share back once nothing is held any more.
    fn settle(&mut self) {
        if self.close.is_some() && self.chunks.is_empty() && self.seen.capacity() == 0 {
            self.share.keep(0);
        }
    }
}

/// Cuts the client's stream if the reading task goes away early: its end may never be recorded.
pub(super) struct Closing(Pipe);

impl Closing {
    pub(super) fn new(pipe: Pipe) -> Self {
        Self(pipe)
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        self.0
            .close(Close::Cut("the response stream was abandoned".into()));
    }
}

/// The body that the client reads.
pub(super) struct Client {
    size: BodySize,
    pipe: Pipe,
}

impl Client {
    pub(super) fn new(size: BodySize, pipe: Pipe) -> Self {
        Self { size, pipe }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let mut pending = self.pipe.0.borrow_mut();
        pending.client_is_gone = true;
        pending.client = None;
        let chunks = mem::take(&mut pending.chunks);
        let room = pending.seen.capacity();
        if room > 0 {
            pending.share.keep(room);
        }
        pending.settle();
        drop(pending);
        // Outside of the borrow: what a chunk is made of may be the handler's.
        drop(chunks);
    }
}

impl MessageBody for Client {
    type Error = BodyError;

    fn size(&self) -> BodySize {
        self.size
    }

    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let mut pending = self.pipe.0.borrow_mut();
        if let Some(piece) = pending.next() {
            return Poll::Ready(Some(Ok(piece)));
        }
        match pending.close.take() {
            None => {
                pending.client = Some(cx.waker().clone());
                Poll::Pending
            }
            Some(Close::End) => {
                pending.close = Some(Close::End);
                Poll::Ready(None)
            }
            Some(Close::Rest(mut body)) => {
                let poll = Pin::new(&mut body).poll_next(cx);
                pending.close = Some(Close::Rest(body));
                poll
            }
            Some(Close::Cut(error)) => {
                pending.close = Some(Close::End);
                Poll::Ready(Some(Err(error)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::claim::Budget;

    #[test]
    fn a_piece_that_the_server_keeps_does_not_keep_what_was_collected() {
        let pipe = Pipe::new(Budget::new(usize::MAX).share());
        let mut client = Client::new(BodySize::Stream, pipe.clone());
        let body = Bytes::from(vec![b'x'; 2 * PIECE]);
        pipe.pass_rest(&body);
        let mut next = || {
            let next = std::future::poll_fn(|cx| Pin::new(&mut client).poll_next(cx));
            let piece = next.now_or_never().flatten();
            piece.expect("a piece").expect("no error")
        };
        let pieces = [next(), next()];
        assert!(body.is_unique());
        assert_eq!(pieces.map(|piece| piece.len()), [PIECE; 2]);
    }
}
