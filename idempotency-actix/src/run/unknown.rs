//! What a route makes of an outcome that nobody knows: the handler runs again, or a recovery finds out.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use actix_web::{Error, HttpMessage, HttpRequest};
use futures_util::FutureExt;
use tokio::time::timeout;

use crate::claim::deadline::deadline;
use crate::claim::held::{Completed, HeldClaim};
use crate::claim::lease::{Moment, Tenure};
use crate::claim::quota::Seat;
use crate::layer::shared::LayerHandle;
use crate::options::recovery::{Recover, Recovery};
use crate::options::resolved::Unknown;
use crate::request::key::IdempotencyKey;
use crate::run::admission::{
    Turn, answer, busy, confirm, over_quota, refused, release_ghost, take_up, unavailable,
};
use crate::run::context::Run;
use crate::run::finish;
use crate::run::operation::Operation;
use crate::store::{
    AttemptId, Begun, Claim, Finished, Resolved, State, StoreError, Token, Verdict,
};

/// A lapsed claim, as it was found.
#[derive(Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) attempt: AttemptId,
    pub(crate) lease: Duration,
}

impl Seen {
    fn state(&self) -> State {
        State::Unknown { lease: self.lease }
    }

    fn next_generation(&self) -> u64 {
        self.attempt.generation().saturating_add(1)
    }
}

/// Decides by the route's choice, once it may and there is a seat for a run; `None` if the record changed
/// in the meantime.
pub(crate) async fn decide(
    layer: &LayerHandle,
    operation: &Operation,
    request: &HttpRequest,
    seen: Seen,
) -> Option<Turn> {
    let function = match &operation.options.unknown {
        Unknown::Reject => return Some(Turn::Answer(answer(layer, seen.state()))),
        Unknown::Rerun => None,
        Unknown::Recover(function) => Some(&**function),
    };
    let sightings = layer.sightings();
    let ripe = sightings.ripens(&operation.id, &seen.attempt, seen.lease / 2);
    if ripe.is_some() {
        return Some(busy(layer, operation, ripe));
    }
    let Some(seat) = operation.seat(layer) else {
        return Some(over_quota(layer, operation));
    };
    match function {
        None => take_over(layer, operation, seen, seat).await,
        Some(function) => recover(layer, operation, request, function, seen, seat).await,
    }
}

/// Takes the claim over, one generation higher, with no absent in between.
async fn take_over(
    layer: &LayerHandle,
    operation: &Operation,
    seen: Seen,
    seat: Seat,
) -> Option<Turn> {
    let claim = operation.claim().with_generation(seen.next_generation());
    let asked = Moment::now();
    let verdict = Verdict::TakeOver(claim.clone());
    match resolve(layer, operation, &seen, &verdict).await {
        Ok(Resolved::Done) => {
            let generation = claim.generation();
            tracing::warn!(record = ?operation.id, generation, "a claim of unknown outcome is taken over");
            let held = take_up(layer, operation, claim, asked, seat, true);
            Some(confirm(layer, held).await)
        }
        Ok(Resolved::Refused) => None,
        Err(error) => Some(Turn::Answer(refused(layer, operation, claim, &error))),
    }
}

async fn resolve(
    layer: &LayerHandle,
    operation: &Operation,
    seen: &Seen,
    verdict: &Verdict,
) -> Result<Resolved, StoreError> {
    let call = layer.store().resolve(&operation.id, &seen.attempt, verdict);
    deadline(operation.options.store_timeout(), call).await
}

/// Asks the recovery, one at a time, and makes its finding the record.
async fn recover(
    layer: &LayerHandle,
    operation: &Operation,
    request: &HttpRequest,
    function: &dyn Recover,
    seen: Seen,
    seat: Seat,
) -> Option<Turn> {
    let guard = match claim_recovery(layer, operation).await {
        Ok(Some(guard)) => guard,
        Ok(None) => return Some(busy(layer, operation, None)),
        Err(error) => return Some(Turn::Answer(unavailable(layer, operation, &error))),
    };
    let turn = match ask(operation, request, function, &seen, &guard).await {
        Finding::Finished(finished) => finish(layer, operation, seen, finished, seat).await,
        Finding::NotExecuted => take_over(layer, operation, seen, seat).await,
        Finding::StillUnknown => Some(Turn::Answer(answer(layer, seen.state()))),
    };
    guard.release().await;
    turn
}

/// Claims the right to find out. `None` if somebody else is at it.
///
/// The owner's own claim stays untouched: its late answer counts until there is a verdict.
async fn claim_recovery(
    layer: &LayerHandle,
    operation: &Operation,
) -> Result<Option<HeldClaim>, StoreError> {
    let (id, options) = (operation.id.of_recovery(), &operation.options);
    let lease = options.lease;
    let claim = Claim::new(Token::random(), operation.fingerprint, lease, lease * 3);
    let asked = Moment::now();
    let timeout = options.store_timeout();
    for _ in 0..2 {
        let record = match deadline(timeout, layer.store().begin(&id, &claim)).await {
            Ok(Begun::Claimed { .. }) => {
                let (seat, max_run) = (Seat::Uncounted, options.max_run());
                let tenure = Tenure::new(id, claim, seat, asked, true, max_run);
                return Ok(Some(HeldClaim::hold(layer, tenure, timeout)));
            }
            Ok(Begun::Found(record)) => record,
            Err(error) => {
                release_ghost(layer, &error, id, claim, timeout);
                return Err(error);
            }
        };
        // Whoever asked before has died, and asking twice does no harm.
        let State::Unknown { .. } = record.state else {
            break;
        };
        let call = layer
            .store()
            .resolve(&id, &record.attempt, &Verdict::NotExecuted);
        deadline(timeout, call).await?;
    }
    Ok(None)
}

/// What a recovery found, its answer as a record keeps it.
enum Finding {
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
    seen: &Seen,
    guard: &HeldClaim,
) -> Finding {
    let ticket = operation.ticket.of(Run {
        generation: seen.next_generation(),
        tenure: Arc::clone(guard.tenure()),
    });
    let key = IdempotencyKey::of(&Arc::new(ticket));
    let of_handler = request.extensions_mut().insert(key);
    let options = &operation.options;
    let call = async {
        let recovery = function.call(request, operation.body.clone()).await?;
        Ok::<_, Error>(match recovery {
            Recovery::Completed(mut response) => {
                Finding::Finished(finish::capture_whole(&mut response, options).await)
            }
            Recovery::NotExecuted => Finding::NotExecuted,
            Recovery::StillUnknown => Finding::StillUnknown,
        })
    };
    let call = timeout(options.lease, AssertUnwindSafe(call).catch_unwind()).await;
    if let Some(of_handler) = of_handler {
        request.extensions_mut().insert(of_handler);
    }
    let record = &operation.id;
    match call {
        Ok(Ok(Ok(finding))) => return finding,
        Ok(Ok(Err(error))) => {
            tracing::error!(?record, %error, "the arguments of a recovery could not be extracted");
        }
        Ok(Err(_)) => tracing::error!(?record, "a recovery panicked"),
        Err(_) => tracing::error!(?record, "a recovery took longer than the lease"),
    }
    Finding::StillUnknown
}

/// Makes an answer that was found the record, and gives it to this retry like to all that follow.
async fn finish(
    layer: &LayerHandle,
    operation: &Operation,
    seen: Seen,
    finished: Finished,
    seat: Seat,
) -> Option<Turn> {
    let verdict = Verdict::Finished(finished.clone(), operation.options.ttl);
    match resolve(layer, operation, &seen, &verdict).await {
        Ok(Resolved::Done) => {
            layer.waiters().wake(&operation.id);
            Some(Turn::Answer(answer(layer, State::Finished(finished))))
        }
        Ok(Resolved::Refused) => finish_anew(layer, operation, seen, finished, seat).await,
        Err(error) => Some(Turn::Answer(unavailable(layer, operation, &error))),
    }
}

/// The same under a claim of this request's own, where the one that was asked about is gone: to run the
/// handler would repeat what is known to have happened.
async fn finish_anew(
    layer: &LayerHandle,
    operation: &Operation,
    seen: Seen,
    finished: Finished,
    seat: Seat,
) -> Option<Turn> {
    let options = &operation.options;
    let claim = operation.claim().with_generation(seen.next_generation());
    let asked = Moment::now();
    let call = layer.store().begin(&operation.id, &claim);
    let claim = match deadline(options.store_timeout(), call).await {
        Ok(Begun::Claimed { generation }) => claim.with_generation(generation),
        Ok(Begun::Found(_)) => return None,
        Err(error) => return Some(Turn::Answer(refused(layer, operation, claim, &error))),
    };
    let held = take_up(layer, operation, claim, asked, seat, true);
    let held = match confirm(layer, held).await {
        Turn::Run(held) => held,
        other => return Some(other),
    };
    let mut response = match held.complete(&finished, options.ttl).await {
        Completed::Refused(state) => return Some(Turn::Answer(answer(layer, state))),
        Completed::Stored => return Some(Turn::Answer(answer(layer, State::Finished(finished)))),
        Completed::Unstored => answer(layer, State::Finished(finished)),
    };
    finish::mark_unstored(&mut response);
    Some(Turn::Answer(response))
}
