//! Idempotency-Key layer for actix-web.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod all_routes;
mod attempt;
mod body;
mod builder;
mod claim;
mod codec;
mod deadline;
mod detach;
mod engine;
mod error;
mod fingerprint;
mod keeper;
mod key;
mod layer;
mod marked;
mod middleware;
mod not_executed;
mod operation;
mod options;
mod outbox;
mod problem;
mod record_id;
mod response;
mod scope;
pub mod store;
mod stream;
mod telemetry;
mod tenure;

#[cfg(feature = "macros")]
#[cfg_attr(docsrs, doc(cfg(feature = "macros")))]
pub use idempotency_actix_macros::idempotent;

pub use self::attempt::Attempt;
pub use self::builder::IdempotencyBuilder;
pub use self::error::ConfigError;
pub use self::key::IdempotencyKey;
pub use self::middleware::{Idempotency, IdempotencyFuture, IdempotencyService};
pub use self::not_executed::NotExecuted;
pub use self::options::{
    DEFAULT_LEASE, DEFAULT_MAX_BODY, DEFAULT_MAX_RESPONSE, DEFAULT_RELEASE_ON, DEFAULT_TTL,
};
pub use self::scope::KeyScope;
pub use self::store::{Clock, MemoryStore, MemoryStoreBuilder};

/// What the attribute's expansion calls; not part of the public interface.
#[doc(hidden)]
pub mod __private {
    pub use actix_web::HttpResponse;

    pub use crate::marked::Marked;
    pub use crate::options::RouteOptions;
}
