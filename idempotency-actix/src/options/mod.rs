//! What may be chosen: by the layer, by a route, by the layer's table. It does not know what comes of it.

mod choices;
mod debug_form;
mod defaults;
mod fingerprinting;
mod header_names;
mod kept_headers;
mod key_age;
mod key_format;
mod key_source;
#[cfg(feature = "serde")]
mod layer_options;
mod limits;
mod patterns;
mod provided;
mod recovery;
mod replay_edit;
mod resolved;
mod route_options;
mod scope;
mod status_set;
mod table;

pub(crate) use self::choices::Unknown;
pub use self::choices::{KeptAnswer, OnDrain, OnStoreFailure, OnUnknown};
pub use self::defaults::{
    DEFAULT_LEASE, DEFAULT_MAX_BODY, DEFAULT_MAX_RESPONSE, DEFAULT_MAX_WAITERS,
    DEFAULT_MAX_WAITERS_PER_KEY, DEFAULT_RELEASE_ON, DEFAULT_STREAM_BUDGET,
    DEFAULT_TRANSACTION_RUNS, DEFAULT_TTL, IDEMPOTENCY_KEY,
};
pub use self::fingerprinting::{FingerprintFn, Fingerprinting};
pub use self::key_age::KEY_CLOCK_SKEW;
pub(crate) use self::key_age::Untimely;
pub use self::key_format::{IntoChecked, KeyFormat, KeyFormatFn};
pub(crate) use self::key_source::Sought;
pub use self::key_source::{KeyFn, KeyFunction};
#[cfg(feature = "serde")]
pub use self::layer_options::LayerOptions;
pub(crate) use self::patterns::Patterns;
pub use self::provided::By;
pub(crate) use self::provided::Provided;
pub use self::recovery::{Recover, Recovery};
pub use self::replay_edit::ReplayFn;
pub(crate) use self::resolved::Options;
pub use self::route_options::RouteOptions;
pub use self::scope::{IntoCaller, KeyScope, NoScope, ScopeFn};
pub(crate) use self::table::{Entry, Route, Routes, Row};
