//! The end of an operation in a transaction: by status and mark it is committed with its answer or rolled back. It knows no
//! database.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use futures_util::future::LocalBoxFuture;
use tokio::time::{sleep, timeout};

use super::finish::Passed;
use super::open::Open;
use crate::answer::{
    Commit, NotExecuted, Problem, capture_whole, drop_marks, misconfigured, mismatch, reject,
};
use crate::claim::{Grant, HeldClaim, Lease, Moment, Recorded, Seat, guarded};
use crate::options::Options;
use crate::store::{
    Committed, Completion, Filled, Finished, RolledBack, StoreError, growing_pauses,
};
use crate::telemetry::{Chain, Incident, Outcome, incident};

/// How long it is looked for what became of a commit whose answer was lost. The client waits meanwhile.
const LONGEST_SEARCH: Duration = Duration::from_secs(10);

const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Runs the handler once more, and gives its answer with what is to be done about it.
pub(crate) type Again =
    Box<dyn FnOnce() -> LocalBoxFuture<'static, (HttpResponse, Option<Transacted>)>>;

/// A handler's answer as it was given in a transaction, until it is known that it is what the client gets.
pub(crate) struct Transacted {
    status: StatusCode,
    /// `None` once it is ended.
    open: Option<Open>,
    ending: Ending,
    finished: Finished,
    /// `None` where it has run often enough.
    again: Option<Again>,
    /// Those of its record; `None` where it has none.
    options: Option<Rc<Options>>,
}

/// What an answer makes of its transaction.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// Committed with the answer.
    Commit,
    /// Rolled back, and the answer binds.
    Bind,
    /// Rolled back, and the next retry runs.
    Release,
}

impl Ending {
    fn of(response: &HttpResponse, options: &Options) -> Self {
        let status = response.status();
        let is_released = NotExecuted::is_marked(response) || options.release_on.contains(status);
        match () {
            () if Commit::is_marked(response) => Self::Commit,
            () if is_released || status.is_server_error() => Self::Release,
            () if status.is_client_error() => Self::Bind,
            () => Self::Commit,
        }
    }
}

impl Transacted {
    /// Takes the answer whole: a stream is read to its end, within the limit. What cannot be kept is not committed, and
    /// the client must not be told otherwise.
    pub(crate) async fn of(open: Open, response: &mut HttpResponse, again: Option<Again>) -> Self {
        drop_marks(response.headers_mut());
        let mut ending = Ending::of(response, &open.options);
        let finished = capture_whole(response, &open.options).await;
        match &finished {
            Finished::Completed(_) => {}
            Finished::NotKept(_) if ending == Ending::Release => {}
            Finished::NotKept(_) => {
                let advice = "an answer of a handler in a transaction cannot be kept, so the transaction was rolled back: it \
                    is longer than `max_response`, an event stream, or a stream that broke off";
                tracing::error!("{advice}");
                *response = misconfigured(advice);
                ending = Ending::Release;
            }
        }
        let options = open.operation.is_some().then(|| Rc::clone(&open.options));
        Self {
            options,
            status: response.status(),
            open: Some(open),
            ending,
            finished,
            again,
        }
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    pub(super) fn options(&self) -> Option<&Options> {
        self.options.as_deref()
    }

    /// Ends the transaction before the client gets the answer.
    pub(crate) async fn pass(&mut self) -> Passed {
        let Some(open) = self.open.take() else {
            return Passed::AsItIs(Outcome::Released);
        };
        match self.ending {
            Ending::Commit => self.commit(open).await,
            Ending::Bind | Ending::Release => {
                let rolled_back = open.roll_back().await;
                if rolled_back == RolledBack::Ended {
                    return self.ended(open).await;
                }
                match self.ending {
                    Ending::Bind => self.bind(&open).await,
                    _ => {
                        open.tell(Outcome::Released);
                        Passed::AsItIs(Outcome::Released)
                    }
                }
            }
        }
    }

    /// The same for another answer that came out instead, by the rules for any.
    pub(crate) async fn replace(mut self, response: &mut HttpResponse) {
        if let Some(open) = self.open.take() {
            let mut other = Self::of(open, response, None).await;
            let passed = Box::pin(other.pass()).await;
            passed.change(response, other.options());
        }
    }

    async fn commit(&mut self, open: Open) -> Passed {
        let ttl = open.options.kept_for();
        let named = open.operation.as_ref();
        let recording = named.map(|named| named.recording(&self.finished, ttl));
        let limit = open.options.store_timeout();
        let committed = timeout(limit, open.slot.commit(recording)).await;
        let committed = committed.unwrap_or_else(|_| {
            let cause = format!("no answer to the commit in {limit:?}");
            Committed::Unclear(StoreError::unavailable(cause))
        });
        match committed {
            Committed::Done => {
                open.tell(Outcome::First);
                Passed::AsItIs(Outcome::First)
            }
            Committed::Other => open.instead(found_instead(&open).await),
            Committed::Again(cause) => {
                tracing::debug!(cause = %Chain(&cause), "a commit was undone for another transaction's sake");
                self.run_again(open).await
            }
            Committed::Refused(cause) => {
                incident(Incident::CommitRefused, &subject(&open), &Chain(&cause));
                open.tell(Outcome::Released);
                let advice = "the database refused the commit, so nothing was committed: the log has its reason";
                Passed::Instead(Box::new(misconfigured(advice)))
            }
            Committed::Ended => self.ended(open).await,
            Committed::Unclear(cause) => {
                incident(Incident::CommitUnclear, &subject(&open), &Chain(&cause));
                match settle(&open).await {
                    Settled::Committed => {
                        open.tell(Outcome::First);
                        Passed::AsItIs(Outcome::First)
                    }
                    Settled::Absent => self.run_again(open).await,
                    Settled::Told(answer) => open.instead(*answer),
                }
            }
        }
    }

    /// Runs the handler in a transaction anew. Its answer does not come by what stands between it and the layer a second
    /// time.
    async fn run_again(&mut self, open: Open) -> Passed {
        let Some(again) = self.again.take() else {
            let problem_base = &open.options.problem_base;
            return open.instead(reject(Problem::StoreUnavailable, problem_base));
        };
        let context = open.operation.as_ref();
        let context = context.map(|named| Arc::clone(&named.context));
        let options = Rc::clone(&open.options);
        drop(open);
        let (mut response, next) = again().await;
        if let Some(context) = context {
            context.tell_of(&options, &mut response);
        }
        if let Some(mut next) = next {
            let passed = Box::pin(next.pass()).await;
            passed.change(&mut response, next.options());
        }
        Passed::Instead(Box::new(response))
    }

    /// Records an answer whose transaction is rolled back.
    async fn bind(&self, open: &Open) -> Passed {
        let Some(named) = &open.operation else {
            return Passed::AsItIs(Outcome::First);
        };
        let (options, lease) = (&open.options, &named.lease);
        let store = &named.claims.store;
        let call = || store.complete(&lease.id, &lease.claim, &self.finished, options.kept_for());
        match guarded(options.store_timeout(), call).await {
            Ok(Completion::Recorded | Completion::RecordedAbsent) => {
                open.tell(Outcome::First);
                Passed::AsItIs(Outcome::First)
            }
            Ok(Completion::Refused) => open.instead(found_instead(open).await),
            // Nothing happened, so that a retry may as well run.
            Err(error) => {
                incident(Incident::CompleteFailed, lease, &Chain(&error));
                open.tell(Outcome::Released);
                Passed::Unstored(Outcome::Released)
            }
        }
    }

    /// The handler has ended the transaction by itself, so that its effect may be there: its answer is recorded as any
    /// handler's.
    async fn ended(&self, open: Open) -> Passed {
        let cause = "a handler ended its transaction by itself, so that effect and record were not committed together: \
            leave COMMIT and ROLLBACK to the layer";
        incident(Incident::TransactionEnded, &subject(&open), &cause);
        let Some(named) = &open.operation else {
            return Passed::AsItIs(Outcome::First);
        };
        let (options, claim) = (&open.options, named.lease.claim.clone());
        let lease = Lease::new(
            named.lease.id,
            claim,
            Seat::Uncounted,
            Moment::now(),
            Grant::ByStore,
            options.max_run(),
        );
        let held = HeldClaim::hold(&named.claims, lease, options.store_timeout());
        match held.complete(&self.finished, options.kept_for()).await {
            Recorded::Stored => {
                open.tell(Outcome::First);
                Passed::AsItIs(Outcome::First)
            }
            Recorded::TooOld | Recorded::Failed => {
                open.tell(Outcome::First);
                Passed::Unstored(Outcome::First)
            }
            Recorded::Refused => open.instead(found_instead(&open).await),
        }
    }
}

/// What an incident is about.
fn subject(open: &Open) -> String {
    match &open.operation {
        Some(named) => format!("{:?}", named.lease),
        None => "without a key".to_owned(),
    }
}

/// What a client is told whose answer stands behind another attempt's.
async fn found_instead(open: &Open) -> HttpResponse {
    let problem_base = &open.options.problem_base;
    let Some(named) = &open.operation else {
        return Problem::OutcomeUnknown.response(problem_base);
    };
    let call = || named.claims.store.inspect(&named.lease.id);
    let record = guarded(open.options.store_timeout(), call).await;
    match record.ok().flatten() {
        Some(record) if record.fingerprint == *named.lease.claim.fingerprint() => {
            open.told(record.state)
        }
        Some(_) => mismatch(problem_base),
        None => reject(Problem::Undecided, problem_base),
    }
}

/// What became of a commit of which nobody knew.
enum Settled {
    Committed,
    Absent,
    Told(Box<HttpResponse>),
}

/// Looks for what became of a commit, by opening the operation again: who gets it and finds no record knows that the
/// earlier transaction is over and left nothing.
async fn settle(open: &Open) -> Settled {
    let problem_base = &open.options.problem_base;
    let Some(named) = &open.operation else {
        let answer = Problem::OutcomeUnknown.response(problem_base);
        return Settled::Told(Box::new(answer));
    };
    let lease = &named.lease;
    let until = Instant::now() + LONGEST_SEARCH.min(lease.claim.lease());
    let how = open.options.transaction_options();
    let mut pauses = growing_pauses(SHORTEST_PAUSE, LONGEST_PAUSE);
    while Instant::now() < until {
        let call = || open.slot.open(&lease.id, &lease.claim, &how);
        match guarded(open.options.store_timeout(), call).await {
            Ok(Filled::Found(record)) if record.attempt.is_of(lease.claim.token()) => {
                return Settled::Committed;
            }
            Ok(Filled::Found(_)) => {
                return Settled::Told(Box::new(found_instead(open).await));
            }
            Ok(Filled::Claimed { .. }) => {
                // Over before the handler asks for it again.
                open.roll_back().await;
                return Settled::Absent;
            }
            Ok(Filled::Busy) | Err(_) => {}
        }
        sleep(pauses.next().unwrap_or(LONGEST_PAUSE)).await;
    }
    Settled::Told(Box::new(reject(Problem::Undecided, problem_base)))
}
