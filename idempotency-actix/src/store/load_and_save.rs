//! Stores that are load and save: one transaction is all that their author writes. It knows no database.

use std::future::Future;
use std::time::Duration;

use super::{
    AttemptId, Begun, Claim, Completion, Cursor, Finished, Loaded, Page, Record, RecordId,
    Released, Renewed, Resolved, Step, Store, StoreError, UnknownOutcome, Verdict,
};

/// A database that keeps octets under an id, in transactions. It is a [`Store`] by that.
///
/// # Examples
///
/// A whole store, whose lock stands for a transaction:
///
/// ```
/// use std::collections::HashMap;
/// use std::sync::{Mutex, PoisonError};
/// use std::time::SystemTime;
///
/// use actix_web::web::Bytes;
/// use idempotency_actix::store::{
///     Change, LoadAndSave, Loaded, RecordCodec, RecordId, Step, StoreError,
/// };
/// use idempotency_actix::{Idempotency, KeyScope};
///
/// #[derive(Default)]
/// struct MapStore {
///     codec: RecordCodec,
///     rows: Mutex<HashMap<RecordId, Bytes>>,
/// }
///
/// impl LoadAndSave for MapStore {
///     async fn step<T: Send + 'static>(
///         &self,
///         id: &RecordId,
///         take: impl Fn(Loaded<'_>) -> Result<Step<T>, StoreError> + Send + Sync + 'static,
///     ) -> Result<T, StoreError> {
///         let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
///         let loaded = Loaded::new(&self.codec, id, rows.get(id).cloned(), SystemTime::now());
///         let step = take(loaded)?;
///         match step.change {
///             Change::Nothing => None,
///             Change::Save(saved) => rows.insert(*id, saved.octets.into()),
///             Change::Remove => rows.remove(id),
///         };
///         Ok(step.answer)
///     }
/// }
///
/// let idempotency = Idempotency::new(MapStore::default(), KeyScope::everyone());
/// ```
///
/// The repository's `examples/custom_store` has one on an embedded database, which lists unknown outcomes, wakes those who
/// wait, and drops what is over. The suite in `store::conformance` (feature `conformance`) tells whether a transaction is one.
pub trait LoadAndSave: Send + Sync + 'static {
    /// Takes a step on what is stored under an id, in **one transaction** that no other on the same id overlaps.
    ///
    /// It reads the octets, makes a [`Loaded`] of them and of the present time, takes the step, and does what its
    /// [change](Step::change) says. Where the database gives the transaction up for another's sake, all of that is done
    /// again. The answer is given after the commit. A step that changes nothing may be taken by reading alone.
    ///
    /// # Errors
    ///
    /// That of the step, upon which nothing is written, and those of the database: [`StoreError::refused`] where nothing was
    /// committed for certain, and else [`StoreError::unavailable`].
    fn step<T: Send + 'static>(
        &self,
        id: &RecordId,
        take: impl Fn(Loaded<'_>) -> Result<Step<T>, StoreError> + Send + Sync + 'static,
    ) -> impl Future<Output = Result<T, StoreError>> + Send;

    /// All that [`Loaded::unknown`] tells now, in any order. [`Saved::unknown_from`](super::Saved::unknown_from) tells which
    /// records to look at.
    ///
    /// By default it is [`StoreError::unsupported`], which operators are told.
    fn outcomes(&self) -> impl Future<Output = Result<Vec<UnknownOutcome>, StoreError>> + Send {
        std::future::ready(Err(StoreError::unsupported()))
    }

    /// Resolves when the record may have changed: a hint for those who wait, as [`Wakeups`](super::Wakeups) give it.
    ///
    /// By default it never does, and polling is all there is.
    fn woken(&self, _id: &RecordId) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }
}

impl<S: LoadAndSave> Store for S {
    async fn begin(&self, id: &RecordId, claim: &Claim) -> Result<Begun, StoreError> {
        let claim = claim.clone();
        self.step(id, move |loaded| loaded.begin(&claim)).await
    }

    async fn renew(&self, id: &RecordId, claim: &Claim) -> Result<Renewed, StoreError> {
        let claim = claim.clone();
        self.step(id, move |loaded| loaded.renew(&claim)).await
    }

    async fn complete(
        &self,
        id: &RecordId,
        claim: &Claim,
        finished: &Finished,
        ttl: Duration,
    ) -> Result<Completion, StoreError> {
        let (claim, finished) = (claim.clone(), finished.clone());
        self.step(id, move |loaded| loaded.complete(&claim, &finished, ttl))
            .await
    }

    async fn release(&self, id: &RecordId, claim: &Claim) -> Result<Released, StoreError> {
        let claim = claim.clone();
        self.step(id, move |loaded| loaded.release(&claim)).await
    }

    async fn inspect(&self, id: &RecordId) -> Result<Option<Record>, StoreError> {
        self.step(id, |loaded| loaded.inspect()).await
    }

    async fn resolve(
        &self,
        id: &RecordId,
        seen: &AttemptId,
        verdict: &Verdict,
    ) -> Result<Resolved, StoreError> {
        let (seen, verdict) = (*seen, verdict.clone());
        self.step(id, move |loaded| loaded.resolve(&seen, &verdict))
            .await
    }

    async fn unknown(&self, after: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
        Page::of_all(self.outcomes().await?, after, limit)
    }

    async fn changed(&self, id: &RecordId) {
        self.woken(id).await;
    }
}
