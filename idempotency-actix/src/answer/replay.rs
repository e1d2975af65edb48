//! A record on its way back into an answer, and the marks of the layer's own. Capture is its inverse.

use actix_web::HttpResponse;
use actix_web::body::{self, BoxBody};
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

use super::failure::AsError;
use super::reason;
use crate::options::Options;
use crate::store::StoredResponse;

/// The response header that marks an answer which comes from the record and not from a run of the handler: `true`.
///
/// For a `Cors` that exposes it, for middleware and for tests.
pub const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// The response header that marks a first answer which could not be recorded in time: `unstored`.
///
/// The answer is true. A retry may be told 409 until it is recorded, or that its outcome is unknown.
pub const IDEMPOTENCY_STATUS: HeaderName = HeaderName::from_static("idempotency-status");

/// The answer for a retry, marked as one.
pub(crate) fn replay(stored: &StoredResponse, options: &Options) -> HttpResponse {
    let body = match stored.body() {
        Some(bytes) => BoxBody::new(bytes.clone()),
        None => BoxBody::new(body::None::new()),
    };
    let mut response = HttpResponse::with_body(stored.status(), body);
    let headers = response.headers_mut();
    headers.reserve(stored.headers().len() + 1);
    for (name, value) in stored.headers() {
        headers.append(name.clone(), value.clone());
    }
    mark_replayed(headers, options);
    if let Some(phrase) = stored.reason() {
        response.head_mut().reason = reason::lasting(phrase);
    }
    if stored.is_error() {
        AsError::mark(&mut response);
    }
    response
}

/// Says that the answer is a record's, and for how long it is told.
pub(super) fn mark_replayed(headers: &mut HeaderMap, options: &Options) {
    headers.insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    mark_window(headers, options);
}

/// Says for how long retries get the answer, where the layer has a header for that.
pub(crate) fn mark_window(headers: &mut HeaderMap, options: &Options) {
    if let Some((name, window)) = options.window() {
        headers.insert(name, window);
    }
}

/// Drops the layer's marks from a handler's answer, which may come from another such layer by proxy.
pub(crate) fn drop_marks(headers: &mut HeaderMap) {
    for mark in [IDEMPOTENT_REPLAYED, IDEMPOTENCY_STATUS] {
        if headers.contains_key(&mark) {
            headers.remove(mark);
        }
    }
}

/// Says that the answer is true, and not yet kept.
pub(crate) fn mark_unstored(headers: &mut HeaderMap) {
    headers.insert(IDEMPOTENCY_STATUS, HeaderValue::from_static("unstored"));
}
