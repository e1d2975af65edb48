//! Stores over the same records, as replicas have them: each step goes to the next one.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use idempotency_actix::store::{
    AttemptId, Begun, Claim, Committed, Completion, Cursor, Finished, Opened, Page, Record,
    RecordId, Recording, Released, Renewed, Resolved, RolledBack, Store, StoreError,
    TransactionOptions, Transactions, Verdict,
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
        &self.stores[self.turn()]
    }

    fn turn(&self) -> usize {
        self.next.fetch_add(1, SeqCst) % self.stores.len()
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

    async fn unknown(&self, after: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
        self.next().unknown(after, limit).await
    }
}

/// A transaction with the store that it is ended by.
pub struct Of<T> {
    store: usize,
    pub transaction: T,
}

impl<S: Transactions> Transactions for Several<S> {
    type Transaction = Of<S::Transaction>;

    async fn open(
        &self,
        id: &RecordId,
        claim: &Claim,
        options: &TransactionOptions,
    ) -> Result<Opened<Self::Transaction>, StoreError> {
        let store = self.turn();
        Ok(match self.stores[store].open(id, claim, options).await? {
            Opened::Claimed {
                transaction,
                generation,
            } => Opened::claimed(Of { store, transaction }, generation),
            Opened::Found(record) => Opened::Found(record),
            _ => Opened::Busy,
        })
    }

    async fn open_plain(
        &self,
        options: &TransactionOptions,
    ) -> Result<Self::Transaction, StoreError> {
        let store = self.turn();
        let transaction = self.stores[store].open_plain(options).await?;
        Ok(Of { store, transaction })
    }

    async fn commit(&self, of: Self::Transaction, recording: Option<Recording<'_>>) -> Committed {
        let store = &self.stores[of.store];
        store.commit(of.transaction, recording).await
    }

    async fn roll_back(&self, of: Self::Transaction) -> RolledBack {
        let store = &self.stores[of.store];
        store.roll_back(of.transaction).await
    }
}
