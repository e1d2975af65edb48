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
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::web::Bytes;
use futures_util::FutureExt;
use tracing::Instrument;

use super::context::Context;
use super::observed::first;
use super::pipe::{BodyError, Client, Close, Closing, Pipe};
use super::spawn::spawn;
use crate::answer::CapturedHead;
use crate::claim::{HeldClaim, Recorded};
use crate::options::Options;
use crate::store::Finished;
use crate::telemetry::Told;

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
    options: &Rc<Options>,
    context: &Arc<Context>,
) -> (Streamed, BoxBody) {
    let pipe = Pipe::new(held.share_of_streams());
    let client = Client::new(body.size(), pipe.clone());
    let reader = Reader {
        body,
        read: 0,
        declared,
        limit: options.max_response,
        options: Rc::clone(options),
        context: Arc::clone(context),
    };
    let closing = Closing::new(pipe.clone());
    let until = held.lease().renew_until.into();
    let streamed = Streamed::new(held);
    let shared = streamed.clone();
    let read = async move {
        let mut reader = reader;
        let read = AssertUnwindSafe(reader.read(&pipe)).catch_unwind();
        let end = match tokio::time::timeout_at(until, read).await {
            Ok(Ok(end)) => end,
            Ok(Err(_)) => End::Broken("the response stream panicked".into()),
            Err(_) => End::TooLong,
        };
        reader.finish(end, &shared, head, &pipe).await;
        drop(closing);
    };
    spawn(read.in_current_span());
    (streamed, BoxBody::new(client))
}

struct Reader {
    body: BoxBody,
    /// How many octets of it were read.
    read: u64,
    declared: Option<u64>,
    limit: u64,
    options: Rc<Options>,
    context: Arc<Context>,
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

    async fn finish(self, end: End, streamed: &Streamed, head: CapturedHead, pipe: &Pipe) {
        let (finished, last, close) = match end {
            End::Whole => {
                let (response, body) = head.with_collected(pipe.collected());
                // Of a declared body the last byte waits for the record, of any other the terminator.
                let waits = usize::from(self.declared.is_some()).min(body.len());
                let last = Bytes::copy_from_slice(&body[body.len() - waits..]);
                pipe.pass_rest(&body.slice(..body.len() - waits));
                (Finished::Completed(response), last, Close::End)
            }
            End::TooLong => {
                pipe.pass_collected();
                (head.without_body(), Bytes::new(), Close::Rest(self.body))
            }
            End::Broken(error) => {
                pipe.pass_collected();
                let not_kept = Finished::NotKept(head.not_kept());
                (not_kept, Bytes::new(), Close::Cut(error))
            }
        };
        let recorded = match streamed.end(&finished) {
            Some(held) => {
                let recorded = held.complete(&finished, self.options.kept_for()).await;
                let told = Told::new(first(&finished));
                self.context.tell(&self.options, told);
                Some(recorded)
            }
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
