//! The layer as users hold it and give it to `App::wrap`. It does not know how a request passes it.

use std::sync::Arc;

use super::shared::Layer;
use crate::claim::guarded;
use crate::store::StoreError;

/// The idempotency layer: actix-web middleware for an `App`, a `Scope`, a `Resource` or a `Route`.
///
/// Handlers marked with [`#[idempotent]`](macro@crate::idempotent) inside of it run once per key; in
/// [all-routes mode](crate::IdempotencyBuilder::all_routes) every route does. Make one, and clone it into
/// the workers: clones share store, limits and heartbeat.
///
/// # Examples
///
/// ```
/// use actix_web::{App, HttpMessage, HttpRequest, HttpResponse, Responder, post};
/// use idempotency_actix::{Idempotency, KeyScope, MemoryStore, idempotent};
///
/// #[derive(Clone)]
/// struct AccountId(u64); // put into the request's extensions by your authentication
///
/// fn principal(req: &HttpRequest) -> Option<u64> {
///     req.extensions().get::<AccountId>().map(|id| id.0)
/// }
///
/// #[post("/charges")]
/// #[idempotent]
/// async fn create_charge() -> impl Responder {
///     HttpResponse::Created()
/// }
///
/// let idempotency = Idempotency::new(MemoryStore::new(), KeyScope::by(principal));
/// let app = move || App::new().wrap(idempotency.clone()).service(create_charge);
/// # let _ = app;
/// ```
#[derive(Clone, Debug)]
pub struct Idempotency(pub(super) Arc<Layer>);

impl Idempotency {
    /// Tells whether the layer takes new keys and the store could serve a claim now, for a readiness probe.
    ///
    /// # Errors
    ///
    /// That the layer [drains](Self::drain); what the store says, or that it did not answer within the store timeout.
    pub async fn health(&self) -> Result<(), StoreError> {
        if self.0.claims.activity.is_draining() {
            return Err(StoreError::unavailable("the layer drains, to stop"));
        }
        let timeout = self.0.options.store_timeout();
        guarded(timeout, || self.0.claims.store.health()).await
    }
}
