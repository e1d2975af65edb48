//! Who may run: an operation asks the store for the claim, and whatever there is instead is its answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::dev::Payload;
use actix_web::{HttpRequest, HttpResponse};
use futures_util::future::LocalBoxFuture;

use crate::answer::problem::Problem;
use crate::claim::deadline::deadline;
use crate::claim::held::HeldClaim;
use crate::claim::lease::{Moment, Tenure};
use crate::claim::quota::Seat;
use crate::layer::shared::{Layer, LayerHandle};
use crate::request::record_id::RecordId;
use crate::run::context::Run;
use crate::run::operation::Operation;
use crate::run::unknown;
use crate::run::waiting::pause;
use crate::store::{Begun, Claim, Finished, Record, State, StoreError, StoreErrorKind};
use crate::telemetry::{Chain, Incident, Outcome, incident, outcome};

/// How often a record may change while its fate is decided.
const LOOKS: usize = 8;

/// Asks for the right to run, until it is granted or there is an answer instead. Whoever has to wait for it
/// `gives_way`: what it holds may be what the first request waits for.
///
/// The request is committed from the first step that could claim: a claim whose owner is gone would only become
/// unknown. While it waits it may be dropped.
pub(crate) async fn admit(
    layer: &LayerHandle,
    operation: &Operation,
    request: &HttpRequest,
    payload: &mut Payload,
    mut gives_way: impl FnMut(),
) -> Result<HeldClaim, HttpResponse> {
    let commitment = operation.ticket.commitment();
    let mut waiter = None;
    loop {
        commitment.commit();
        let change = match begin(layer, operation, request).await {
            Turn::Run(held) => return Ok(held),
            Turn::Answer(answer) => return Err(answer),
            Turn::Wait(change) => change,
        };
        gives_way();
        if !commitment.withdraw() {
            // Nobody is there to be told, or to be counted.
            return Err(Problem::InFlight.response(layer));
        }
        if !Box::pin(pause(&mut waiter, layer, operation, payload, change)).await {
            return Err(answer(layer, State::InFlight));
        }
    }
}

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
async fn begin(layer: &LayerHandle, operation: &Operation, request: &HttpRequest) -> Turn {
    for _ in 0..LOOKS {
        // The future of every request is as large as its longest way, so what is rare is boxed.
        let rare: LocalBoxFuture<'_, Option<Turn>> = match look(layer, operation, request).await {
            Next::Turn(turn) => return turn,
            Next::Late(held) => Box::pin(async { Some(confirm(layer, held).await) }),
            Next::Unknown(seen) => Box::pin(unknown::decide(layer, operation, request, seen)),
            Next::Full => Box::pin(look_only(layer, operation, request)),
        };
        if let Some(turn) = rare.await {
            return turn;
        }
    }
    busy(layer, operation, None)
}

/// What follows from a step of the store.
enum Next {
    Turn(Turn),
    /// The claim took so long that it may be somebody else's by now.
    Late(HeldClaim),
    Unknown(unknown::Seen),
    /// The caller may have no more operations in flight.
    Full,
}

async fn look(layer: &LayerHandle, operation: &Operation, request: &HttpRequest) -> Next {
    if !operation.has_seat_left(layer) {
        return Next::Full;
    }
    let claim = operation.claim();
    let asked = Moment::now();
    let (id, timeout) = (&operation.id, operation.options.store_timeout());
    let begun = deadline(timeout, layer.store().begin(id, &claim)).await;
    match begun {
        Ok(Begun::Claimed { generation }) => {
            let claim = claim.with_generation(generation);
            let Some(seat) = operation.seat(layer) else {
                // Others have taken the last one while the store was asked.
                layer.outbox().release(*id, claim, timeout);
                return Next::Turn(over_quota(layer, operation));
            };
            let held = take_up(layer, operation, claim, asked, seat, true);
            match held.is_late() {
                true => Next::Late(held),
                false => Next::Turn(Turn::Run(held)),
            }
        }
        Ok(Begun::Found(record)) => match found(layer, operation, request, record) {
            Ok(turn) => Next::Turn(turn),
            Err(seen) => Next::Unknown(seen),
        },
        Err(error) if operation.options.runs_despite(&error) && !operation.is_retry() => {
            let Some(seat) = operation.seat(layer) else {
                release_ghost(layer, &error, *id, claim, timeout);
                return Next::Turn(over_quota(layer, operation));
            };
            incident(Incident::Unprotected, id, &Chain(&error));
            let held = take_up(layer, operation, claim, asked, seat, false);
            Next::Turn(Turn::Run(held))
        }
        Err(error) => Next::Turn(Turn::Answer(refused(layer, operation, claim, &error))),
    }
}

/// The same where nothing may be claimed or decided: what is finished is replayed.
async fn look_only(
    layer: &LayerHandle,
    operation: &Operation,
    request: &HttpRequest,
) -> Option<Turn> {
    let call = layer.store().inspect(&operation.id);
    let looked = deadline(operation.options.store_timeout(), call).await;
    Some(match looked {
        Ok(Some(record)) => found(layer, operation, request, record)
            .unwrap_or_else(|_| over_quota(layer, operation)),
        Ok(None) => over_quota(layer, operation),
        Err(error) => Turn::Answer(unavailable(layer, operation, &error)),
    })
}

/// A retry that waits goes on, and anything else is told to come again.
pub(crate) fn over_quota(layer: &Layer, operation: &Operation) -> Turn {
    match operation.is_retry() {
        true => busy(layer, operation, None),
        false => Turn::Answer(reject(layer, Problem::QuotaExceeded)),
    }
}

/// Renews a granted claim before its handler starts, if it is late.
pub(crate) async fn confirm(layer: &Layer, held: HeldClaim) -> Turn {
    match !held.is_late() || held.confirm().await {
        true => Turn::Run(held),
        false => Turn::Answer(reject(layer, Problem::StoreUnavailable)),
    }
}

/// Takes up a claim that the store granted, or that it is asked for while the handler runs.
pub(crate) fn take_up(
    layer: &LayerHandle,
    operation: &Operation,
    claim: Claim,
    asked: Moment,
    seat: Seat,
    is_granted: bool,
) -> HeldClaim {
    let (options, generation) = (&operation.options, claim.generation());
    let max_run = options.max_run();
    let tenure = Tenure::new(operation.id, claim, seat, asked, is_granted, max_run);
    let held = HeldClaim::hold(layer, tenure, options.store_timeout());
    let tenure = Arc::clone(held.tenure());
    operation.ticket.begin(Run { generation, tenure });
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

/// Answers a retry from the record that it found, unless its outcome is unknown.
fn found(
    layer: &Layer,
    operation: &Operation,
    request: &HttpRequest,
    record: Record,
) -> Result<Turn, unknown::Seen> {
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
            State::InFlight => return Ok(busy(layer, operation, None)),
            State::Unknown { lease } => {
                let attempt = record.attempt;
                return Err(unknown::Seen { attempt, lease });
            }
            state => answer(layer, state),
        },
    };
    Ok(Turn::Answer(answer))
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
