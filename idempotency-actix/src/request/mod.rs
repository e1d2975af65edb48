//! What the wire says. Pure: it knows no store, no option and no answer of ours.

mod body;
mod caller;
#[cfg(feature = "json")]
mod canonical_json;
mod derived_key;
mod digest;
mod fingerprint;
mod first_sent;
mod host;
mod key;
mod key_form;
#[cfg(any(feature = "json", feature = "multipart"))]
mod media_type;
#[cfg(feature = "multipart")]
mod multipart;
mod path;
mod principal;
mod record_id;

pub(crate) use self::body::{Unread, drain, read_body, unread};
pub use self::caller::Caller;
#[cfg(feature = "json")]
pub(crate) use self::canonical_json::canonical;
pub(crate) use self::derived_key::derived;
pub(crate) use self::digest::{digest, short};
pub use self::fingerprint::Fingerprint;
pub(crate) use self::first_sent::{InvalidFirstSent, first_sent};
pub(crate) use self::host::host;
pub use self::key::InvalidKey;
pub(crate) use self::key::Key;
#[cfg(feature = "utoipa")]
pub(crate) use self::key::MAX_KEY;
pub(crate) use self::key_form::{is_uuid, ulid_time, uuid7_time};
#[cfg(feature = "json")]
pub(crate) use self::media_type::json_type;
#[cfg(any(feature = "json", feature = "multipart"))]
pub(crate) use self::media_type::media_type;
#[cfg(feature = "multipart")]
pub(crate) use self::media_type::multipart_type;
#[cfg(feature = "multipart")]
pub(crate) use self::multipart::parts;
pub(crate) use self::path::path_of;
pub use self::principal::Principal;
pub use self::record_id::{ParseRecordIdError, RecordId};
