pub(crate) mod body;
#[cfg(feature = "json")]
pub(crate) mod canonical_json;
pub(crate) mod fingerprint;
pub(crate) mod key;
pub(crate) mod record_id;
