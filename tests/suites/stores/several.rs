//! Stores over the same records, as replicas have them: each step goes to the next one.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use idempotency_actix::store::{
    AttemptId, Begun, Claim, Completion, Finished, Record, RecordId, Released, Renewed, Resolved,
    Store, StoreError, Verdict,
};

pub struct Several<S> {
    stores: Vec<S>,
    next: AtomicUsize,
}

impl<S> Several<S> {
    pub fn new(stores: Vec<S>) -> Self {
        let next = AtomicUsize::new(0);
        Self { stores, next }
    }

    fn next(&self) -> &S {
        &self.stores[self.next.fetch_add(1, SeqCst) % self.stores.len()]
    }
}

impl<S: Store> Store for Several<S> {
    async fn begin(&self, id: &RecordId, claim: &Claim) -> Result<Begun, StoreError> {
        self.next().begin(id, claim).await
    }

    async fn renew(&self, id: &RecordId, claim: &Claim) -> Result<Renewed, StoreError> {
        self.next().renew(id, claim).await
    }

    async fn complete(
        &self,
        id: &RecordId,
        claim: &Claim,
        finished: &Finished,
        ttl: Duration,
    ) -> Result<Completion, StoreError> {
        self.next().complete(id, claim, finished, ttl).await
    }

    async fn release(&self, id: &RecordId, claim: &Claim) -> Result<Released, StoreError> {
        self.next().release(id, claim).await
    }

    async fn inspect(&self, id: &RecordId) -> Result<Option<Record>, StoreError> {
        self.next().inspect(id).await
    }

    async fn resolve(
        &self,
        id: &RecordId,
        seen: &AttemptId,
        verdict: &Verdict,
    ) -> Result<Resolved, StoreError> {
        self.next().resolve(id, seen, verdict).await
    }
}
