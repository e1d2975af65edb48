//! What the layer tells its operator: one outcome a request, and loud incidents.
//!
//! Neither ever shows a key, a scope, a header or a body; a record is named by a short hash.

use std::error::Error;
use std::fmt;

/// How a covered request was answered: the label of `idempotency_requests_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    First,
    Replayed,
    InFlight,
    Mismatch,
    Unknown,
    NotKept,
    Released,
    Rejected,
}

impl Outcome {
    fn label(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Replayed => "replayed",
            Self::InFlight => "in_flight",
            Self::Mismatch => "mismatch",
            Self::Unknown => "unknown",
            Self::NotKept => "not_kept",
            Self::Released => "released",
            Self::Rejected => "rejected",
        }
    }
}

pub(crate) fn outcome(outcome: Outcome) {
    let label = outcome.label();
    tracing::debug!(outcome = label, "idempotent request answered");
    #[cfg(feature = "metrics")]
    metrics::counter!("idempotency_requests_total", "outcome" => label).increment(1);
}

/// What must not happen in a healthy service: the label of `idempotency_incidents_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Incident {
    /// The store did not grant or refuse a claim; the client got 503.
    ClaimFailed,
    /// The handler runs without a claim, as its route chose for a store that is down.
    Unprotected,
    /// A finished answer could not be recorded in time; it is retried in the background.
    CompleteFailed,
    /// A finished answer was refused: another attempt or a verdict owns the record.
    CompleteRefused,
    /// The store had lost the claim; the answer was recorded all the same.
    RecordedAbsent,
    /// A finished answer was given up: too old, or too many of them wait.
    CompleteDropped,
    /// A claim could not be released in time; it is retried in the background.
    ReleaseFailed,
    /// A claim was left to become unknown: too many of them wait for their release, or for too long.
    ReleaseDropped,
    /// A running handler's claim is no longer its own.
    ClaimLost,
    /// A handler runs longer than `max_run`; its claim is not renewed any more.
    RanTooLong,
    /// A claimed handler was cut off by what stands between it and its layer, or by the end of the server.
    CutOff,
    /// Work that has to outlive its connection found no runtime to go to.
    Abandoned,
}

impl Incident {
    fn label(self) -> &'static str {
        match self {
            Self::ClaimFailed => "claim_failed",
            Self::Unprotected => "unprotected",
            Self::CompleteFailed => "complete_failed",
            Self::CompleteRefused => "complete_refused",
            Self::RecordedAbsent => "recorded_absent",
            Self::CompleteDropped => "complete_dropped",
            Self::ReleaseFailed => "release_failed",
            Self::ReleaseDropped => "release_dropped",
            Self::ClaimLost => "claim_lost",
            Self::RanTooLong => "ran_too_long",
            Self::CutOff => "cut_off",
            Self::Abandoned => "abandoned",
        }
    }
}

/// Counts an incident and logs it as an error, with its subject and its cause.
pub(crate) fn incident(incident: Incident, subject: &dyn fmt::Debug, cause: &dyn fmt::Display) {
    let label = incident.label();
    tracing::error!(incident = label, ?subject, %cause, "idempotency incident");
    #[cfg(feature = "metrics")]
    metrics::counter!("idempotency_incidents_total", "kind" => label).increment(1);
}

/// An error with its causes, for a log line.
pub(crate) struct Chain<'a>(pub(crate) &'a dyn Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
