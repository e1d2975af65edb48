//! A store of whatever type. It adds nothing to the contract, and knows no store.

use std::any::Any;
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::{
    AttemptId, Begun, Claim, Completion, Cursor, Finished, Page, Record, RecordId, Released,
    Renewed, Resolved, Store, StoreError, Verdict,
};

/// [`Store`] behind a pointer, so that `Idempotency` is not generic and the attribute need not name
/// a store's type.
pub(crate) trait ErasedStore: Send + Sync {
    fn begin<'a>(
        &'a self,
        id: &'a RecordId,
        claim: &'a Claim,
    ) -> BoxFuture<'a, Result<Begun, StoreError>>;

    fn renew<'a>(
        &'a self,
        id: &'a RecordId,
        claim: &'a Claim,
    ) -> BoxFuture<'a, Result<Renewed, StoreError>>;

    fn complete<'a>(
        &'a self,
        id: &'a RecordId,
        claim: &'a Claim,
        finished: &'a Finished,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<Completion, StoreError>>;

    fn release<'a>(
        &'a self,
        id: &'a RecordId,
        claim: &'a Claim,
    ) -> BoxFuture<'a, Result<Released, StoreError>>;

    fn inspect<'a>(&'a self, id: &'a RecordId)
    -> BoxFuture<'a, Result<Option<Record>, StoreError>>;

    fn resolve<'a>(
        &'a self,
        id: &'a RecordId,
        seen: &'a AttemptId,
        verdict: &'a Verdict,
    ) -> BoxFuture<'a, Result<Resolved, StoreError>>;

    fn unknown<'a>(
        &'a self,
        after: Option<&'a Cursor>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page, StoreError>>;

    fn changed<'a>(&'a self, id: &'a RecordId) -> BoxFuture<'a, ()>;

    fn health(&self) -> BoxFuture<'_, Result<(), StoreError>>;

    fn timeout(&self) -> Option<Duration>;

    /// For whoever knows its type.
    fn as_any(&self) -> &dyn Any;
}

impl<S: Store> ErasedStore for S {
    fn begin<'a>(
        &'a self,
        id: &'a RecordId,
        claim: &'a Claim,
    ) -> BoxFuture<'a, Result<Begun, StoreError>> {
        watched("begin", Store::begin(self, id, claim))
    }

    fn renew<'a>(
        &'a self,
        id: &'a RecordId,
        claim: &'a Claim,
    ) -> BoxFuture<'a, Result<Renewed, StoreError>> {
        watched("renew", Store::renew(self, id, claim))
    }

    fn complete<'a>(
        &'a self,
        id: &'a RecordId,
        claim: &'a Claim,
        finished: &'a Finished,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<Completion, StoreError>> {
        watched("complete", Store::complete(self, id, claim, finished, ttl))
    }

    fn release<'a>(
        &'a self,
        id: &'a RecordId,
        claim: &'a Claim,
    ) -> BoxFuture<'a, Result<Released, StoreError>> {
        watched("release", Store::release(self, id, claim))
    }

    fn inspect<'a>(
        &'a self,
        id: &'a RecordId,
    ) -> BoxFuture<'a, Result<Option<Record>, StoreError>> {
        watched("inspect", Store::inspect(self, id))
    }

    fn resolve<'a>(
        &'a self,
        id: &'a RecordId,
        seen: &'a AttemptId,
        verdict: &'a Verdict,
    ) -> BoxFuture<'a, Result<Resolved, StoreError>> {
        watched("resolve", Store::resolve(self, id, seen, verdict))
    }

    fn unknown<'a>(
        &'a self,
        after: Option<&'a Cursor>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page, StoreError>> {
        watched("unknown", Store::unknown(self, after, limit))
    }

    fn changed<'a>(&'a self, id: &'a RecordId) -> BoxFuture<'a, ()> {
        Box::pin(Store::changed(self, id))
    }

    fn health(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(Store::health(self))
    }

    fn timeout(&self) -> Option<Duration> {
        Store::timeout(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The call behind a pointer, timed where metrics are.
fn watched<'a, T: 'a>(
    operation: &'static str,
    call: impl Future<Output = Result<T, StoreError>> + Send + 'a,
) -> BoxFuture<'a, Result<T, StoreError>> {
    #[cfg(feature = "metrics")]
    let call = crate::telemetry::timed(operation, call, |answer| match answer {
        Ok(_) => "ok",
        Err(error) => error.kind().label(),
    });
    #[cfg(not(feature = "metrics"))]
    let _ = operation;
    Box::pin(call)
}
