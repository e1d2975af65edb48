//! One try to record an answer. It does not know who tries again, nor what a client is told.

use std::time::Duration;

use super::guarded::guarded;
use super::lease::Lease;
use crate::store::{Completion, ErasedStore, Finished, StoreError};
use crate::telemetry::{Chain, Incident, answered, incident};

/// What became of an answer, as its operation goes on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Recorded {
    Stored,
    /// Another attempt or a verdict owns the record.
    Refused,
    /// So much time has passed that an absent record may be another attempt's.
    TooOld,
    /// Nobody knows; it is tried again in the background.
    Failed,
}

/// What became of one try to record an answer.
#[derive(Debug)]
pub(super) enum Tried {
    Stored,
    Refused,
    TooOld,
    Failed(StoreError),
}

impl From<Tried> for Recorded {
    fn from(tried: Tried) -> Self {
        match tried {
            Tried::Stored => Self::Stored,
            Tried::Refused => Self::Refused,
            Tried::TooOld => Self::TooOld,
            Tried::Failed(_) => Self::Failed,
        }
    }
}

/// Tries once to record an answer.
pub(super) async fn record(
    store: &dyn ErasedStore,
    lease: &Lease,
    finished: &Finished,
    ttl: Duration,
    timeout: Duration,
) -> Tried {
    if !lease.may_record()
        && let Some(tried) = Box::pin(is_gone(store, lease, timeout)).await
    {
        return tried;
    }
    let call = || store.complete(&lease.id, &lease.claim, finished, ttl);
    let answer = guarded(timeout, call).await;
    if answer.is_ok() {
        answered();
    }
    match answer {
        Ok(Completion::Recorded) => Tried::Stored,
        Ok(Completion::RecordedAbsent) => {
            let cause = "the store had lost the claim, and has the answer now";
            incident(Incident::RecordedAbsent, lease, &cause);
            Tried::Stored
        }
        Ok(Completion::Refused) => Tried::Refused,
        Err(error) => {
            incident(Incident::CompleteFailed, lease, &Chain(&error));
            Tried::Failed(error)
        }
    }
}

/// Whether the store takes the claim's renewal, which is a write, so that it is not down.
pub(super) async fn can_write(store: &dyn ErasedStore, lease: &Lease, timeout: Duration) -> bool {
    let call = || store.renew(&lease.id, &lease.claim);
    guarded(timeout, call).await.is_ok()
}

/// Looks for the own claim, after so long that an absent record may be one of a later attempt's. A claim that is
/// there is completed, whatever the clocks did.
async fn is_gone(store: &dyn ErasedStore, lease: &Lease, timeout: Duration) -> Option<Tried> {
    match guarded(timeout, || store.inspect(&lease.id)).await {
        Ok(Some(record)) if record.attempt.is_of(lease.claim.token()) => None,
        Ok(_) => {
            let cause =
                "the claim is gone, and its retention has passed since its last sign of life";
            incident(Incident::CompleteDropped, lease, &cause);
            Some(Tried::TooOld)
        }
        Err(error) => {
            incident(Incident::CompleteFailed, lease, &Chain(&error));
            Some(Tried::Failed(error))
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::super::lease::{Grant, Moment};
    use super::super::quota::Seat;
    use super::*;
    use crate::MemoryStore;
    use crate::request::{Fingerprint, RecordId};
    use crate::store::{Begun, Claim, NotKept, State, Store, Token};

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn claim() -> Claim {
        let fingerprint = Fingerprint::new(1, [7; 32]);
        Claim::new(Token::random(), fingerprint, DAY / 10, DAY)
    }

    /// Completes after the wall clock has stepped 25 hours ahead.
    fn complete(store: &MemoryStore, id: RecordId, claim: Claim) -> Tried {
        let asked = Moment::now().before_a_step(DAY + DAY / 24);
        let lease = Lease::new(id, claim, Seat::Uncounted, asked, Grant::ByStore, DAY);
        let finished = Finished::NotKept(NotKept::new(201, None));
        let tried = record(store, &lease, &finished, DAY, DAY).now_or_never();
        tried.expect("memory does not wait")
    }

    fn begin(store: &MemoryStore, id: &RecordId, claim: &Claim) {
        let begun = Store::begin(store, id, claim).now_or_never();
        let begun = begun.expect("memory does not wait").expect("a claim");
        assert!(matches!(begun, Begun::Claimed { .. }));
    }

    #[test]
    fn a_claim_that_the_store_has_is_completed_whatever_the_clock_did() {
        let (store, id, claim) = (MemoryStore::new(), RecordId::from_bytes([1; 32]), claim());
        begin(&store, &id, &claim);
        assert!(matches!(complete(&store, id, claim), Tried::Stored));
        let found = Store::inspect(&store, &id).now_or_never();
        let found = found.expect("memory does not wait").expect("an answer");
        let state = found.map(|record| record.state);
        assert!(matches!(state, Some(State::Finished(_))), "{state:?}");
    }

    #[test]
    fn a_claim_that_is_gone_or_another_s_is_not_completed_so_late() {
        let (store, id) = (MemoryStore::new(), RecordId::from_bytes([1; 32]));
        assert!(matches!(complete(&store, id, claim()), Tried::TooOld));
        assert!(store.is_empty());
        begin(&store, &id, &claim());
        assert!(matches!(complete(&store, id, claim()), Tried::TooOld));
    }
}
