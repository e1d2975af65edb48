//! A record on its way back into an answer, and the two marks of the layer's own. Capture is its inverse.

use actix_web::HttpResponse;
use actix_web::body::{self, BoxBody};
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

use super::failure::AsError;
use super::reason;
use crate::store::StoredResponse;

/// Marks an answer that comes from the record and not from a run of the handler: `true`.
pub(crate) const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Marks a first answer that could not be recorded in time: `unstored`.
pub(crate) const STATUS: HeaderName = HeaderName::from_static("idempotency-status");

/// The answer for a retry, marked `Idempotent-Replayed: true`.
pub(crate) fn replay(stored: &StoredResponse) -> HttpResponse {
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
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    if let Some(phrase) = stored.reason() {
        response.head_mut().reason = reason::lasting(phrase);
    }
    if stored.is_error() {
        AsError::mark(&mut response);
    }
    response
}

/// Drops the layer's marks from a handler's answer, which may come from another such layer by proxy.
pub(crate) fn drop_marks(headers: &mut HeaderMap) {
    headers.remove(REPLAYED);
    headers.remove(STATUS);
}

/// Says that the answer is true, and not yet kept.
pub(crate) fn mark_unstored(headers: &mut HeaderMap) {
    headers.insert(STATUS, HeaderValue::from_static("unstored"));
}
