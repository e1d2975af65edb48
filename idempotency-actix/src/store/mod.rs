//! Where records live: the [`Store`] trait, its contract, and the stores that come with the crate.
//!
//! Nothing here knows what a handler does, when a claim is asked for, or what a client is told.

mod attempt_id;
mod backoff;
pub(crate) mod clock;
mod codec;
#[cfg(feature = "conformance")]
#[cfg_attr(docsrs, doc(cfg(feature = "conformance")))]
pub mod conformance;
mod contract;
mod erased;
mod error;
pub(crate) mod memory;
mod not_kept;
mod record;
#[cfg(feature = "redis")]
pub(crate) mod redis;
mod response;
mod shrink;
mod token;
mod wakeups;

pub use self::attempt_id::{AttemptId, ParseAttemptIdError};
pub(crate) use self::backoff::growing_pauses;
pub use self::codec::{DecodeError, EncodeError};
pub(crate) use self::contract::MIN_CLAIM_RETENTION;
pub use self::contract::Store;
pub(crate) use self::erased::ErasedStore;
pub use self::error::{StoreError, StoreErrorKind};
pub use self::not_kept::NotKept;
pub use self::record::{
    Begun, Claim, Completion, Finished, Record, Released, Renewed, Resolved, State, Verdict,
};
#[cfg(feature = "encryption")]
#[cfg_attr(docsrs, doc(cfg(feature = "encryption")))]
pub use self::redis::{Keyring, KeyringError};
#[cfg(feature = "redis")]
#[cfg_attr(docsrs, doc(cfg(feature = "redis")))]
pub use self::redis::{RedisFinding, RedisPool, RedisReport, RedisServerReport, RedisSeverity};
pub use self::response::StoredResponse;
pub(crate) use self::response::exact_lines;
pub(crate) use self::shrink::shrink_map;
pub use self::token::Token;
pub(crate) use self::wakeups::{Place, Wakeups};
pub use crate::request::{Fingerprint, RecordId};
