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
mod description;
mod entry;
mod erased;
mod error;
#[cfg(feature = "encryption")]
mod keyring;
mod load_and_save;
mod loaded;
mod machine;
pub(crate) mod memory;
mod not_kept;
mod record;
mod record_codec;
mod record_error;
#[cfg(feature = "redis")]
pub(crate) mod redis;
mod response;
mod running;
mod saved;
mod seal;
mod shrink;
mod slot;
mod step;
mod token;
pub(crate) mod transactions;
mod unknown;
mod wakeups;

pub use self::attempt_id::{AttemptId, ParseAttemptIdError};
pub(crate) use self::backoff::growing_pauses;
pub use self::codec::{DecodeError, EncodeError};
pub use self::contract::{MIN_CLAIM_RETENTION, Store};
pub use self::description::Description;
pub(crate) use self::erased::ErasedStore;
pub use self::error::{StoreError, StoreErrorKind};
#[cfg(feature = "encryption")]
#[cfg_attr(docsrs, doc(cfg(feature = "encryption")))]
pub use self::keyring::{Keyring, KeyringError};
pub use self::load_and_save::LoadAndSave;
pub use self::loaded::Loaded;
pub use self::not_kept::NotKept;
pub use self::record::{
    Begun, Claim, Completion, Finished, Record, Released, Renewed, Resolved, State, Verdict,
};
pub use self::record_codec::{RecordCodec, StoredRecord, StoredState};
pub use self::record_error::RecordError;
#[cfg(feature = "redis")]
#[cfg_attr(docsrs, doc(cfg(feature = "redis")))]
pub use self::redis::{RedisFinding, RedisPool, RedisReport, RedisServerReport, RedisSeverity};
pub use self::response::StoredResponse;
pub(crate) use self::response::exact_lines;
pub use self::running::{Running, RunningPlace};
pub(crate) use self::shrink::{shrink_map, shrink_slab};
pub(crate) use self::slot::{Filled, Slot, SlotOf};
pub use self::step::{Change, Saved, Step};
pub use self::token::Token;
pub use self::transactions::{
    Committed, Opened, Recording, RolledBack, TransactionOptions, Transactions,
};
pub use self::unknown::{Cursor, Page, ParseCursorError, UnknownOutcome};
pub(crate) use self::wakeups::Place;
pub use self::wakeups::Wakeups;
pub use crate::request::{Fingerprint, ParseRecordIdError, RecordId};
