//! A retry of an unknown outcome: refused, run again, or decided by the route's recovery.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::{Error, HttpMessage, HttpRequest};
use futures_util::FutureExt;
use tokio::time::timeout;

use super::context::Run;
use super::operation::Operation;
use super::turn::{Turn, release_ungranted, take_up};
use crate::answer::{Problem, capture_whole, mark_unstored};
use crate::claim::{Grant, HeldClaim, Lease, Moment, Recorded, Seat, guarded};
use crate::options::{Recover, Recovery, Unknown};
use crate::store::{
    AttemptId, Begun, Claim, Finished, Resolved, State, StoreError, StoreErrorKind, Token, Verdict,
};
use crate::telemetry::{Chain, Incident, incident};

/// A lapsed claim, as it was found.
#[derive(Clone, Copy)]
pub(super) struct Lapsed {
    pub(super) attempt: AttemptId,
    pub(super) lease: Duration,
}

impl Lapsed {
    pub(super) fn state(&self) -> State {
        State::Unknown { lease: self.lease }
    }

    fn next_generation(&self) -> u64 {
        self.attempt.generation().saturating_add(1)
    }
}

/// Decides by the route's choice, once it may and there is a seat for a run; `None` if the record changed
/// in the meantime.
pub(super) async fn decide(
    operation: &Operation,
    request: &HttpRequest,
    lapsed: Lapsed,
) -> Option<Turn> {
    let function = match &operation.options.unknown {
        Unknown::Reject => return Some(Turn::told(operation, lapsed.state())),
        Unknown::Rerun => None,
        Unknown::Recover(function) => Some(&**function),
    };
    let sightings = &operation.claims.sightings;
    let ripe = sightings.ripens(&operation.id, &lapsed.attempt, lapsed.lease / 2);
    if ripe.is_some() {
        return Some(Turn::busy(operation, ripe));
    }
    let Some(seat) = operation.seat() else {
        return Some(Turn::over_quota(operation));
    };
    match function {
        None => take_over(operation, lapsed, seat).await,
        Some(function) => recover(operation, request, function, lapsed, seat).await,
    }
}

/// Takes the claim over, one generation higher, with no absent in between.
async fn take_over(operation: &Operation, lapsed: Lapsed, seat: Seat) -> Option<Turn> {
    let asked = Moment::now();
    let claim = operation
        .claim(asked)
        .with_generation(lapsed.next_generation());
    let verdict = Verdict::TakeOver(claim.clone());
    match resolve(operation, &lapsed, &verdict).await {
        Ok(Resolved::Done) => {
            let generation = claim.generation();
            tracing::warn!(record = ?operation.id, generation, "a claim of unknown outcome is taken over");
            let held = take_up(operation, claim, asked, seat, Grant::ByStore);
            Some(Turn::Run(held))
        }
        Ok(Resolved::Refused) => None,
        Err(error) => Some(Turn::refused(operation, claim, &error)),
    }
}

async fn resolve(
    operation: &Operation,
    lapsed: &Lapsed,
    verdict: &Verdict,
) -> Result<Resolved, StoreError> {
    let (id, store) = (&operation.id, &operation.claims.store);
    let call = || store.resolve(id, &lapsed.attempt, verdict);
    guarded(operation.options.store_timeout(), call).await
}

/// Asks the recovery, one at a time, and makes its finding the record.
async fn recover(
    operation: &Operation,
    request: &HttpRequest,
    function: &dyn Recover,
    lapsed: Lapsed,
    seat: Seat,
) -> Option<Turn> {
    let guard = match claim_recovery(operation).await {
        Ok(Some(guard)) => guard,
        Ok(None) => return Some(Turn::busy(operation, None)),
        Err(error) => return Some(Turn::unavailable(operation, &error)),
    };
    let turn = match ask(operation, request, function, &lapsed, &guard).await {
        Found::Finished(finished) => finish(operation, lapsed, finished, seat, &guard).await,
        Found::NotExecuted => take_over(operation, lapsed, seat).await,
        Found::StillUnknown => Some(Turn::told(operation, lapsed.state())),
    };
    guard.release().await;
    turn
}

/// Claims the right to find out. `None` if somebody else is at it.
///
/// The owner's own claim stays untouched: its late answer counts until there is a verdict.
async fn claim_recovery(operation: &Operation) -> Result<Option<HeldClaim>, StoreError> {
    let (id, options) = (operation.id.of_recovery(), &operation.options);
    let lease = options.lease;
    let claim = Claim::new(Token::random(), operation.fingerprint, lease, lease * 3);
    let asked = Moment::now();
    let (timeout, store) = (options.store_timeout(), &operation.claims.store);
    for _ in 0..2 {
        let record = match guarded(timeout, || store.begin(&id, &claim)).await {
            Ok(Begun::Claimed { .. }) => {
                let (seat, max_run) = (Seat::Uncounted, options.max_run());
                let lease = Lease::new(id, claim, seat, asked, Grant::ByStore, max_run);
                return Ok(Some(HeldClaim::hold(&operation.claims, lease, timeout)));
            }
            Ok(Begun::Found(record)) => record,
            Err(error) => {
                release_ungranted(operation, id, claim, &error);
                return Err(error);
            }
        };
        // Whoever asked before has died, and asking twice does no harm.
        let State::Unknown { .. } = record.state else {
            break;
        };
        let call = || store.resolve(&id, &record.attempt, &Verdict::NotExecuted);
        guarded(timeout, call).await?;
    }
    Ok(None)
}

/// What a recovery found, its answer as a record keeps it.
enum Found {
    Finished(Finished),
    NotExecuted,
    StillUnknown,
}

/// Calls the recovery, and reads its answer to the end. A failure of its arguments, a panic and a time-out
/// leave the outcome unknown.
async fn ask(
    operation: &Operation,
    request: &HttpRequest,
    function: &dyn Recover,
    lapsed: &Lapsed,
    guard: &HeldClaim,
) -> Found {
    let context = operation.context.for_attempt(Run {
        generation: lapsed.next_generation(),
        lease: Arc::clone(guard.lease()),
        since: Instant::now(),
    });
    let of_handler = request.extensions_mut().insert(Arc::new(context));
    let options = &operation.options;
    let call = async {
        let recovery = function.call(request, operation.body.clone()).await?;
        Ok::<_, Error>(match recovery {
            Recovery::Completed(mut response) => {
                Found::Finished(capture_whole(&mut response, options).await)
            }
            Recovery::NotExecuted => Found::NotExecuted,
            Recovery::StillUnknown => Found::StillUnknown,
        })
    };
    let call = timeout(options.lease, AssertUnwindSafe(call).catch_unwind()).await;
    if let Some(of_handler) = of_handler {
        request.extensions_mut().insert(of_handler);
    }
    let record = &operation.id;
    match call {
        Ok(Ok(Ok(found))) => return found,
        Ok(Ok(Err(error))) => {
            let status = error.as_response_error().status_code().as_u16();
            tracing::error!(
                ?record,
                status,
                "the arguments of a recovery could not be extracted"
            );
            tracing::debug!(?record, %error, "why they could not");
        }
        Ok(Err(_)) => tracing::error!(?record, "a recovery panicked"),
        Err(_) => tracing::error!(?record, "a recovery took longer than the lease"),
    }
    Found::StillUnknown
}

/// Makes an answer that was found the record, and gives it to this retry like to all that follow.
async fn finish(
    operation: &Operation,
    lapsed: Lapsed,
    finished: Finished,
    seat: Seat,
    guard: &HeldClaim,
) -> Option<Turn> {
    match decree(operation, &lapsed, &finished).await {
        Ok(Resolved::Done) => Some(Turn::told(operation, State::Finished(finished))),
        Ok(Resolved::Refused) => finish_anew(operation, lapsed, finished, seat).await,
        Err(error) => {
            let less = Box::pin(finish_with_less(
                operation, &lapsed, &finished, guard, &error,
            ));
            match less.await {
                Some(less) => Some(Turn::told(operation, State::Finished(less))),
                None => Some(Turn::unavailable(operation, &error)),
            }
        }
    }
}

/// Makes an answer the record of the lapsed claim.
async fn decree(
    operation: &Operation,
    lapsed: &Lapsed,
    finished: &Finished,
) -> Result<Resolved, StoreError> {
    let verdict = Verdict::Finished(finished.clone(), operation.options.kept_for());
    let resolved = resolve(operation, lapsed, &verdict).await;
    if let Ok(Resolved::Done) = resolved {
        operation.claims.waiters.wake(&operation.id);
    }
    resolved
}

/// Records that the answer is not kept, where the store takes other writes and has refused this one in as many retries
/// as it takes to be the answer's fault. Each of them asks the recovery again. `None` if it is too early, or refused
/// too.
async fn finish_with_less(
    operation: &Operation,
    lapsed: &Lapsed,
    finished: &Finished,
    guard: &HeldClaim,
    error: &StoreError,
) -> Option<Finished> {
    let mut lessened = finished.lessened();
    if lessened.is_none() || error.kind() == StoreErrorKind::Full || !guard.can_write().await {
        return None;
    }
    let sightings = &operation.claims.sightings;
    if !sightings.is_at_fault(&operation.id, &lapsed.attempt) {
        return None;
    }
    while let Some(less) = lessened {
        if let Ok(Resolved::Done) = decree(operation, lapsed, &less).await {
            incident(Incident::ValueRefused, &operation.id, &Chain(error));
            return Some(less);
        }
        lessened = less.lessened();
    }
    None
}

/// The same under a claim of this request's own, where the one that was asked about is gone: to run the
/// handler would repeat what is known to have happened.
async fn finish_anew(
    operation: &Operation,
    lapsed: Lapsed,
    finished: Finished,
    seat: Seat,
) -> Option<Turn> {
    let options = &operation.options;
    let asked = Moment::now();
    let claim = operation
        .claim(asked)
        .with_generation(lapsed.next_generation());
    let call = || operation.claims.store.begin(&operation.id, &claim);
    let claim = match guarded(options.store_timeout(), call).await {
        Ok(Begun::Claimed { generation }) => claim.with_generation(generation),
        Ok(Begun::Found(_)) => return None,
        Err(error) => return Some(Turn::refused(operation, claim, &error)),
    };
    let held = take_up(operation, claim, asked, seat, Grant::ByStore);
    if held.is_late() && !held.confirm().await {
        return Some(Turn::rejected(operation, Problem::StoreUnavailable));
    }
    let response = match held.complete(&finished, options.kept_for()).await {
        Recorded::Refused => operation.told(held.found().await),
        Recorded::Stored => operation.told(State::Finished(finished)),
        Recorded::TooOld | Recorded::Failed => {
            let mut response = operation.told(State::Finished(finished));
            mark_unstored(response.headers_mut());
            response
        }
    };
    Some(Turn::Answer(response))
}
