//! A store that fails when it is told. It does not know who asks.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::store::{
    AttemptId, Begun, Claim, Completion, Cursor, Finished, Page, Record, RecordId, Released,
    Renewed, Resolved, Store, StoreError, Verdict,
};

/// A call to a store that may fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Call {
    /// [`Store::begin`]: a claim is asked for, by a first request and by every retry.
    Begin,
    /// [`Store::renew`]: a handler runs for longer than a third of its lease.
    Renew,
    /// [`Store::complete`]: an answer is recorded.
    Complete,
    /// [`Store::release`]: a handler did not act.
    Release,
    /// [`Store::inspect`]: somebody looks.
    Inspect,
    /// [`Store::resolve`]: an outcome that is unknown is decided about.
    Resolve,
}

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The store says no, and nothing is written.
    Refuse,
    /// Nothing is written, and no answer ever comes: the layer gives up after its
    /// [`store_timeout`](crate::IdempotencyBuilder::store_timeout). Give it a short one.
    TimeOut,
    /// What was asked for is written, and the answer is lost.
    LoseReply,
}

/// A store that fails when a test tells it to, and else does what the one behind it does.
///
/// Clones are handles to the same store.
///
/// # Examples
///
/// ```
/// use idempotency_actix::testing::{Call, FaultyStore, Fault};
/// use idempotency_actix::{Idempotency, KeyScope, MemoryStore};
///
/// let store = FaultyStore::new(MemoryStore::new());
/// let idempotency = Idempotency::new(store.clone(), KeyScope::everyone());
/// store.fail_next(Call::Begin, Fault::Refuse); // the next request with a key is answered 503
/// # let _ = idempotency;
/// ```
pub struct FaultyStore<S>(Arc<Inner<S>>);

struct Inner<S> {
    store: S,
    faults: Mutex<Faults>,
}

#[derive(Debug, Default)]
struct Faults {
    next: HashMap<Call, VecDeque<Fault>>,
    always: HashMap<Call, Fault>,
}

impl<S: Store> FaultyStore<S> {
    /// A store that does not fail yet.
    pub fn new(store: S) -> Self {
        Self(Arc::new(Inner {
            store,
            faults: Mutex::default(),
        }))
    }

    /// Has the next such call fail, or the one after those that were told so before.
    pub fn fail_next(&self, call: Call, fault: Fault) {
        let mut faults = self.0.faults();
        faults.next.entry(call).or_default().push_back(fault);
    }

    /// Has every such call fail from now on, until it is to [heal](Self::heal).
    pub fn fail_always(&self, call: Call, fault: Fault) {
        self.0.faults().always.insert(call, fault);
    }

    /// Has no call fail any more.
    pub fn heal(&self) {
        *self.0.faults() = Faults::default();
    }

    async fn answer<T>(
        &self,
        call: Call,
        applied: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let fault = self.0.faults().take(call);
        match fault {
            None => applied.await,
            Some(Fault::Refuse) => Err(StoreError::refused("the test says so")),
            Some(Fault::TimeOut) => pending().await,
            Some(Fault::LoseReply) => {
                applied.await?;
                Err(StoreError::unavailable("the test has lost the answer"))
            }
        }
    }
}

impl<S> Inner<S> {
    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Faults {
    fn take(&mut self, call: Call) -> Option<Fault> {
        let next = self.next.get_mut(&call).and_then(VecDeque::pop_front);
        next.or_else(|| self.always.get(&call).copied())
    }
}

impl<S> Clone for FaultyStore<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// Shows what is to fail.
impl<S> fmt::Debug for FaultyStore<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults = self.0.faults();
        f.debug_struct("FaultyStore")
            .field("next", &faults.next)
            .field("always", &faults.always)
            .finish_non_exhaustive()
    }
}

impl<S: Store> Store for FaultyStore<S> {
    async fn begin(&self, id: &RecordId, claim: &Claim) -> Result<Begun, StoreError> {
        let begin = self.0.store.begin(id, claim);
        self.answer(Call::Begin, begin).await
    }

    async fn renew(&self, id: &RecordId, claim: &Claim) -> Result<Renewed, StoreError> {
        let renew = self.0.store.renew(id, claim);
        self.answer(Call::Renew, renew).await
    }

    async fn complete(
        &self,
        id: &RecordId,
        claim: &Claim,
        finished: &Finished,
        ttl: Duration,
    ) -> Result<Completion, StoreError> {
        let complete = self.0.store.complete(id, claim, finished, ttl);
        self.answer(Call::Complete, complete).await
    }

    async fn release(&self, id: &RecordId, claim: &Claim) -> Result<Released, StoreError> {
        let release = self.0.store.release(id, claim);
        self.answer(Call::Release, release).await
    }

    async fn inspect(&self, id: &RecordId) -> Result<Option<Record>, StoreError> {
        let inspect = self.0.store.inspect(id);
        self.answer(Call::Inspect, inspect).await
    }

    async fn resolve(
        &self,
        id: &RecordId,
        seen: &AttemptId,
        verdict: &Verdict,
    ) -> Result<Resolved, StoreError> {
        let resolve = self.0.store.resolve(id, seen, verdict);
        self.answer(Call::Resolve, resolve).await
    }

    async fn unknown(&self, after: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
        self.0.store.unknown(after, limit).await
    }

    async fn changed(&self, id: &RecordId) {
        self.0.store.changed(id).await;
    }

    async fn health(&self) -> Result<(), StoreError> {
        self.0.store.health().await
    }

    fn timeout(&self) -> Option<Duration> {
        self.0.store.timeout()
    }
}
