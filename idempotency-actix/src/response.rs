use std::fmt;
use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::body::{self, BoxBody};
use actix_web::http::StatusCode;
use actix_web::http::header::{
    self, CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION,
};
use actix_web::web::Bytes;

use crate::store::NotKept;

pub use crate::codec::{DecodeError, EncodeError};

/// Marks an answer that comes from the record and not from a run of the handler: `true`.
pub(crate) const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Marks a first answer that could not be recorded in time: `unstored`.
pub(crate) const STATUS: HeaderName = HeaderName::from_static("idempotency-status");

/// Fields that belong to one connection (RFC 9110, section 7.6.1; RFC 9111, section 3.1), that the
/// server writes anew for every answer, or that open a session for the first caller's browser.
const NOT_STORED: [HeaderName; 15] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    HeaderName::from_static("proxy-authentication-info"),
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::CONTENT_LENGTH,
    header::DATE,
    header::SERVER,
    header::SET_COOKIE,
    REPLAYED,
];

/// Up to here a copy of a body costs less than the memory that it saves.
const SHORT_BODY: usize = 1024;

/// A captured answer: status, header lines and body, as every retry will get them.
///
/// Lines of one name keep their order and number. Cloning is cheap.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredResponse {
    status: StatusCode,
    headers: Arc<[(HeaderName, HeaderValue)]>,
    body: Option<Bytes>,
}

impl StoredResponse {
    /// An answer made of parts; `None` is an answer without a body, such as 304, and not an empty one.
    pub fn new(
        status: StatusCode,
        headers: impl IntoIterator<Item = (HeaderName, HeaderValue)>,
        body: Option<Bytes>,
    ) -> Self {
        Self {
            status,
            headers: headers.into_iter().collect(),
            body,
        }
    }

    /// The status code.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The header lines in their stored order.
    pub fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.headers
    }

    /// The first line of that name.
    pub fn header(&self, name: &HeaderName) -> Option<&HeaderValue> {
        let mut lines = self.headers().iter();
        lines
            .find(|(other, _)| other == name)
            .map(|(_, value)| value)
    }

    /// The body's octets, or `None` for an answer that has no body.
    pub fn body(&self) -> Option<&Bytes> {
        self.body.as_ref()
    }

    /// Octets of header lines and body together: what a store's size limit counts.
    pub fn size(&self) -> usize {
        let lines = self.headers().iter();
        let head: usize = lines.map(|(n, v)| n.as_str().len() + v.len()).sum();
        head + self.body().map_or(0, Bytes::len)
    }

    /// The same answer for long keeping. A handler's buffer may have room for twice the body, which nobody
    /// counts, so a short body is copied into one of its length.
    pub(crate) fn compact(&self) -> Self {
        let body = self.body().map(|body| match body.len() {
            ..=SHORT_BODY => Bytes::copy_from_slice(body),
            _ => body.clone(),
        });
        Self {
            status: self.status,
            headers: Arc::clone(&self.headers),
            body,
        }
    }

    /// What is left of the answer where it is not kept.
    pub(crate) fn not_kept(&self) -> NotKept {
        let location = self.header(&LOCATION);
        let location = location.map(|value| value.as_bytes().to_vec());
        NotKept::new(self.status().as_u16(), location)
    }

    /// The answer for a retry, marked `Idempotent-Replayed: true`.
    pub(crate) fn replay(&self) -> HttpResponse {
        let body = match self.body() {
            Some(bytes) => BoxBody::new(bytes.clone()),
            None => BoxBody::new(body::None::new()),
        };
        let mut response = HttpResponse::with_body(self.status(), body);
        let headers = response.headers_mut();
        headers.reserve(self.headers().len() + 1);
        for (name, value) in self.headers() {
            headers.append(name.clone(), value.clone());
        }
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
        response
    }
}

/// Shows the status and the sizes: headers and body may hold personal data.
impl fmt::Debug for StoredResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredResponse")
            .field("status", &self.status.as_u16())
            .field("headers", &self.headers.len())
            .field("body", &self.body.as_ref().map(Bytes::len))
            .finish()
    }
}

/// The head of an answer, taken before its body is known in full.
pub(crate) struct Head {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Head {
    pub(crate) fn capture<B>(response: &HttpResponse<B>, keep_cookies: bool) -> Self {
        let headers = response.headers();
        let is_left_out = |name: &HeaderName| {
            let is_wanted = keep_cookies && name == header::SET_COOKIE;
            NOT_STORED.contains(name) && !is_wanted || named_by_connection(headers, name)
        };
        let kept = headers.iter().filter(|(name, _)| !is_left_out(name));
        let mut lines = Vec::with_capacity(headers.len());
        lines.extend(kept.map(|(name, value)| (name.clone(), value.clone())));
        Self {
            status: response.status(),
            headers: lines,
        }
    }

    pub(crate) fn with_body(self, body: Option<Bytes>) -> StoredResponse {
        StoredResponse::new(self.status, self.headers, body)
    }

    pub(crate) fn not_kept(self) -> NotKept {
        self.with_body(None).not_kept()
    }
}

fn named_by_connection(headers: &HeaderMap, name: &HeaderName) -> bool {
    headers
        .get_all(CONNECTION)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|option| name.as_str().eq_ignore_ascii_case(option.trim()))
}

/// Whether an answer is for one reader only, so that no copy of it could serve a retry.
///
/// An event stream and an upgraded connection have no end to wait for. An encoded body was encoded
/// for what the first client accepts; a retry may accept less.
pub(crate) fn is_transient<B>(response: &HttpResponse<B>) -> bool {
    let headers = response.headers();
    let is = |name, test: fn(&str) -> bool| {
        let value: Option<&HeaderValue> = headers.get(name);
        value
            .and_then(|value| value.to_str().ok())
            .is_some_and(test)
    };
    response.status() == StatusCode::SWITCHING_PROTOCOLS
        || response.upgrade()
        || is(CONTENT_TYPE, |value| {
            let essence = value.split(';').next().unwrap_or_default();
            essence.trim().eq_ignore_ascii_case("text/event-stream")
        })
        || is(CONTENT_ENCODING, |value| {
            !value.trim().eq_ignore_ascii_case("identity")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connection_fields_and_those_they_name_are_not_stored() {
        let response = HttpResponse::Ok()
            .append_header(("connection", "x-hop, close"))
            .append_header(("X-Hop", "1"))
            .append_header(("keep-alive", "5"))
            .append_header(("set-cookie", "a=b"))
            .append_header(("x-end", "1"))
            .append_header(("x-end", "2"))
            .finish();
        let head = Head::capture(&response, false);
        let kept: Vec<_> = head.headers.iter().map(|(n, v)| (n.as_str(), v)).collect();
        assert_eq!(kept.len(), 2, "{kept:?}");
        assert_eq!(kept[0], ("x-end", &HeaderValue::from_static("1")));
        assert_eq!(kept[1], ("x-end", &HeaderValue::from_static("2")));
    }

    #[test]
    fn event_streams_and_encoded_bodies_are_transient() {
        let with = |name: &str, value: &str| {
            is_transient(&HttpResponse::Ok().append_header((name, value)).finish())
        };
        assert!(with("content-type", "Text/Event-Stream; charset=utf-8"));
        assert!(with("content-encoding", "gzip"));
        assert!(!with("content-encoding", "identity"));
        assert!(!with("content-type", "text/plain"));
    }
}
