//! Who may run: an operation asks the store for the claim, and whatever there is instead is its answer.

use std::time::{Duration, Instant};

use actix_web::{HttpRequest, HttpResponse};

use crate::claim::HeldClaim;
use crate::deadline::deadline;
use crate::layer::{Layer, LayerHandle};
use crate::operation::Operation;
use crate::problem::Problem;
use crate::quota::Seat;
use crate::record_id::RecordId;
use crate::store::{Begun, Claim, Finished, Record, State, StoreError, StoreErrorKind};
use crate::telemetry::{Chain, Incident, Outcome, incident, outcome};
use crate::tenure::{Moment, Tenure};
use crate::unknown;

/// How often a record may change while its fate is decided.
const LOOKS: usize = 8;

/// What a request is to do next.
pub(crate) enum Turn {
    /// It holds the claim.
    Run(HeldClaim),
    Answer(HttpResponse),
    /// Another attempt is at it. Its route lets it wait for a change, which will come at that time if
    /// there is one.
    Wait(Option<Instant>),
}

/// Asks the store for the claim.
pub(crate) async fn begin(
    layer: &LayerHandle,
    operation: &Operation,
    request: &HttpRequest,
) -> Turn {
    for _ in 0..LOOKS {
        if let Some(turn) = look(layer, operation, request).await {
            return turn;
        }
    }
    busy(layer, operation, None)
}

/// One step of the store and what follows from it; `None` if the record changed in the meantime.
async fn look(layer: &LayerHandle, operation: &Operation, request: &HttpRequest) -> Option<Turn> {
    if !operation.has_seat_left(layer) {
        return Box::pin(look_only(layer, operation, request)).await;
    }
    let id = &operation.id;
    let claim = operation.claim();
    let asked = Moment::now();
    let timeout = operation.options.store_timeout();
    match deadline(timeout, layer.store().begin(id, &claim)).await {
        Ok(Begun::Claimed { generation }) => {
            let claim = claim.with_generation(generation);
            let Some(seat) = operation.seat(layer) else {
                // Others have taken the last one while the store was asked.
                layer.outbox().release(*id, claim, timeout);
                return Some(over_quota(layer, operation));
            };
            Some(granted(layer, operation, claim, asked, seat).await)
        }
        Ok(Begun::Found(record)) => found(layer, operation, request, record, true).await,
        Err(error) if operation.options.runs_despite(&error) && !operation.is_retry() => {
            let Some(seat) = operation.seat(layer) else {
                release_ghost(layer, &error, *id, claim, timeout);
                return Some(over_quota(layer, operation));
            };
            incident(Incident::Unprotected, id, &Chain(&error));
            Some(Turn::Run(hold(layer, operation, claim, asked, seat, false)))
        }
        Err(error) => Some(Turn::Answer(refused(layer, operation, claim, &error))),
    }
}

/// The same for a caller who may have no more operations in flight: what is finished is replayed, and
/// nothing is claimed or decided.
async fn look_only(
    layer: &LayerHandle,
    operation: &Operation,
    request: &HttpRequest,
) -> Option<Turn> {
    let call = layer.store().inspect(&operation.id);
    match deadline(operation.options.store_timeout(), call).await {
        Ok(Some(record)) => found(layer, operation, request, record, false).await,
        Ok(None) => Some(over_quota(layer, operation)),
        Err(error) => Some(Turn::Answer(unavailable(layer, operation, &error))),
    }
}

/// A retry that waits goes on, and anything else is told to come again.
pub(crate) fn over_quota(layer: &Layer, operation: &Operation) -> Turn {
    match operation.is_retry() {
        true => busy(layer, operation, None),
        false => Turn::Answer(reject(layer, Problem::QuotaExceeded)),
    }
}

/// Takes up a claim that the store granted. One that took so long that it may be somebody else's by now
/// is renewed first.
pub(crate) async fn granted(
    layer: &LayerHandle,
    operation: &Operation,
    claim: Claim,
    asked: Moment,
    seat: Seat,
) -> Turn {
    let is_late = asked.elapsed() > operation.options.lease / 3;
    let held = hold(layer, operation, claim, asked, seat, true);
    if is_late && !Box::pin(held.confirm()).await {
        return Turn::Answer(reject(layer, Problem::StoreUnavailable));
    }
    Turn::Run(held)
}

fn hold(
    layer: &LayerHandle,
    operation: &Operation,
    claim: Claim,
    asked: Moment,
    seat: Seat,
    is_granted: bool,
) -> HeldClaim {
    let options = &operation.options;
    let max_run = options.max_run();
    let tenure = Tenure::new(operation.id, claim, seat, asked, is_granted, max_run);
    let held = HeldClaim::hold(layer, tenure, options.store_timeout());
    operation.attempt.begin(held.tenure());
    held
}

/// Answers where the store did not grant a claim, and sees to it that none is left behind.
pub(crate) fn refused(
    layer: &Layer,
    operation: &Operation,
    claim: Claim,
    error: &StoreError,
) -> HttpResponse {
    let timeout = operation.options.store_timeout();
    release_ghost(layer, error, operation.id, claim, timeout);
    unavailable(layer, operation, error)
}

/// Has a claim released that may have been granted although no answer said so.
pub(crate) fn release_ghost(
    layer: &Layer,
    error: &StoreError,
    id: RecordId,
    claim: Claim,
    timeout: Duration,
) {
    if error.kind() == StoreErrorKind::Unavailable {
        layer.outbox().release(id, claim, timeout);
    }
}

pub(crate) fn unavailable(
    layer: &Layer,
    operation: &Operation,
    error: &StoreError,
) -> HttpResponse {
    incident(Incident::ClaimFailed, &operation.id, &Chain(error));
    reject(layer, Problem::StoreUnavailable)
}

/// Answers a retry from the record that it found. An unknown outcome is what the route makes of it.
async fn found(
    layer: &LayerHandle,
    operation: &Operation,
    request: &HttpRequest,
    record: Record,
    may_decide: bool,
) -> Option<Turn> {
    let answer = match operation.fingerprint_like(&record.fingerprint, request) {
        None => {
            let cause = "its fingerprint is of a scheme that cannot be computed here";
            incident(Incident::ClaimFailed, &operation.id, &cause);
            reject(layer, Problem::StoreUnavailable)
        }
        Some(ours) if ours != record.fingerprint => {
            outcome(Outcome::Mismatch);
            Problem::KeyReused.response(layer)
        }
        Some(_) => match record.state {
            State::InFlight => return Some(busy(layer, operation, None)),
            State::Unknown { .. } if !may_decide => return Some(over_quota(layer, operation)),
            State::Unknown { lease } => {
                let attempt = record.attempt;
                let seen = unknown::Seen { attempt, lease };
                return Box::pin(unknown::decide(layer, operation, request, seen)).await;
            }
            state => answer(layer, state),
        },
    };
    Some(Turn::Answer(answer))
}

/// Has a request wait if it may, and tells it to come again if not.
pub(crate) fn busy(layer: &Layer, operation: &Operation, change: Option<Instant>) -> Turn {
    match operation.options.wait.is_zero() {
        true => Turn::Answer(answer(layer, State::InFlight)),
        false => {
            operation.retries();
            Turn::Wait(change)
        }
    }
}

pub(crate) fn answer(layer: &Layer, state: State) -> HttpResponse {
    let (label, response) = match state {
        State::InFlight => (Outcome::InFlight, Problem::InFlight.response(layer)),
        State::Unknown { .. } => (Outcome::Unknown, Problem::OutcomeUnknown.response(layer)),
        State::Finished(Finished::Completed(stored)) => (Outcome::Replayed, stored.replay()),
        State::Finished(Finished::NotKept(kept)) => (
            Outcome::NotKept,
            Problem::ResponseNotKept(kept).response(layer),
        ),
    };
    outcome(label);
    response
}

pub(crate) fn reject(layer: &Layer, problem: Problem) -> HttpResponse {
    outcome(Outcome::Rejected);
    problem.response(layer)
}
