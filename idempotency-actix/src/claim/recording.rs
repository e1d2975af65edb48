//! One try to record an answer. It does not know who tries again, nor what a client is told.

use std::time::Duration;

use super::deadline::deadline;
use super::lease::Lease;
use crate::store::{Completion, ErasedStore, Finished};
use crate::telemetry::{Chain, Incident, incident};

/// What became of one try to record an answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Recorded {
    Stored,
    /// Another attempt or a verdict owns the record.
    Refused,
    /// So much time has passed that an absent record may be another attempt's.
    TooOld,
    /// Nobody knows; it may be tried again.
    Failed,
}

/// Tries once to record an answer. Never again after an answer that says yes or no.
pub(crate) async fn record(
    store: &dyn ErasedStore,
    lease: &Lease,
    finished: &Finished,
    ttl: Duration,
    timeout: Duration,
) -> Recorded {
    if !lease.may_record() {
        let cause = "the claim's retention has passed since its last sign of life";
        incident(Incident::CompleteDropped, lease, &cause);
        return Recorded::TooOld;
    }
    let call = store.complete(&lease.id, &lease.claim, finished, ttl);
    match deadline(timeout, call).await {
        Ok(Completion::Recorded) => Recorded::Stored,
        Ok(Completion::RecordedAbsent) => {
            let cause = "the store had lost the claim, and has the answer now";
            incident(Incident::RecordedAbsent, lease, &cause);
            Recorded::Stored
        }
        Ok(Completion::Refused) => {
            let cause = "another attempt or a verdict owns the record";
            incident(Incident::CompleteRefused, lease, &cause);
            Recorded::Refused
        }
        Err(error) => {
            incident(Incident::CompleteFailed, lease, &Chain(&error));
            Recorded::Failed
        }
    }
}
