//! When a request was sent for the first time, as a header of it tells (Repeatable Requests 1.0 of OASIS). It does not know
//! how long ago that may be.

use std::time::SystemTime;

use actix_web::http::header::{HeaderMap, HeaderName, HttpDate};

/// Reads the time. It has the one form of IMF-fixdate (RFC 9110, section 5.6.7), as in
/// `Sun, 06 Nov 1994 08:49:37 GMT`; the obsolete ones do not tell their century.
pub(crate) fn first_sent(
    headers: &HeaderMap,
    name: &HeaderName,
) -> Result<SystemTime, InvalidFirstSent> {
    let mut lines = headers.get_all(name);
    let line = lines.next().ok_or(InvalidFirstSent::Missing)?;
    if lines.next().is_some() {
        return Err(InvalidFirstSent::Repeated);
    }
    let text = line.to_str().unwrap_or_default();
    match text.parse::<HttpDate>() {
        Ok(date) if date.to_string() == text => Ok(date.into()),
        _ => Err(InvalidFirstSent::Malformed),
    }
}

/// Why a request does not tell when it was first sent; the text is the answer's `detail`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InvalidFirstSent {
    Missing,
    Repeated,
    Malformed,
    Ahead,
}

impl InvalidFirstSent {
    pub(crate) fn detail(self) -> &'static str {
        match self {
            Self::Missing => "The request does not tell when it was first sent.",
            Self::Repeated => "The header is there more than once.",
            Self::Malformed => {
                "The time must be an IMF-fixdate, such as \"Sun, 06 Nov 1994 08:49:37 GMT\"."
            }
            Self::Ahead => "The time is more than 5 minutes ahead of the server's clock.",
        }
    }
}
