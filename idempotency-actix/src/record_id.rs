use std::fmt;

use actix_web::http::Method;

use crate::fingerprint::{field, short};
use crate::key::IdempotencyKey;
use crate::scope::Scope;

/// The name under which a store keeps the record of one operation.
///
/// It is a digest of caller, method, path and key, each framed by its length: the store and its
/// operators never see a key, a credential or a path. The derivation never changes, since a changed
/// one would forget every record and run every retry again; versions live in the stored value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordId([u8; 32]);

impl RecordId {
    pub(crate) fn derive(scope: &Scope, method: &Method, path: &str, key: &IdempotencyKey) -> Self {
        let mut hasher = blake3::Hasher::new();
        field(&mut hasher, b"idempotency-actix record 1");
        field(&mut hasher, scope.as_bytes());
        field(&mut hasher, method.as_str().as_bytes());
        field(&mut hasher, path.as_bytes());
        field(&mut hasher, key.as_str().as_bytes());
        Self(*hasher.finalize().as_bytes())
    }

    /// Rebuilds an id from its octets, for stores that keep it inside the value.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The id's 32 octets.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// All 64 hexadecimal digits.
impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The first eight hexadecimal digits.
impl fmt::Debug for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordId({})", short(&self.0))
    }
}
