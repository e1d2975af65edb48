//! A streamed answer, read once for two readers: the record and the client.
//!
//! One local task reads the body at its own pace, whatever the client does, ahead of it by at most
//! `max_response`, and by what is left of the budget of all streams of its layer. The client gets every chunk
//! as it is produced; one that has fallen behind reads from what is collected for the record, so that
//! nothing is held twice. Only the end waits for the record:
//! the terminator, or the last byte of a body of declared length; until then a retry finds the
//! operation in flight. A tee inside the body would hang instead, since actix stops polling a body
//! whose client does not read.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::error::Error;
use std::future::poll_fn;
use std::mem;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::web::Bytes;
use futures_util::FutureExt;

use super::spawn::spawn;
use crate::answer::CapturedHead;
use crate::claim::{HeldClaim, Recorded, Share};
use crate::options::Options;
use crate::store::Finished;

type BodyError = Box<dyn Error>;

/// How much a client that has fallen behind is given at a time.
const PIECE: usize = 64 * 1024;

/// A stream's claim, which its reading task and the layer share until both have seen their part: the record of a
/// stream needs its end, and that its head passed the layer.
#[derive(Clone)]
pub(super) struct Streamed(Rc<RefCell<Ends>>);

struct Ends {
    /// `None` once the record is finished, or another answer took the claim.
    held: Option<HeldClaim>,
    head_has_passed: bool,
    /// What the stream came to, where it ended inside of the layer.
    ended: Option<Finished>,
}

impl Streamed {
    fn new(held: HeldClaim) -> Self {
        Self(Rc::new(RefCell::new(Ends {
            held: Some(held),
            head_has_passed: false,
            ended: None,
        })))
    }

    /// Notes that the head passes the layer. A stream that was read to its end inside, into a buffer perhaps, is to
    /// be recorded now.
    pub(super) fn pass(&self) -> Option<(HeldClaim, Finished)> {
        let mut ends = self.0.borrow_mut();
        ends.head_has_passed = true;
        let finished = ends.ended.take()?;
        Some((ends.held.take()?, finished))
    }

    /// Takes the claim away, for another answer.
    pub(super) fn withdraw(&self) -> Option<HeldClaim> {
        self.0.borrow_mut().held.take()
    }

    /// Takes the claim at the end of the stream. Before the head has passed the layer, the layer will record what
    /// the stream came to: whoever reads the end stands inside, and to hold it back would hold the head back too.
    fn end(&self, finished: &Finished) -> Option<HeldClaim> {
        let mut ends = self.0.borrow_mut();
        if ends.head_has_passed {
            return ends.held.take();
        }
        ends.ended = Some(finished.clone());
        None
    }
}

/// Starts the reading task; returns what the record waits for, and the client's side of the body.
pub(super) fn tee(
    held: HeldClaim,
    head: CapturedHead,
    body: BoxBody,
    declared: Option<u64>,
    options: &Options,
) -> (Streamed, BoxBody) {
    let pipe = Pipe::new(held.share_of_streams());
    let client = Client {
        size: body.size(),
        pipe: pipe.clone(),
    };
    let reader = Reader {
        body,
        read: 0,
        declared,
        limit: options.max_response,
    };
    let ttl = options.ttl;
    let closing = Closing(pipe.clone());
    let until = held.lease().renew_until.into();
    let streamed = Streamed::new(held);
    let shared = streamed.clone();
    spawn(async move {
        let mut reader = reader;
        let read = AssertUnwindSafe(reader.read(&pipe)).catch_unwind();
        let end = match tokio::time::timeout_at(until, read).await {
            Ok(Ok(end)) => end,
            Ok(Err(_)) => End::Broken("the response stream panicked".into()),
            Err(_) => End::TooLong,
        };
        reader.finish(end, &shared, head, ttl, &pipe).await;
        drop(closing);
    });
    (streamed, BoxBody::new(client))
}

struct Reader {
    body: BoxBody,
    /// How many octets of it were read.
    read: u64,
    declared: Option<u64>,
    limit: u64,
}

/// Why the reading task stopped.
enum End {
    /// Everything was read.
    Whole,
    /// More than is kept: the client reads the rest by itself.
    TooLong,
    Broken(BodyError),
}

impl Reader {
    async fn read(&mut self, pipe: &Pipe) -> End {
        loop {
            let mut chunk = match poll_fn(|cx| Pin::new(&mut self.body).poll_next(cx)).await {
                None if self.declared.is_none() => return End::Whole,
                None => return End::Broken("the body is shorter than it declared".into()),
                Some(Ok(chunk)) => chunk,
                Some(Err(error)) => return End::Broken(error),
            };
            if let Some(declared) = self.declared {
                // The server sends no more than was declared.
                let room = declared.saturating_sub(self.read);
                chunk.truncate(usize::try_from(room).unwrap_or(usize::MAX));
            }
            self.read += chunk.len() as u64;
            let most = self.limit.min(self.declared.unwrap_or(u64::MAX));
            let is_last = self.declared == Some(self.read);
            if self.read > self.limit || !pipe.collect(&chunk, is_last, most) {
                pipe.pass_collected();
                pipe.push(chunk);
                return End::TooLong;
            }
            if is_last {
                return End::Whole;
            }
        }
    }

    async fn finish(
        self,
        end: End,
        streamed: &Streamed,
        head: CapturedHead,
        ttl: Duration,
        pipe: &Pipe,
    ) {
        let (finished, last, close) = match end {
            End::Whole => {
                let response = head.with_body(None).with_collected_body(pipe.collected());
                let body = response.body().cloned().unwrap_or_default();
                // Of a declared body the last byte waits for the record, of any other the terminator.
                let waits = usize::from(self.declared.is_some()).min(body.len());
                let last = body.slice(body.len() - waits..);
                pipe.pass_rest(&body.slice(..body.len() - waits));
                (Finished::Completed(response), last, Close::End)
            }
            End::TooLong => {
                pipe.pass_collected();
                let not_kept = Finished::NotKept(head.not_kept());
                (not_kept, Bytes::new(), Close::Rest(self.body))
            }
            End::Broken(error) => {
                pipe.pass_collected();
                let not_kept = Finished::NotKept(head.not_kept());
                (not_kept, Bytes::new(), Close::Cut(error))
            }
        };
        let recorded = match streamed.end(&finished) {
            Some(held) => Some(held.complete(&finished, ttl).await),
            None => None,
        };
        match (recorded, close) {
            (Some(Recorded::Refused), Close::End) => {
                pipe.close(Close::Cut("another attempt answered this operation".into()));
            }
            (_, close) => {
                if !last.is_empty() {
                    pipe.push(last);
                }
                pipe.close(close);
            }
        }
    }
}

/// What is on its way to the record and to the client. Reader and client live on one thread.
#[derive(Clone)]
struct Pipe(Rc<RefCell<Pending>>);

struct Pending {
    /// What the client gets next.
    chunks: VecDeque<Bytes>,
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

enum Close {
    End,
    Rest(BoxBody),
    Cut(BodyError),
}

impl Pipe {
    fn new(share: Share) -> Self {
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
    /// for it. A client that waits gets the chunk as it is, but for the last byte of the last one.
    fn collect(&self, chunk: &Bytes, is_last: bool, most: u64) -> bool {
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
            pending.chunks.push_back(chunk.slice(..passes));
        }
        drop(pending);
        self.wake();
        true
    }

    /// Takes what was collected.
    fn collected(&self) -> Vec<u8> {
        mem::take(&mut self.0.borrow_mut().seen)
    }

    /// Passes on what the client has not got of all that was collected.
    fn pass_rest(&self, body: &Bytes) {
        let mut pending = self.0.borrow_mut();
        let in_chunks: usize = pending.chunks.iter().map(Bytes::len).sum();
        // The whole buffer stays for as long as the record's handle to it, or the client's to a part of it.
        pending.share.keep(in_chunks + body.len());
        let passed = mem::take(&mut pending.passed).min(body.len());
        let rest = body.slice(passed..);
        if !rest.is_empty() && !pending.client_is_gone {
            pending.chunks.push_back(rest);
        }
        drop(pending);
        self.wake();
    }

    /// The same where nothing of it is kept.
    fn pass_collected(&self) {
        let collected = self.collected().into_boxed_slice();
        if !collected.is_empty() {
            self.pass_rest(&collected.into());
        }
    }

    /// Passes on what is not collected.
    fn push(&self, chunk: Bytes) {
        let mut pending = self.0.borrow_mut();
        if !pending.client_is_gone && !chunk.is_empty() {
            pending.share.take_anyway(chunk.len());
            pending.chunks.push_back(chunk);
        }
        drop(pending);
        self.wake();
    }

    fn close(&self, close: Close) {
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

    /// Takes the next piece for the client. The server copies what it is given into a buffer of its own, which nobody
    /// counts here, so it gets no more at a time.
    fn next(&mut self) -> Option<Bytes> {
        if let Some(chunk) = self.chunks.front_mut() {
            let piece = chunk.split_to(chunk.len().min(PIECE));
            if chunk.is_empty() {
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
struct Closing(Pipe);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0
            .close(Close::Cut("the response stream was abandoned".into()));
    }
}

/// The body that the client reads.
struct Client {
    size: BodySize,
    pipe: Pipe,
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
