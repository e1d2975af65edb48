//! Who may run: an operation asks the store for the claim, and whatever there is instead is its answer. It does
//! not know what is run.

use std::time::Instant;

use actix_web::dev::Payload;
use actix_web::{HttpRequest, HttpResponse};
use futures_util::future::LocalBoxFuture;

use super::bar::Bar;
use super::hold::{commit, withdraw};
use super::operation::Operation;
use super::turn::{Turn, release_ungranted, take_up};
use super::unknown::{self, Lapsed};
use super::waiting::pause;
use crate::answer::{Problem, mismatch, reject};
use crate::claim::{Grant, HeldClaim, Moment, guarded};
use crate::store::{Begun, Record, State};
use crate::telemetry::{Chain, Incident, incident};

/// How often a record may change while its fate is decided.
const LOOKS: usize = 8;

/// What a request gets that asks for the right to run.
pub(crate) enum Admitted<H = HeldClaim> {
    Run(H),
    Answer(HttpResponse),
}

/// Asks for the right to run, until it is granted or there is an answer instead. Whoever has to wait for it
/// `gives_way`: what it holds may be what the first request waits for.
///
/// The request is committed from the first step that could claim: a claim whose owner is gone would only become
/// unknown. While it waits it may be dropped.
pub(crate) fn admit(
    operation: &Operation,
    request: &HttpRequest,
    payload: &mut Payload,
    gives_way: impl FnMut(),
) -> impl Future<Output = Admitted> {
    admit_by(operation, payload, gives_way, async || {
        begin(operation, request).await
    })
}

/// The same by another way to ask.
#[expect(
    clippy::manual_async_fn,
    reason = "an `async fn` has room for its arguments twice, and every request has room for this"
)]
pub(super) fn admit_by<H>(
    operation: &Operation,
    payload: &mut Payload,
    mut gives_way: impl FnMut(),
    ask: impl AsyncFn() -> Turn<H>,
) -> impl Future<Output = Admitted<H>> {
    async move {
        let mut waiter = None;
        let mut since: Option<Instant> = None;
        loop {
            commit();
            let change = match ask().await {
                Turn::Run(held) => {
                    operation.context.wait_since(since);
                    return Admitted::Run(held);
                }
                Turn::Answer(answer) => {
                    operation.context.wait_since(since);
                    return Admitted::Answer(answer);
                }
                Turn::Wait(change) => change,
            };
            let since = *since.get_or_insert_with(Instant::now);
            gives_way();
            if !withdraw() {
                // Nobody is there to be told, or to be counted.
                let problem_base = &operation.options.problem_base;
                return Admitted::Answer(Problem::InFlight.response(problem_base));
            }
            if !Box::pin(pause(&mut waiter, operation, payload, change)).await {
                operation.context.wait_since(Some(since));
                return Admitted::Answer(operation.told(State::InFlight));
            }
        }
    }
}

/// The one gate right before a handler is called: a claim that is lost, or so late that it may be somebody else's by
/// now and cannot be renewed, starts nothing.
pub(crate) async fn gate(operation: &Operation, held: HeldClaim) -> Admitted {
    if held.lease().is_lost() {
        let state = Box::pin(held.found()).await;
        return Admitted::Answer(operation.told(state));
    }
    if held.is_late() && !Box::pin(held.confirm()).await {
        let problem_base = &operation.options.problem_base;
        return Admitted::Answer(reject(Problem::StoreUnavailable, problem_base));
    }
    held.start();
    Admitted::Run(held)
}

/// Asks the store for the claim.
async fn begin(operation: &Operation, request: &HttpRequest) -> Turn {
    for _ in 0..LOOKS {
        // The future of every request is as large as its longest way, so what is rare is boxed.
        let rare: LocalBoxFuture<'_, Option<Turn>> = match look(operation, request).await {
            Look::Turn(turn) => return turn,
            Look::Unknown(lapsed) => Box::pin(unknown::decide(operation, request, lapsed)),
            Look::Barred(bar) => {
                Box::pin(async move { Some(look_only(operation, request, bar).await) })
            }
        };
        if let Some(turn) = rare.await {
            return turn;
        }
    }
    Turn::busy(operation, None)
}

/// What follows from a step of the store.
pub(super) enum Look<H = HeldClaim> {
    Turn(Turn<H>),
    Unknown(Lapsed),
    /// It would be a run more than there may be.
    Barred(Bar),
}

async fn look(operation: &Operation, request: &HttpRequest) -> Look {
    let _counted = operation.claims.activity.run();
    if let Some(bar) = Bar::to(operation) {
        return Look::Barred(bar);
    }
    let asked = Moment::now();
    let claim = operation.claim(asked);
    let call = || operation.claims.store.begin(&operation.id, &claim);
    match guarded(operation.options.store_timeout(), call).await {
        Ok(Begun::Claimed { generation }) => {
            let claim = claim.with_generation(generation);
            let Some(seat) = operation.seat() else {
                // Others have taken the last one while the store was asked.
                let timeout = operation.options.store_timeout();
                let retries = &operation.claims.retries;
                retries.release(operation.id, claim, timeout);
                return Look::Turn(Turn::over_quota(operation));
            };
            Look::Turn(Turn::Run(take_up(
                operation,
                claim,
                asked,
                seat,
                Grant::ByStore,
            )))
        }
        Ok(Begun::Found(record)) => found(operation, request, record),
        Err(error) if operation.options.runs_despite(&error) && !operation.is_retry() => {
            let Some(seat) = operation.seat() else {
                release_ungranted(operation, operation.id, claim, &error);
                return Look::Turn(Turn::over_quota(operation));
            };
            incident(Incident::Unprotected, &operation.id, &Chain(&error));
            Look::Turn(Turn::Run(take_up(
                operation,
                claim,
                asked,
                seat,
                Grant::Asked,
            )))
        }
        Err(error) => Look::Turn(Turn::refused(operation, claim, &error)),
    }
}

/// The same where nothing may be claimed or decided: what is finished is replayed.
pub(super) async fn look_only<H>(
    operation: &Operation,
    request: &HttpRequest,
    bar: Bar,
) -> Turn<H> {
    let call = || operation.claims.store.inspect(&operation.id);
    match guarded(operation.options.store_timeout(), call).await {
        Ok(Some(record)) => match found(operation, request, record) {
            Look::Turn(turn) => turn,
            _ => Turn::barred(operation, bar),
        },
        Ok(None) => Turn::barred(operation, bar),
        Err(error) => Turn::unavailable(operation, &error),
    }
}

/// Answers a retry from the record that it found, unless its outcome is unknown.
pub(super) fn found<H>(operation: &Operation, request: &HttpRequest, record: Record) -> Look<H> {
    Look::Turn(
        match operation.fingerprint_like(&record.fingerprint, request) {
            None => {
                let cause = "its fingerprint is of a scheme that cannot be computed here";
                incident(Incident::ClaimFailed, &operation.id, &cause);
                Turn::rejected(operation, Problem::StoreUnavailable)
            }
            Some(ours) if ours != record.fingerprint => {
                Turn::Answer(mismatch(&operation.options.problem_base))
            }
            Some(_) => match record.state {
                State::InFlight => Turn::busy(operation, None),
                State::Unknown { lease } => {
                    let attempt = record.attempt;
                    return Look::Unknown(Lapsed { attempt, lease });
                }
                state => Turn::told(operation, state),
            },
        },
    )
}
