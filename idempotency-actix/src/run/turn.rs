//! What a request does next, chosen by what the store said: run, answer or wait. It asks the store nothing.

use std::sync::Arc;
use std::time::Instant;

use actix_web::HttpResponse;

use super::bar::Bar;
use super::context::Run;
use super::operation::Operation;
use crate::answer::{Problem, reject};
use crate::claim::{Grant, HeldClaim, Lease, Moment, Seat};
use crate::store::{Claim, RecordId, State, StoreError, StoreErrorKind};
use crate::telemetry::{Chain, Incident, incident};

/// What a request is to do next.
pub(super) enum Turn<H = HeldClaim> {
    /// It holds the claim.
    Run(H),
    Answer(HttpResponse),
    /// Another attempt is at it. Its route lets it wait for a change, which will come at that time if
    /// there is one.
    Wait(Option<Instant>),
}

impl<H> Turn<H> {
    /// A retry is told what the record holds.
    pub(super) fn told(operation: &Operation, state: State) -> Self {
        Self::Answer(operation.told(state))
    }

    pub(super) fn rejected(operation: &Operation, problem: Problem) -> Self {
        Self::Answer(reject(problem, &operation.options.problem_base))
    }

    /// Has a request wait if it may, and tells it to come again if not.
    pub(super) fn busy(operation: &Operation, change: Option<Instant>) -> Self {
        if operation.options.wait.is_zero() {
            return Self::told(operation, State::InFlight);
        }
        operation.retries();
        Self::Wait(change)
    }

    /// It may not run, and there is no record to answer from.
    pub(super) fn barred(operation: &Operation, bar: Bar) -> Self {
        match bar {
            Bar::Quota => Self::over_quota(operation),
            Bar::Drain => Self::rejected(operation, Problem::Draining),
        }
    }

    /// A retry that waits goes on, and anything else is told to come again.
    pub(super) fn over_quota(operation: &Operation) -> Self {
        match operation.is_retry() {
            true => Self::busy(operation, None),
            false => Self::rejected(operation, Problem::QuotaExceeded),
        }
    }

    /// The store could not be asked.
    pub(super) fn unavailable(operation: &Operation, error: &StoreError) -> Self {
        incident(Incident::ClaimFailed, &operation.id, &Chain(error));
        Self::rejected(operation, Problem::StoreUnavailable)
    }

    /// The store did not grant a claim; sees to it that none is left behind.
    pub(super) fn refused(operation: &Operation, claim: Claim, error: &StoreError) -> Self {
        release_ungranted(operation, operation.id, claim, error);
        Self::unavailable(operation, error)
    }
}

/// Takes up a claim that the store granted, or that it is asked for while the handler runs.
pub(super) fn take_up(
    operation: &Operation,
    claim: Claim,
    asked: Moment,
    seat: Seat,
    grant: Grant,
) -> HeldClaim {
    let (options, generation) = (&operation.options, claim.generation());
    let lease = Lease::new(operation.id, claim, seat, asked, grant, options.max_run());
    let held = HeldClaim::hold(&operation.claims, lease, options.store_timeout());
    let lease = Arc::clone(held.lease());
    operation.context.begin(Run {
        generation,
        lease,
        since: asked.instant(),
    });
    held
}

/// Has a claim released that may have been granted although no answer said so.
pub(super) fn release_ungranted(
    operation: &Operation,
    id: RecordId,
    claim: Claim,
    error: &StoreError,
) {
    if error.kind() == StoreErrorKind::Unavailable {
        let timeout = operation.options.store_timeout();
        operation.claims.retries.release(id, claim, timeout);
    }
}
