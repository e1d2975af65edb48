//! Our own answers (400, 409, 410, 412, 413, 422, 429, 500, 503) as `application/problem+json` of RFC 9457. None of them ever
//! binds a key.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, LINK, LOCATION, RETRY_AFTER, VARY,
};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::coding::BY_CODING;
use super::not_executed::NotExecuted;
use crate::request::{InvalidFirstSent, InvalidKey};
use crate::store::NotKept;

/// Seconds after which a retry may find what it looks for. Not the lease: most handlers are done soon.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("1");

/// What a client can be told instead of an answer.
#[derive(Clone, Debug)]
pub(crate) enum Problem {
    /// With the header to send it in, if it is a header.
    MissingKey(Option<HeaderName>),
    InvalidKey(InvalidKey),
    KeyExpired {
        max_key_age: Duration,
    },
    InvalidFirstSent(InvalidFirstSent),
    NoScope,
    BodyTooLarge {
        limit: u64,
    },
    KeyReused,
    InFlight,
    QuotaExceeded,
    OutcomeUnknown,
    ResponseNotKept(NotKept),
    /// It is kept, in a content coding that this retry does not accept.
    OtherCoding(NotKept),
    StoreUnavailable,
    /// Nor does the store tell what became of a commit.
    Undecided,
    Draining,
}

impl Problem {
    /// The last part of the problem's type, its status and its title.
    pub(super) fn identity(&self) -> (&'static str, StatusCode, &'static str) {
        use StatusCode as S;
        match self {
            Self::MissingKey(_) => ("missing-key", S::BAD_REQUEST, "Idempotency key is missing"),
            Self::InvalidKey(_) => ("invalid-key", S::BAD_REQUEST, "Idempotency key is invalid"),
            Self::KeyExpired { .. } => (
                "key-expired",
                S::PRECONDITION_FAILED,
                "Idempotency key is too old",
            ),
            Self::InvalidFirstSent(_) => (
                "invalid-first-sent",
                S::BAD_REQUEST,
                "Time of the first try is invalid",
            ),
            Self::NoScope => ("no-scope", S::BAD_REQUEST, "Caller of the key is unknown"),
            Self::BodyTooLarge { .. } => (
                "body-too-large",
                S::PAYLOAD_TOO_LARGE,
                "Request body is too large for an idempotent request",
            ),
            Self::KeyReused => (
                "key-reused",
                S::UNPROCESSABLE_ENTITY,
                "Idempotency key was used for another request",
            ),
            Self::InFlight => (
                "in-flight",
                S::CONFLICT,
                "First request with this idempotency key is still running",
            ),
            Self::QuotaExceeded => (
                "quota-exceeded",
                S::TOO_MANY_REQUESTS,
                "Too many requests of this caller are running",
            ),
            Self::OutcomeUnknown => (
                "outcome-unknown",
                S::INTERNAL_SERVER_ERROR,
                "Outcome of the first request is unknown",
            ),
            Self::ResponseNotKept(_) | Self::OtherCoding(_) => (
                "response-not-kept",
                S::GONE,
                "First request was answered and its response not kept",
            ),
            Self::StoreUnavailable | Self::Undecided => (
                "store-unavailable",
                S::SERVICE_UNAVAILABLE,
                "Idempotency records are not available",
            ),
            Self::Draining => ("draining", S::SERVICE_UNAVAILABLE, "Server is stopping"),
        }
    }

    /// The last part of the problem's type.
    pub(crate) fn name(&self) -> &'static str {
        self.identity().0
    }

    pub(super) fn detail(&self) -> String {
        match self {
            Self::MissingKey(Some(header)) => format!(
                "Send a unique value in the {header} header, and the same one with every retry."
            ),
            Self::MissingKey(None) => "The request does not tell its key.".into(),
            Self::InvalidKey(reason) => reason.detail().into(),
            Self::KeyExpired { max_key_age } => format!(
                "A key is good for {} seconds, and this one is older. The first request may have taken effect; this one \
                was not executed. Check before you use a new key.",
                max_key_age.as_secs()
            ),
            Self::InvalidFirstSent(reason) => reason.detail().into(),
            Self::NoScope => {
                "The request does not tell whose key this is. Nothing was executed.".into()
            }
            Self::BodyTooLarge { limit } => {
                format!(
                    "With an idempotency key the body may have {limit} bytes. Nothing was executed."
                )
            }
            Self::KeyReused => "The method, path and key are those of an earlier request, but its \
                query, body or content type differs. Use a new key for a new request."
                .into(),
            Self::InFlight => "Retry later with the same key to get its answer.".into(),
            Self::OutcomeUnknown => {
                "The server stopped while the first request was running. It may \
                or may not have taken effect, and is not run again. Check before you use a new key."
                    .into()
            }
            Self::ResponseNotKept(_) => {
                "The request was executed once. Its response cannot be repeated.".into()
            }
            Self::OtherCoding(_) => {
                "The request was executed once. Its response is in a content coding that this \
                request does not accept. Retry with the first Accept-Encoding to get it."
                    .into()
            }
            Self::QuotaExceeded | Self::StoreUnavailable | Self::Draining => {
                "This request was not executed. Retry later with the same key.".into()
            }
            Self::Undecided => "It is not known yet whether this request took effect. Retry later with the same key to \
                learn it: it does not take effect twice."
                .into(),
        }
    }

    /// The answer, its type behind this base.
    pub(crate) fn response(self, base: &str) -> HttpResponse {
        let (name, status, title) = self.identity();
        let uri = format!("{base}{name}");
        let detail = self.detail();
        let mut members = Members {
            kind: &uri,
            status: status.as_u16(),
            title,
            detail: &detail,
            extension: None,
        };
        let mut response = HttpResponse::new(status);
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Ok(link) = HeaderValue::from_str(&format!("<{uri}>; rel=\"describedby\"")) {
            headers.insert(LINK, link);
        }
        match &self {
            Self::InFlight
            | Self::QuotaExceeded
            | Self::StoreUnavailable
            | Self::Undecided
            | Self::Draining => {
                headers.insert(RETRY_AFTER, RETRY_AFTER_SECONDS);
            }
            Self::KeyExpired { max_key_age } => {
                members.extension = Some(("max_key_age", max_key_age.as_secs()));
            }
            Self::ResponseNotKept(kept) | Self::OtherCoding(kept) => {
                members.extension = Some(("original_status", kept.status.into()));
                let location = kept.location.as_deref().map(HeaderValue::from_bytes);
                if let Some(Ok(location)) = location {
                    headers.insert(LOCATION, location);
                }
                if let Self::OtherCoding(_) = self {
                    headers.insert(VARY, BY_CODING);
                }
            }
            _ => {}
        }
        let body = serde_json::to_vec(&members).expect("texts and numbers are JSON");
        NotExecuted::mark(&mut response);
        let posed = Posed { problem: self, uri };
        response.extensions_mut().insert(posed);
        response.map_body(|_, _| BoxBody::new(body))
    }
}

/// What RFC 9457, section 3.1, has every problem tell, and what the type of this one adds.
struct Members<'a> {
    kind: &'a str,
    status: u16,
    title: &'a str,
    detail: &'a str,
    extension: Option<(&'static str, u64)>,
}

impl Serialize for Members<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", self.kind)?;
        map.serialize_entry("status", &self.status)?;
        map.serialize_entry("title", self.title)?;
        map.serialize_entry("detail", self.detail)?;
        if let Some((name, value)) = &self.extension {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// The mark of an answer that is a problem, until it has the form that the application gives it.
#[derive(Clone)]
pub(super) struct Posed {
    pub(super) problem: Problem,
    pub(super) uri: String,
}
