//! What the wire says. Pure: it knows no store, no option and no answer of ours.

mod body;
mod caller;
#[cfg(feature = "json")]
mod canonical_json;
mod derived_key;
mod digest;
mod fingerprint;
mod key;
mod record_id;

pub(crate) use self::body::{Unread, drain, read_body, unread};
pub use self::caller::Caller;
#[cfg(feature = "json")]
pub(crate) use self::canonical_json::canonical;
pub(crate) use self::derived_key::derived;
pub(crate) use self::digest::{digest, short};
pub use self::fingerprint::Fingerprint;
pub(crate) use self::key::{InvalidKey, Key};
pub use self::record_id::RecordId;
