//! A streamed answer, read once for two readers: the record and the client.
//!
//! One local task reads the body at its own pace, whatever the client does, ahead of it by at most
//! `max_response`. The client gets every chunk as it is produced. Only the end waits for the record:
//! the terminator, or the last byte of a body of declared length; until then a retry finds the
//! operation in flight. A tee inside the body would hang instead, since actix stops polling a body
//! whose client does not read.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::error::Error;
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::web::{Bytes, BytesMut};
use futures_util::FutureExt;

use super::spawn::spawn;
use crate::answer::CapturedHead;
use crate::claim::{HeldClaim, Recorded};
use crate::options::Options;
use crate::store::Finished;

type BodyError = Box<dyn Error>;

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
    let pipe = Pipe::default();
    let client = Client {
        size: body.size(),
        pipe: pipe.clone(),
    };
    let reader = Reader {
        body,
        seen: BytesMut::new(),
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
    seen: BytesMut,
    declared: Option<u64>,
    limit: u64,
}

/// Why the reading task stopped.
enum End {
    /// Everything was read; this is the part that waits for the record.
    Whole(Option<Bytes>),
    /// More than is kept: the client reads the rest by itself.
    TooLong,
    Broken(BodyError),
}

impl Reader {
    async fn read(&mut self, pipe: &Pipe) -> End {
        loop {
            let mut chunk = match poll_fn(|cx| Pin::new(&mut self.body).poll_next(cx)).await {
                None if self.declared.is_none() => return End::Whole(None),
                None => return End::Broken("the body is shorter than it declared".into()),
                Some(Ok(chunk)) => chunk,
                Some(Err(error)) => return End::Broken(error),
            };
            if let Some(declared) = self.declared {
                // The server sends no more than was declared.
                let room = declared.saturating_sub(self.seen.len() as u64);
                chunk.truncate(usize::try_from(room).unwrap_or(usize::MAX));
            }
            let length = (self.seen.len() + chunk.len()) as u64;
            if length > self.limit {
                pipe.push(chunk);
                return End::TooLong;
            }
            if chunk.is_empty() {
                continue;
            }
            self.seen.extend_from_slice(&chunk);
            if self.declared == Some(length) {
                let last = chunk.split_off(chunk.len() - 1);
                pipe.push(chunk);
                return End::Whole(Some(last));
            }
            pipe.push(chunk);
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
            End::Whole(last) => {
                let response = head.with_body(Some(self.seen.freeze()));
                (Finished::Completed(response), last, Close::End)
            }
            End::TooLong => (
                Finished::NotKept(head.not_kept()),
                None,
                Close::Rest(self.body),
            ),
            End::Broken(error) => (Finished::NotKept(head.not_kept()), None, Close::Cut(error)),
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
                if let Some(last) = last {
                    pipe.push(last);
                }
                pipe.close(close);
            }
        }
    }
}

/// Chunks on their way to the client. Reader and client live on one thread.
#[derive(Clone, Default)]
struct Pipe(Rc<RefCell<Pending>>);

#[derive(Default)]
struct Pending {
    chunks: VecDeque<Bytes>,
    close: Option<Close>,
    client: Option<Waker>,
}

enum Close {
    End,
    Rest(BoxBody),
    Cut(BodyError),
}

impl Pipe {
    fn push(&self, chunk: Bytes) {
        self.0.borrow_mut().chunks.push_back(chunk);
        self.wake();
    }

    fn close(&self, close: Close) {
        self.0.borrow_mut().close.get_or_insert(close);
        self.wake();
    }

    fn wake(&self) {
        let client = self.0.borrow_mut().client.take();
        if let Some(client) = client {
            client.wake();
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
        if let Some(chunk) = pending.chunks.pop_front() {
            return Poll::Ready(Some(Ok(chunk)));
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
