//! What every store promises: the [`Store`] trait. It knows the records and none of the stores.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::{
    AttemptId, Begun, Claim, Completion, Cursor, Finished, Page, Record, RecordId, Released,
    Renewed, Resolved, StoreError, Verdict,
};

/// The shortest time that a claim is kept from its last sign of life, and that the generation of a
/// forgotten record is remembered where its claim's own retention is not known any more: 24 hours.
///
/// A route may keep its answers for a second, and the claim must outlive that by far: where a claim is
/// forgotten before its owner's late answer or its client's retry comes, the retry runs again.
pub const MIN_CLAIM_RETENTION: Duration = Duration::from_secs(24 * 60 * 60);

/// Keeps one record per operation, each method one atomic step.
///
/// # Contract
///
/// A record is absent, in flight, unknown or finished. *Atomic* means that whatever else calls the
/// store at the same time, from this process or another, sees the record before the step or after it.
/// No read followed by a write will do: two retries that both read "absent" charge twice.
///
/// 1. [`begin`](Self::begin) on an absent record grants the claim. On a claim of the **same token**,
///    in flight or unknown, it grants it again as it is stored: clients and proxies re-send commands. On
///    anything else it writes nothing and returns the record.
/// 2. A claim is in flight until its lease has passed since the last sign of life (its last begin or
///    renewal that was granted), by the store's clock. From then on it is unknown, and tells that lease to
///    whoever reads it. It is **never** absent by expiry of the lease: a lost `complete` and an expired key
///    would be a second charge.
/// 3. [`renew`](Self::renew) and [`release`](Self::release) act for the own token only, on in flight
///    and unknown. [`complete`](Self::complete) does too, and is repeatable by the same token: a
///    repetition changes nothing. A finished record is never overwritten.
/// 4. `complete` on an absent record stores the answer: recording it is safer than losing it.
/// 5. [`resolve`](Self::resolve) acts on exactly the unknown attempt that was seen. A record it
///    finishes belongs to [`Token::NOBODY`](super::Token::NOBODY), so that a late `complete` of the
///    attempt is refused. A takeover is repeatable by its own token, as `begin` is. [`Verdict::Forget`] also acts on a finished
///    record, if it is the attempt that was seen. Given [`AttemptId::UNREADABLE`] it acts on a value that
///    cannot be read, if it still is what the store read last; such a value is no other attempt's, and a
///    record that can be read is never that one's.
/// 6. Retention: an unknown claim goes after the claim's own retention since its last sign of life,
///    a finished record after the `ttl` it was completed with. In flight never goes.
/// 7. Generations never fall back. Where a claim above generation 1 is released or resolved as not
///    executed, or a [fenced](Claim::fenced) one is released, the store remembers its generation for the
///    claim's retention; the record counts as absent, the next claim gets a higher one, and a `complete`
///    of that generation or a lower one is refused. Where a record of any generation is forgotten it
///    does so too: its owner may be alive. A finished record does not tell its claim's retention: its
///    generation is remembered for as long as it had left, and for 24 h at least. That of a value that
///    cannot be read is remembered if it can be told.
/// 8. Everything that is kept keeps token, generation and fingerprint. The store compares
///    fingerprints never: the engine does. What is in flight or unknown keeps the claim's
///    [description](super::Description) as well, of which the time may be the store's own.
/// 9. [`unknown`](Self::unknown) lists claims that are unknown and described, and no others. Page after page, what is unknown
///    from the first to the last is told at least once, and once only where nothing else changes.
///
/// The suite in `store::conformance` (feature `conformance`) checks every point.
///
/// # Errors
///
/// A value that cannot be read is [`StoreError::unreadable`], never absent. Whatever may have been
/// applied without an answer is [`StoreError::unavailable`]. The engine puts a deadline on every call.
///
/// # Examples
///
/// On a database with transactions a store is load and save: implement [`LoadAndSave`](super::LoadAndSave), which has a
/// whole one for an example. Anything else implements this trait itself. Its methods are plain `async fn`s, whose futures
/// must be `Send`.
///
/// A store that adds something to another forwards every method, those with a default too: a default would hide what the
/// other one has.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use std::time::Duration;
///
/// use idempotency_actix::store::*;
///
/// struct Counting<S> {
///     inner: S,
///     begun: AtomicU64,
/// }
///
/// impl<S: Store> Store for Counting<S> {
///     async fn begin(&self, id: &RecordId, claim: &Claim) -> Result<Begun, StoreError> {
///         self.begun.fetch_add(1, Ordering::Relaxed);
///         self.inner.begin(id, claim).await
///     }
///     async fn renew(&self, id: &RecordId, claim: &Claim) -> Result<Renewed, StoreError> {
///         self.inner.renew(id, claim).await
///     }
///     async fn complete(
///         &self,
///         id: &RecordId,
///         claim: &Claim,
///         finished: &Finished,
///         ttl: Duration,
///     ) -> Result<Completion, StoreError> {
///         self.inner.complete(id, claim, finished, ttl).await
///     }
///     async fn release(&self, id: &RecordId, claim: &Claim) -> Result<Released, StoreError> {
///         self.inner.release(id, claim).await
///     }
///     async fn inspect(&self, id: &RecordId) -> Result<Option<Record>, StoreError> {
///         self.inner.inspect(id).await
///     }
///     async fn resolve(
///         &self,
///         id: &RecordId,
///         seen: &AttemptId,
///         verdict: &Verdict,
///     ) -> Result<Resolved, StoreError> {
///         self.inner.resolve(id, seen, verdict).await
///     }
///     async fn unknown(&self, after: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
///         self.inner.unknown(after, limit).await
///     }
///     async fn changed(&self, id: &RecordId) {
///         self.inner.changed(id).await;
///     }
///     async fn health(&self) -> Result<(), StoreError> {
///         self.inner.health().await
///     }
///     fn timeout(&self) -> Option<Duration> {
///         self.inner.timeout()
///     }
/// }
/// ```
pub trait Store: Send + Sync + 'static {
    /// Claims the operation, or returns the record that is there.
    fn begin(
        &self,
        id: &RecordId,
        claim: &Claim,
    ) -> impl Future<Output = Result<Begun, StoreError>> + Send;

    /// Starts the lease of the own claim anew.
    fn renew(
        &self,
        id: &RecordId,
        claim: &Claim,
    ) -> impl Future<Output = Result<Renewed, StoreError>> + Send;

    /// Finishes the own claim, to be kept for `ttl` from now.
    fn complete(
        &self,
        id: &RecordId,
        claim: &Claim,
        finished: &Finished,
        ttl: Duration,
    ) -> impl Future<Output = Result<Completion, StoreError>> + Send;

    /// Gives the own claim up, as if it had never been: the handler provably did not act.
    fn release(
        &self,
        id: &RecordId,
        claim: &Claim,
    ) -> impl Future<Output = Result<Released, StoreError>> + Send;

    /// Reads the record and changes nothing.
    fn inspect(
        &self,
        id: &RecordId,
    ) -> impl Future<Output = Result<Option<Record>, StoreError>> + Send;

    /// Decides about an unknown outcome, or to forget a record, provided that it is still the attempt that
    /// was seen.
    fn resolve(
        &self,
        id: &RecordId,
        seen: &AttemptId,
        verdict: &Verdict,
    ) -> impl Future<Output = Result<Resolved, StoreError>> + Send;

    /// Lists operations whose outcome is unknown, the oldest first where the store can, from behind a cursor of its own.
    ///
    /// A page has about as many as `limit`. It may have more where the store reads in batches, or fewer, and still be
    /// followed by another: what a call looks at is bounded.
    ///
    /// By default it is [`StoreError::unsupported`], which operators are told: an empty page would be a lie.
    ///
    /// # Errors
    ///
    /// Beside those of every call: another store's cursor is [`StoreError::refused`].
    fn unknown(
        &self,
        _after: Option<&Cursor>,
        _limit: usize,
    ) -> impl Future<Output = Result<Page, StoreError>> + Send {
        std::future::ready(Err(StoreError::unsupported()))
    }

    /// Resolves when the record may have changed: a hint for those who wait, who poll as well.
    ///
    /// By default it never does, and polling is all there is.
    fn changed(&self, _id: &RecordId) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }

    /// Tells whether the store could serve a claim now, for a readiness probe.
    ///
    /// By default it always could.
    fn health(&self) -> impl Future<Output = Result<(), StoreError>> + Send {
        std::future::ready(Ok(()))
    }

    /// The longest that a call takes before it fails by itself, where somebody chose such a limit.
    ///
    /// A layer with a lease shorter than three times of it is not built. A default is none of that: the layer gives up
    /// on a call after a third of the lease in any case.
    fn timeout(&self) -> Option<Duration> {
        None
    }
}

impl<S: Store> Store for Arc<S> {
    async fn begin(&self, id: &RecordId, claim: &Claim) -> Result<Begun, StoreError> {
        S::begin(self, id, claim).await
    }

    async fn renew(&self, id: &RecordId, claim: &Claim) -> Result<Renewed, StoreError> {
        S::renew(self, id, claim).await
    }

    async fn complete(
        &self,
        id: &RecordId,
        claim: &Claim,
        finished: &Finished,
        ttl: Duration,
    ) -> Result<Completion, StoreError> {
        S::complete(self, id, claim, finished, ttl).await
    }

    async fn release(&self, id: &RecordId, claim: &Claim) -> Result<Released, StoreError> {
        S::release(self, id, claim).await
    }

    async fn inspect(&self, id: &RecordId) -> Result<Option<Record>, StoreError> {
        S::inspect(self, id).await
    }

    async fn resolve(
        &self,
        id: &RecordId,
        seen: &AttemptId,
        verdict: &Verdict,
    ) -> Result<Resolved, StoreError> {
        S::resolve(self, id, seen, verdict).await
    }

    async fn unknown(&self, after: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
        S::unknown(self, after, limit).await
    }

    async fn changed(&self, id: &RecordId) {
        S::changed(self, id).await;
    }

    async fn health(&self) -> Result<(), StoreError> {
        S::health(self).await
    }

    fn timeout(&self) -> Option<Duration> {
        S::timeout(self)
    }
}
