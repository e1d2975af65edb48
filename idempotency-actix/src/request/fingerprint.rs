//! What tells two requests under one key apart. It knows the request, and not why somebody compares.

use std::fmt;

use actix_web::HttpRequest;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_TYPE};

use super::digest::{Frame, digest, short};

/// Digest that tells two requests under one key apart.
///
/// It covers the body's octets, path and query, `Content-Type` and `Content-Encoding`, each framed
/// by its length, so that no two different requests run together. The digest is BLAKE3: collision
/// resistant, and faster than SHA-256 on anything larger than a few kilobytes.
///
/// The scheme is stored beside the digest. A store keeps both and compares neither: the engine does,
/// and answers 503 rather than 422 when it meets a scheme that it cannot compute.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    scheme: u8,
    digest: [u8; 32],
}

impl Fingerprint {
    /// The scheme of a body as it came.
    pub const BYTES: u8 = 1;

    /// The scheme of a body in canonical JSON.
    pub const JSON: u8 = 2;

    /// The scheme of a function of the application's.
    pub const FUNCTION: u8 = 3;

    /// Hashes a request as it came.
    pub(crate) fn of_bytes(request: &HttpRequest, body: &[u8]) -> Self {
        Self::framed(Self::BYTES, request, body, &[])
    }

    /// Hashes a request by the canonical form of its body, where that has one.
    #[cfg(feature = "json")]
    pub(crate) fn of_json(request: &HttpRequest, body: &[u8], canonical: Option<&[u8]>) -> Self {
        let form = [u8::from(canonical.is_some())];
        Self::framed(Self::JSON, request, canonical.unwrap_or(body), &form)
    }

    /// Hashes what a function made of a request.
    pub(crate) fn of_result(result: &[u8]) -> Self {
        Self::new(Self::FUNCTION, digest(&[result]))
    }

    /// The body comes first, so its length closes the frame instead of opening it.
    fn framed(scheme: u8, request: &HttpRequest, body: &[u8], form: &[u8]) -> Self {
        let (path, query) = (request.match_info().as_str(), request.uri().query());
        let digest = Frame::with(|rest| {
            rest.target(path, query);
            for name in [CONTENT_TYPE, CONTENT_ENCODING] {
                let lines = request.headers().get_all(name);
                rest.number(lines.len());
                lines.for_each(|line| rest.field(line.as_bytes()));
            }
            rest.octets(form);
            rest.number(body.len());
            rest.digest_after(body)
        });
        Self::new(scheme, digest)
    }

    /// Rebuilds a fingerprint from what a store kept.
    pub fn new(scheme: u8, digest: [u8; 32]) -> Self {
        Self { scheme, digest }
    }

    /// How the digest was computed.
    pub fn scheme(&self) -> u8 {
        self.scheme
    }

    /// The digest's octets.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({}:{})", self.scheme, short(&self.digest))
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use proptest::prelude::*;

    use super::*;

    fn of(body: &[u8], uri: &str, headers: &[(&str, &str)]) -> Fingerprint {
        let mut request = TestRequest::post().uri(uri);
        for header in headers {
            request = request.append_header(*header);
        }
        Fingerprint::of_bytes(&request.to_http_request(), body)
    }

    #[test]
    fn every_field_counts() {
        let json = [("content-type", "application/json")];
        let gzip = [("content-encoding", "application/json")];
        let all = [
            of(b"abc", "/", &[]),
            of(b"abd", "/", &[]),
            of(b"ab", "/c", &[]),
            of(b"abc", "/?a", &[]),
            of(b"abc", "/", &json),
            of(b"abc", "/", &gzip),
            of(b"abc", "/", &[("content-type", "")]),
        ];
        for (i, a) in all.iter().enumerate() {
            for b in &all[i + 1..] {
                assert_ne!(a, b);
            }
        }
    }

    fn strategy() -> impl Strategy<Value = (Vec<u8>, String, Option<String>, Option<String>)> {
        (
            proptest::collection::vec(b'a'..=b'b', 0..3),
            "/[ab]{0,2}(\\?[ab]{0,2})?",
            proptest::option::of("[ab]{0,2}"),
            proptest::option::of("[ab]{0,2}"),
        )
    }

    fn of_parts(parts: &(Vec<u8>, String, Option<String>, Option<String>)) -> Fingerprint {
        let (body, target, kind, encoding) = parts;
        let kind = kind.iter().map(|value| ("content-type", &**value));
        let encoding = encoding.iter().map(|value| ("content-encoding", &**value));
        of(body, target, &kind.chain(encoding).collect::<Vec<_>>())
    }

    proptest! {
        #[test]
        fn two_requests_have_one_fingerprint_only_if_they_are_the_same(
            one in strategy(),
            other in strategy(),
        ) {
            prop_assert_eq!(of_parts(&one) == of_parts(&other), one == other);
        }
    }

    /// Frozen with the scheme: another digest under scheme 1 would answer retries of the deploy 422.
    #[test]
    fn the_fingerprint_of_scheme_1_never_changes() {
        let headers = [
            ("content-type", "application/json"),
            ("content-encoding", "gzip"),
        ];
        let fingerprint = of(b"{}", "/charges?a=1", &headers);
        let hex: String = fingerprint
            .digest()
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        assert_eq!(
            (fingerprint.scheme(), hex.as_str()),
            (
                1,
                "cf8ae38dbac3e1d3456173018e96e4f93fa64a8e7b8cb2d6893202d767d6fa75"
            )
        );
    }
}
