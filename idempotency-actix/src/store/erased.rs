//! A store of whatever type. It adds nothing to the contract, and knows no store.

use std::any::Any;
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::{
    AttemptId, Begun, Claim, Completion, Finished, Record, RecordId, Released, Renewed, Resolved,
    Store, StoreError, Verdict,
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
        Box::pin(Store::begin(self, id, claim))
    }

    fn renew<'a>(
        &'a self,
        id: &'a RecordId,
        claim: &'a Claim,
    ) -> BoxFuture<'a, Result<Renewed, StoreError>> {
        Box::pin(Store::renew(self, id, claim))
    }

    fn complete<'a>(
        &'a self,
        id: &'a RecordId,
        claim: &'a Claim,
        finished: &'a Finished,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<Completion, StoreError>> {
        Box::pin(Store::complete(self, id, claim, finished, ttl))
    }

    fn release<'a>(
        &'a self,
        id: &'a RecordId,
        claim: &'a Claim,
    ) -> BoxFuture<'a, Result<Released, StoreError>> {
        Box::pin(Store::release(self, id, claim))
    }

    fn inspect<'a>(
        &'a self,
        id: &'a RecordId,
    ) -> BoxFuture<'a, Result<Option<Record>, StoreError>> {
        Box::pin(Store::inspect(self, id))
    }

    fn resolve<'a>(
        &'a self,
        id: &'a RecordId,
        seen: &'a AttemptId,
        verdict: &'a Verdict,
    ) -> BoxFuture<'a, Result<Resolved, StoreError>> {
        Box::pin(Store::resolve(self, id, seen, verdict))
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
