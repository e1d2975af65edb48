//! The extractor of the key. It knows what a request has with it, and not how that came there.

use std::fmt;
use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest};

use super::uncovered::no_key;
use crate::request::derived;
use crate::run::Context;

/// The client's name for one operation, decoded from the key header.
///
/// It has 1 to 255 characters from %x20-7E. On the wire it is a String of RFC 9651 (`"k"`; escapes are
/// decoded, parameters ignored), as draft-ietf-httpapi-idempotency-key-header asks for, or a bare
/// value without quote, comma, semicolon or space, as nearly all deployed clients send it. Both forms
/// of one value are one key.
///
/// A handler takes it as an argument, or `Option<IdempotencyKey>` where the header is optional.
/// `Debug` shows a short hash of the key, never the key.
///
/// # Errors
///
/// Extraction answers 400 `missing-key` if the request has no key, and 500 outside of a handler that
/// the layer covers.
///
/// # Examples
///
/// Handing the retry's safety on, to a processor that has idempotency keys of its own:
///
/// ```
/// use actix_web::{HttpResponse, Responder};
/// use idempotency_actix::{IdempotencyKey, idempotent};
///
/// #[idempotent]
/// async fn charge(key: IdempotencyKey) -> impl Responder {
///     let downstream = key.derive("processor"); // the same at every retry
///     HttpResponse::Created().body(downstream)
/// }
/// ```
#[derive(Clone)]
pub struct IdempotencyKey(pub(super) Arc<Context>);

impl IdempotencyKey {
    /// The decoded key.
    pub fn as_str(&self) -> &str {
        self.0.key().as_str()
    }

    /// Derives a key for a downstream service, the same one at every run of this operation.
    ///
    /// The result hashes caller, method, path, key and `label` into the form of a UUID (version 8 of
    /// RFC 9562, 36 characters), which the services that take idempotency keys accept. One label per
    /// downstream effect. The derivation never changes between versions of this crate, so that a
    /// retry after an upgrade still meets the processor's record of the first try.
    ///
    /// # Panics
    ///
    /// Inside an extractor, since the caller is known only once the arguments have been extracted.
    /// The layer answers such a request with 500, and claims nothing.
    pub fn derive(&self, label: &str) -> String {
        let record = self.0.record();
        let record = record.expect("`derive` is called in the handler, when the caller is known");
        derived(record, label)
    }
}

impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.key().fmt(f)
    }
}

/// Two keys are equal if their decoded values are.
impl PartialEq for IdempotencyKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.key() == other.0.key()
    }
}

impl Eq for IdempotencyKey {}

impl FromRequest for IdempotencyKey {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let context = Context::of(&request.extensions()).cloned();
        ready(match context {
            Some(context) => Ok(Self(context)),
            None => Err(no_key("IdempotencyKey", request)),
        })
    }
}
