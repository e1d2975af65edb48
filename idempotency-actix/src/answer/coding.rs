//! Content codings: of which an answer is, and which a retry accepts (RFC 9110, sections 8.4 and 12.5.3).

use actix_web::HttpRequest;
use actix_web::http::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, Encoding, HeaderMap, HeaderValue, Preference, Quality,
    QualityItem, VARY,
};

use crate::store::StoredResponse;

/// What an answer that depends on `Accept-Encoding` tells caches.
pub(super) const BY_CODING: HeaderValue = HeaderValue::from_static("Accept-Encoding");

/// Which content codings a client accepts, beside none: its `Accept-Encoding`, unread.
///
/// Without one it accepts none. The RFC would have it accept any, but such a client hardly ever decodes, and
/// would take octets that it cannot read for the answer.
#[derive(Default)]
pub(crate) struct Accepted(Option<HeaderValue>);

impl Accepted {
    pub(crate) fn by(request: &HttpRequest) -> Self {
        let mut lines = request.headers().get_all(ACCEPT_ENCODING);
        let first = lines.next().cloned();
        let joined = lines.fold(first, |first, line| {
            let both = [first?.as_bytes(), b", ", line.as_bytes()].concat();
            HeaderValue::from_bytes(&both).ok()
        });
        Self(joined)
    }

    /// Whether the client can read the answer: it accepts every coding that was applied, or there is
    /// nothing to decode.
    pub(super) fn can_read(&self, answer: &StoredResponse) -> bool {
        let lines = answer.headers().iter();
        let lines = lines.filter(|(name, _)| name == CONTENT_ENCODING);
        let mut codings = lines.flat_map(|(_, value)| codings(value)).peekable();
        if codings.peek().is_none() || answer.body().is_none_or(|body| body.is_empty()) {
            return true;
        }
        let accepted = self.read();
        codings.all(|coding| {
            let mut quality = None;
            for item in &accepted {
                match &item.item {
                    Preference::Any => quality = quality.or(Some(item.quality)),
                    Preference::Specific(accepted) if is_same(accepted, coding) => {
                        quality = Some(item.quality);
                        break;
                    }
                    Preference::Specific(_) => {}
                }
            }
            quality.is_some_and(|quality| quality > Quality::ZERO)
        })
    }

    /// The items that can be read. One that cannot says nothing about the others.
    fn read(&self) -> Vec<QualityItem<Preference<Encoding>>> {
        let line = self.0.as_ref().map_or(&[][..], HeaderValue::as_bytes);
        let items = line.split(|&octet| octet == b',');
        let items = items.filter_map(|item| str::from_utf8(item).ok()?.trim().parse().ok());
        items.collect()
    }
}

/// Whether a coding was applied to the body.
pub(super) fn is_encoded(headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(CONTENT_ENCODING);
    lines.any(|value| codings(value).next().is_some())
}

/// Tells caches that the answer depends on `Accept-Encoding`, unless the handler has.
pub(super) fn vary_by_coding(headers: &mut HeaderMap) {
    let mut lines = headers.get_all(VARY).filter_map(|line| line.to_str().ok());
    let is_told = lines.any(|line| {
        let mut names = line.split(',').map(str::trim);
        names.any(|name| name == "*" || name.eq_ignore_ascii_case(ACCEPT_ENCODING.as_str()))
    });
    if !is_told {
        headers.append(VARY, BY_CODING);
    }
}

/// The codings of one line of `Content-Encoding`, without `identity`, which is none. A line that is no text
/// is a coding that nobody knows.
fn codings(line: &HeaderValue) -> impl Iterator<Item = &str> {
    let codings = line.to_str().unwrap_or("?").split(',').map(str::trim);
    codings.filter(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("identity"))
}

fn is_same(accepted: &Encoding, coding: &str) -> bool {
    let accepted = accepted.to_string();
    plain(&accepted).eq_ignore_ascii_case(plain(coding))
}

/// A coding without the prefix of its older name: `x-gzip` and `x-compress` (RFC 9110, section 8.4.1).
fn plain(coding: &str) -> &str {
    match coding.split_at_checked(2) {
        Some((x, name)) if x.eq_ignore_ascii_case("x-") && has_older_name(name) => name,
        _ => coding,
    }
}

fn has_older_name(coding: &str) -> bool {
    let mut codings = ["gzip", "compress"].into_iter();
    codings.any(|other| coding.eq_ignore_ascii_case(other))
}

#[cfg(test)]
mod tests {
    use actix_web::http::StatusCode;
    use actix_web::web::Bytes;

    use super::*;

    #[track_caller]
    fn can_read(accepted: Option<&'static str>, applied: &'static str) -> bool {
        let line = (CONTENT_ENCODING, HeaderValue::from_static(applied));
        let body = Some(Bytes::from_static(b"octets"));
        let answer = StoredResponse::new(StatusCode::OK, [line], body);
        Accepted(accepted.map(HeaderValue::from_static)).can_read(&answer)
    }

    #[test]
    fn a_coding_is_accepted_by_its_name() {
        assert!(can_read(Some("gzip"), "gzip"));
        assert!(can_read(Some("br, GZIP;q=0.2"), "gzip"));
        assert!(can_read(Some("gzip"), "GZip"));
        assert!(can_read(Some("my-coding"), "My-Coding"));
        assert!(!can_read(Some("br, deflate"), "gzip"));
        assert!(!can_read(Some("gzip-like"), "gzip"));
    }

    #[test]
    fn none_is_accepted_without_a_word() {
        assert!(!can_read(None, "gzip"));
        assert!(!can_read(Some(""), "gzip"));
        assert!(!can_read(Some("identity"), "gzip"));
        assert!(can_read(None, "identity"));
        assert!(can_read(Some("*;q=0"), "Identity, "));
    }

    #[test]
    fn a_quality_of_zero_refuses() {
        assert!(!can_read(Some("gzip;q=0"), "gzip"));
        assert!(!can_read(Some("gzip; q=0.000, *"), "gzip"));
        assert!(!can_read(Some("*, gzip;q=0"), "gzip"));
        assert!(can_read(Some("gzip;q=0.001"), "gzip"));
    }

    #[test]
    fn a_star_is_for_every_coding_without_its_name() {
        assert!(can_read(Some("*"), "gzip"));
        assert!(can_read(Some("br;q=0, *;q=0.1"), "gzip"));
        assert!(can_read(Some("*;q=0, gzip"), "gzip"));
        assert!(!can_read(Some("*;q=0"), "gzip"));
    }

    #[test]
    fn every_coding_that_was_applied_must_be_accepted() {
        assert!(can_read(Some("gzip, br"), "gzip, br"));
        assert!(can_read(Some("gzip, *;q=0.5"), "br, identity, gzip"));
        assert!(!can_read(Some("gzip"), "gzip, br"));
        assert!(!can_read(Some("gzip, br;q=0"), "br, gzip"));
    }

    #[test]
    fn older_names_are_the_same_codings() {
        assert!(can_read(Some("x-gzip"), "gzip"));
        assert!(can_read(Some("gzip"), "X-gzip"));
        assert!(can_read(Some("X-GZIP"), "gzip"));
        assert!(can_read(Some("GZIP"), "X-GZip"));
        assert!(can_read(Some("x-compress"), "compress"));
        assert!(!can_read(Some("br"), "x-br"));
    }

    #[test]
    fn an_item_that_cannot_be_read_does_not_void_the_others() {
        assert!(can_read(Some("br;q=x, gzip"), "gzip"));
        let line = HeaderValue::from_bytes(b"\xe9t\xe9, gzip").expect("a value");
        let applied = (CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        let body = Some(Bytes::from_static(b"octets"));
        let answer = StoredResponse::new(StatusCode::OK, [applied], body);
        assert!(Accepted(Some(line)).can_read(&answer));
    }
}
