//! An answer on its way into a record: which headers and how much of a body are kept, and what is not. Replay is its inverse.

use std::sync::Arc;
use std::time::SystemTime;

use actix_web::HttpResponse;
use actix_web::body::{BodySize, BoxBody, MessageBody, to_bytes_limited};
use actix_web::http::StatusCode;
use actix_web::http::header::{
    self, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
};
use actix_web::web::Bytes;

use super::coding::{is_encoded, vary_by_coding};
use super::failure::AsError;
use super::reason;
use super::replay::{IDEMPOTENCY_STATUS, IDEMPOTENT_REPLAYED};
use crate::options::{KeptAnswer, Options};
use crate::store::{Finished, NotKept, StoredResponse, exact_lines};

/// Fields that belong to one connection (RFC 9110, section 7.6.1; RFC 9111, section 3.1), that the
/// server writes anew for every answer, that open a session for the first caller's browser, or that are the
/// layer's own.
const NOT_STORED: [HeaderName; 16] = [
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
    IDEMPOTENT_REPLAYED,
    IDEMPOTENCY_STATUS,
];

/// The whole answer as a record keeps it; a stream is read to its end, within the limit, and its octets stay with the answer.
pub(crate) async fn capture_whole(response: &mut HttpResponse, options: &Options) -> Finished {
    match capture(response, options) {
        Captured::Whole(finished) => finished,
        Captured::Stream { head, body, .. } => {
            let limit = usize::try_from(options.max_response).unwrap_or(usize::MAX);
            match to_bytes_limited(body, limit).await {
                Ok(Ok(bytes)) => {
                    set_body(response, BoxBody::new(bytes.clone()));
                    Finished::Completed(head.with_body(Some(bytes)))
                }
                Ok(Err(_)) | Err(_) => Finished::NotKept(head.not_kept()),
            }
        }
    }
}

/// What there is of an answer before it is sent.
pub(crate) enum Captured {
    Whole(Finished),
    Stream {
        head: CapturedHead,
        body: BoxBody,
        length: Option<u64>,
    },
}

/// Takes what is kept of an answer; its body stays with it, unless that is a stream.
pub(crate) fn capture(response: &mut HttpResponse, options: &Options) -> Captured {
    if is_encoded(response.headers()) {
        vary_by_coding(response.headers_mut());
    }
    let head = CapturedHead::of(response, options);
    if is_transient(response) || exceeds(response.body().size(), options.max_response) {
        return Captured::Whole(head.without_body());
    }
    if let Some(body) = body_of_none(response) {
        return Captured::Whole(Finished::Completed(head.with_body(body)));
    }
    let length = declared_length(response);
    match set_body(response, BoxBody::new(())).try_into_bytes() {
        Ok(bytes) => {
            set_body(response, BoxBody::new(bytes.clone()));
            Captured::Whole(Finished::Completed(head.with_body(Some(bytes))))
        }
        Err(body) => Captured::Stream { head, body, length },
    }
}

/// Puts another body under the same head, and returns the one that was there.
pub(crate) fn set_body(response: &mut HttpResponse, body: BoxBody) -> BoxBody {
    let empty = HttpResponse::new(response.status());
    let (head, before) = std::mem::replace(response, empty).into_parts();
    *response = head.set_body(body);
    before
}

/// The stored body of an answer that has none on the wire, whatever the handler made it of: its head
/// is all that can wait for the record.
fn body_of_none(response: &HttpResponse) -> Option<Option<Bytes>> {
    let is_headed = matches!(
        response.status(),
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
    );
    match response.body().size() {
        BodySize::None => Some(None),
        _ if is_headed || declared_length(response) == Some(0) => Some(Some(Bytes::new())),
        _ => None,
    }
}

/// How long a stream says that it is, by its own size or by a header of the handler's.
fn declared_length(response: &HttpResponse) -> Option<u64> {
    match response.body().size() {
        BodySize::Sized(length) => Some(length),
        BodySize::Stream if !response.head().chunked() => {
            let length = response.headers().get(CONTENT_LENGTH)?;
            length.to_str().ok()?.parse().ok()
        }
        _ => None,
    }
}

fn exceeds(size: BodySize, limit: u64) -> bool {
    matches!(size, BodySize::Sized(size) if size > limit)
}

/// The head of an answer, taken before its body is known in full.
pub(crate) struct CapturedHead {
    status: StatusCode,
    reason: Option<&'static str>,
    is_error: bool,
    part: KeptAnswer,
    headers: Arc<[(HeaderName, HeaderValue)]>,
    answered_at: SystemTime,
}

impl CapturedHead {
    pub(crate) fn of(response: &HttpResponse, options: &Options) -> Self {
        let headers = response.headers();
        let is_left_out = |name: &HeaderName| {
            let is_wanted = options.keep_cookies && name == header::SET_COOKIE;
            NOT_STORED.contains(name) && !is_wanted || named_by_connection(headers, name)
        };
        let is_kept = |name: &HeaderName| {
            !is_left_out(name)
                && options.kept_headers.keep(name)
                && (options.record == KeptAnswer::Whole || name == header::LOCATION)
        };
        let kept = headers.iter().filter(|(name, _)| is_kept(name));
        let mut lines = Vec::with_capacity(headers.len());
        lines.extend(kept);
        let reason = response.head().reason;
        if let Some(phrase) = reason {
            reason::remember(phrase);
        }
        Self {
            status: response.status(),
            reason,
            is_error: AsError::is_marked(response),
            part: options.record,
            headers: exact_lines(&lines),
            answered_at: SystemTime::now(),
        }
    }

    pub(crate) fn with_body(self, body: Option<Bytes>) -> StoredResponse {
        let body = match self.part {
            KeptAnswer::Whole => body,
            KeptAnswer::Status => body.map(|_| Bytes::new()),
        };
        let response = StoredResponse::of_exact(self.status, self.headers, body);
        let response = response.with_reason(self.reason).answered(self.answered_at);
        match self.is_error {
            true => response.as_error(),
            false => response,
        }
    }

    /// The record of a stream that was read, and its octets.
    pub(crate) fn with_collected(self, body: Vec<u8>) -> (StoredResponse, Bytes) {
        let part = self.part;
        let whole = self.with_body(None).with_collected_body(body);
        let octets = whole.body().cloned().unwrap_or_default();
        match part {
            KeptAnswer::Whole => (whole, octets),
            KeptAnswer::Status => (whole.with_collected_body(Vec::new()), octets),
        }
    }

    /// What is recorded of an answer whose body cannot be kept.
    pub(crate) fn without_body(self) -> Finished {
        match self.part {
            KeptAnswer::Whole => Finished::NotKept(self.not_kept()),
            KeptAnswer::Status => Finished::Completed(self.with_body(Some(Bytes::new()))),
        }
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
/// An event stream and an upgraded connection have no end to wait for.
fn is_transient<B>(response: &HttpResponse<B>) -> bool {
    let content_type = response.headers().get(CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok());
    let is_event_stream = content_type.is_some_and(|value| {
        let essence = value.split(';').next().unwrap_or_default();
        essence.trim().eq_ignore_ascii_case("text/event-stream")
    });
    let is_upgraded = response.status() == StatusCode::SWITCHING_PROTOCOLS || response.upgrade();
    is_upgraded || is_event_stream
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::KeyScope;

    #[test]
    fn connection_fields_and_those_they_name_are_not_stored() {
        let response = HttpResponse::Ok()
            .append_header(("connection", "x-hop, close"))
            .append_header(("X-Hop", "1"))
            .append_header(("keep-alive", "5"))
            .append_header(("set-cookie", "a=b"))
            .append_header(("idempotency-status", "unstored"))
            .append_header(("x-end", "1"))
            .append_header(("x-end", "2"))
            .finish();
        let head = CapturedHead::of(&response, &Options::new(KeyScope::everyone()));
        let kept: Vec<_> = head.headers.iter().map(|(n, v)| (n.as_str(), v)).collect();
        assert_eq!(kept.len(), 2, "{kept:?}");
        assert_eq!(kept[0], ("x-end", &HeaderValue::from_static("1")));
        assert_eq!(kept[1], ("x-end", &HeaderValue::from_static("2")));
    }

    #[test]
    fn event_streams_are_transient() {
        let with = |name: &str, value: &str| {
            is_transient(&HttpResponse::Ok().append_header((name, value)).finish())
        };
        assert!(with("content-type", "Text/Event-Stream; charset=utf-8"));
        assert!(!with("content-type", "text/plain"));
    }
}
