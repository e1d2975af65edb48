//! An answer as a record keeps it. It knows no answer of actix-web's, and no stored octets.

use std::fmt;
use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue, LOCATION};
use actix_web::web::Bytes;

use super::not_kept::NotKept;

/// Up to here a copy of a body costs less than the memory that it saves.
const SHORT_BODY: usize = 1024;

/// A captured answer: status, reason phrase, header lines and body, as every retry will get them.
///
/// Lines of one name keep their order and number. Cloning is cheap.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredResponse {
    status: StatusCode,
    reason: Option<Arc<str>>,
    is_error: bool,
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
            reason: None,
            is_error: false,
            headers: headers.into_iter().collect(),
            body,
        }
    }

    /// The same answer with a reason phrase of its own, over HTTP/1.1.
    ///
    /// One that is the status code's usual phrase is left out, and one that a status line cannot hold, which
    /// would end the line: it has control characters other than a tab, or is over 64 KiB.
    #[must_use]
    pub fn with_reason(self, reason: Option<&str>) -> Self {
        let own = reason.filter(|reason| Some(*reason) != self.status.canonical_reason());
        let fits = |reason: &&str| {
            reason.len() <= usize::from(u16::MAX)
                && !reason.bytes().any(|b| b != b'\t' && b.is_ascii_control())
        };
        Self {
            reason: own.filter(fits).map(Arc::from),
            ..self
        }
    }

    /// The same answer, given as an error of what the layer wraps. Replays are then errors too, since
    /// middleware around the layer may treat errors otherwise.
    #[must_use]
    pub fn as_error(self) -> Self {
        Self {
            is_error: true,
            ..self
        }
    }

    /// The status code.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The reason phrase, where it is not the usual one.
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// Whether the answer was given [as an error](Self::as_error).
    pub fn is_error(&self) -> bool {
        self.is_error
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

    /// Octets of reason phrase, header lines and body together: what a store's size limit counts.
    pub fn size(&self) -> usize {
        let lines = self.headers().iter();
        let head: usize = lines.map(|(n, v)| n.as_str().len() + v.len()).sum();
        let reason = self.reason().map_or(0, str::len);
        reason + head + self.body().map_or(0, Bytes::len)
    }

    /// The same answer for long keeping. A handler's buffer may have room for twice the body, which nobody
    /// counts, so a short body is copied into one of its length.
    pub(crate) fn compact(&self) -> Self {
        let body = self.body().map(|body| match body.len() {
            ..=SHORT_BODY => Bytes::copy_from_slice(body),
            _ => body.clone(),
        });
        Self {
            body,
            ..self.clone()
        }
    }

    /// What is left of the answer where it is not kept.
    pub(crate) fn not_kept(&self) -> NotKept {
        let location = self.header(&LOCATION);
        let location = location.map(|value| value.as_bytes().to_vec());
        NotKept::new(self.status().as_u16(), location)
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
