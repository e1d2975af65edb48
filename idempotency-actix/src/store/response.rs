//! An answer as a record keeps it. It knows no answer of actix-web's, and no stored octets.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue, LOCATION};
use actix_web::web::{Bytes, BytesMut};

use super::not_kept::NotKept;

/// A captured answer: status, reason phrase, header lines and body, as every retry will get them.
///
/// Lines of one name keep their order and number. Cloning is cheap.
#[derive(Clone)]
pub struct StoredResponse {
    status: StatusCode,
    reason: Option<Arc<str>>,
    is_error: bool,
    headers: Arc<[(HeaderName, HeaderValue)]>,
    body: Option<Bytes>,
    /// Milliseconds since 1970.
    answered_at: Option<u64>,
    is_compact: Compact,
}

/// Which parts are known to be in memory of their own size.
#[derive(Clone, Copy, Default)]
struct Compact {
    headers: bool,
    body: bool,
}

impl StoredResponse {
    /// An answer made of parts; `None` is an answer without a body, such as 304, and not an empty one.
    pub fn new(
        status: StatusCode,
        headers: impl IntoIterator<Item = (HeaderName, HeaderValue)>,
        body: Option<Bytes>,
    ) -> Self {
        Self {
            is_compact: Compact::default(),
            ..Self::of_exact(status, headers.into_iter().collect(), body)
        }
    }

    /// An answer whose header lines are [exact](exact_lines) already.
    pub(crate) fn of_exact(
        status: StatusCode,
        headers: Arc<[(HeaderName, HeaderValue)]>,
        body: Option<Bytes>,
    ) -> Self {
        Self {
            status,
            reason: None,
            is_error: false,
            headers,
            body,
            answered_at: None,
            is_compact: Compact {
                headers: true,
                body: false,
            },
        }
    }

    /// The same answer, of a body that was just collected. It is put into memory of its own size here, which costs
    /// nothing where its buffer is full.
    pub(crate) fn with_collected_body(self, body: Vec<u8>) -> Self {
        Self {
            body: Some(body.into_boxed_slice().into()),
            is_compact: Compact {
                body: true,
                ..self.is_compact
            },
            ..self
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

    /// The same answer, given at that time: in milliseconds, and not before 1970.
    #[must_use]
    pub fn answered(self, at: SystemTime) -> Self {
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            answered_at: Some(u64::try_from(since.as_millis()).unwrap_or(u64::MAX)),
            ..self
        }
    }

    /// When the answer was given, by the clock of whoever did. It is told to operators, and nothing is decided by it.
    pub fn answered_at(&self) -> Option<SystemTime> {
        UNIX_EPOCH.checked_add(Duration::from_millis(self.answered_at?))
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

    /// The same answer in memory of its own size, for long keeping; nothing is copied twice.
    ///
    /// A body or a header's value may be a slice of a buffer that is larger by far. No `Bytes` tells its buffer's size,
    /// so what is not known to be exact is copied.
    pub(crate) fn compact(&self) -> Self {
        Self {
            status: self.status,
            reason: self.reason.clone(),
            is_error: self.is_error,
            answered_at: self.answered_at,
            headers: match self.is_compact.headers {
                true => Arc::clone(&self.headers),
                false => {
                    let lines = self.headers.iter().map(|(name, value)| (name, value));
                    exact_lines(&lines.collect::<Vec<_>>())
                }
            },
            body: match self.is_compact.body {
                true => self.body.clone(),
                false => self.body().map(|body| Bytes::copy_from_slice(body)),
            },
            is_compact: Compact {
                headers: true,
                body: true,
            },
        }
    }

    /// What is left of the answer where it is not kept.
    pub(crate) fn not_kept(&self) -> NotKept {
        let location = self.header(&LOCATION);
        let location = location.map(|value| value.as_bytes().to_vec());
        NotKept::new(self.status().as_u16(), location)
    }
}

/// By what a retry gets, wherever it is kept.
impl PartialEq for StoredResponse {
    fn eq(&self, other: &Self) -> bool {
        let parts = |it: &Self| (it.status, it.is_error, it.body.clone());
        parts(self) == parts(other) && self.reason == other.reason && self.headers == other.headers
    }
}

impl Eq for StoredResponse {}

/// Copies of header lines, whose values share one buffer of their size: one allocation for all, not one for each.
pub(crate) fn exact_lines(
    lines: &[(&HeaderName, &HeaderValue)],
) -> Arc<[(HeaderName, HeaderValue)]> {
    let mut values = BytesMut::with_capacity(lines.iter().map(|(_, value)| value.len()).sum());
    for (_, value) in lines {
        values.extend_from_slice(value.as_bytes());
    }
    let mut values = values.freeze();
    let copies = lines.iter().map(|&(name, value)| {
        let octets = values.split_to(value.len());
        // Octets of a value make a value, and those of a name the same name.
        let mut copy = HeaderValue::from_maybe_shared(octets).unwrap_or_else(|_| value.clone());
        copy.set_sensitive(value.is_sensitive());
        let name =
            HeaderName::from_bytes(name.as_str().as_bytes()).unwrap_or_else(|_| name.clone());
        (name, copy)
    });
    copies.collect()
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

#[cfg(test)]
mod tests {
    use actix_web::http::header::CONTENT_TYPE;

    use super::*;

    /// The last 16 octets of a buffer of 1 MiB, which lives as long as they do.
    fn slice() -> Bytes {
        Bytes::from(vec![b'x'; 1 << 20]).split_off((1 << 20) - 16)
    }

    #[test]
    fn what_is_compact_holds_no_larger_buffer_and_is_not_copied_again() {
        let (body, value) = (slice(), slice());
        let mut secret = HeaderValue::from_maybe_shared(value.clone()).expect("a value");
        secret.set_sensitive(true);
        let lines = [
            (CONTENT_TYPE, HeaderValue::from_static("text/plain")),
            (HeaderName::from_static("x-secret"), secret),
        ];
        let response = StoredResponse::new(StatusCode::OK, lines, Some(body.clone()));
        let compact = response.compact();
        assert_eq!(compact, response);
        assert!(compact.headers()[1].1.is_sensitive());
        drop(response);
        assert!(body.is_unique() && value.is_unique());

        let again = compact.compact();
        let place = |response: &StoredResponse| response.body().map(|body| body.as_ptr());
        assert_eq!(place(&again), place(&compact));
        assert_eq!(again.headers().as_ptr(), compact.headers().as_ptr());
    }

    #[test]
    fn a_collected_body_is_not_copied() {
        let body = vec![b'x'; 5000];
        let place = body.as_ptr();
        let response = StoredResponse::new(StatusCode::OK, [], None).with_collected_body(body);
        let kept = response.compact();
        assert_eq!(
            kept.body().map(|body| (body.as_ptr(), body.len())),
            Some((place, 5000))
        );
    }
}
