//! What tells two requests under one key apart. It knows the request, and not why somebody compares.

use std::fmt;

use actix_web::HttpRequest;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderName};

use super::digest::{digest, digest_of, short};
use super::host::hosts;
use super::path::{path_of, spelled};

/// Digest that tells two requests under one key apart.
///
/// It covers the body's octets, path and query, `Content-Type`, `Content-Encoding` and the headers that
/// [`vary`](crate::RouteOptions::vary) names, each framed by its length, so that no two different requests run together. The digest is BLAKE3: collision
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

    /// The scheme of a function of the application's.
    pub const FUNCTION: u8 = 3;

    /// The scheme of a body in canonical JSON. 2 was the same with the media type as it came.
    pub const JSON: u8 = 4;

    /// The scheme of the parts of a multipart body.
    pub const MULTIPART: u8 = 5;

    /// Added to another scheme where request headers count too. Their names are in the first four
    /// octets of the digest: under other names it could not be computed again.
    pub const VARY: u8 = 0x80;

    /// Hashes a request as it came.
    pub(crate) fn of_bytes(request: &HttpRequest, body: &[u8]) -> Self {
        Self::framed(Self::BYTES, request, body, None, &[])
    }

    /// Hashes a request by the form of its media type and the canonical form of its body, where they have one.
    #[cfg(feature = "json")]
    pub(crate) fn of_json(
        request: &HttpRequest,
        body: &[u8],
        media: Option<&str>,
        canonical: Option<&[u8]>,
    ) -> Self {
        let form = [u8::from(canonical.is_some())];
        let body = canonical.unwrap_or(body);
        Self::framed(Self::JSON, request, body, media, &form)
    }

    /// Hashes a request by the form of its media type and the digest of its parts, where it has parts.
    #[cfg(feature = "multipart")]
    pub(crate) fn of_parts(
        request: &HttpRequest,
        body: &[u8],
        parts: Option<(&str, &[u8; 32])>,
    ) -> Self {
        let form = [u8::from(parts.is_some())];
        let (media, body) = match parts {
            Some((media, parts)) => (Some(media), &parts[..]),
            None => (None, body),
        };
        Self::framed(Self::MULTIPART, request, body, media, &form)
    }

    /// Hashes what a function made of a request.
    pub(crate) fn of_result(result: &[u8]) -> Self {
        Self::new(Self::FUNCTION, digest(&[result]))
    }

    /// Has these headers of the request count too, all lines of each. The names are sorted.
    pub(crate) fn with_headers(self, request: &HttpRequest, names: &[HeaderName]) -> Self {
        let mut fields = vec![self.digest.to_vec()];
        for name in names {
            let lines = match name {
                name if name == HOST => hosts(request),
                name => {
                    let lines = request.headers().get_all(name);
                    lines.map(|line| line.as_bytes().to_vec()).collect()
                }
            };
            fields.push((lines.len() as u64).to_le_bytes().to_vec());
            fields.extend(lines);
        }
        let fields: Vec<&[u8]> = fields.iter().map(|field| &field[..]).collect();
        let names: Vec<&[u8]> = names.iter().map(|name| name.as_str().as_bytes()).collect();
        let mut tagged = digest(&fields);
        tagged[..4].copy_from_slice(&digest(&names)[..4]);
        Self::new(self.scheme | Self::VARY, tagged)
    }

    /// Whether the two were computed in one way, so that they differ only if the requests do.
    pub(crate) fn is_comparable_to(&self, other: &Self) -> bool {
        let names_differ = self.digest[..4] != other.digest[..4];
        self.scheme == other.scheme && !(self.scheme & Self::VARY != 0 && names_differ)
    }

    /// The body comes first, so its length closes the frame instead of opening it.
    fn framed(
        scheme: u8,
        request: &HttpRequest,
        body: &[u8],
        media: Option<&str>,
        form: &[u8],
    ) -> Self {
        let (path, query) = (spelled(path_of(request)), request.uri().query());
        let digest = digest_of(body, |rest| {
            rest.target(&path, query);
            for (name, form) in [(CONTENT_TYPE, media), (CONTENT_ENCODING, None)] {
                if let Some(form) = form {
                    rest.number(1);
                    rest.field(form.as_bytes());
                    continue;
                }
                let lines = request.headers().get_all(name);
                rest.number(lines.len());
                lines.for_each(|line| rest.field(line.as_bytes()));
            }
            rest.octets(form);
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

    fn varied(headers: &[(&str, &str)], names: &[&'static str]) -> Fingerprint {
        let mut request = TestRequest::post();
        for header in headers {
            request = request.append_header(*header);
        }
        let request = request.to_http_request();
        let names: Vec<_> = names.iter().copied().map(HeaderName::from_static).collect();
        Fingerprint::of_bytes(&request, b"").with_headers(&request, &names)
    }

    #[test]
    fn all_lines_of_a_header_that_varies_count_and_absent_is_not_empty() {
        let names = ["a", "b"];
        let all = [
            varied(&[], &names),
            varied(&[("a", "")], &names),
            varied(&[("b", "")], &names),
            varied(&[("a", "1")], &names),
            varied(&[("a", "1"), ("a", "2")], &names),
            varied(&[("a", "2"), ("a", "1")], &names),
            varied(&[("a", "1"), ("b", "2")], &names),
            varied(&[("a", "1, 2")], &names),
        ];
        for (i, a) in all.iter().enumerate() {
            for b in &all[i + 1..] {
                assert_ne!(a, b);
                assert!(a.is_comparable_to(b));
            }
        }
        assert_eq!(varied(&[("c", "1")], &names), all[0]);
    }

    #[test]
    fn under_other_names_nothing_is_comparable() {
        let by_a = varied(&[("a", "1")], &["a"]);
        assert!(by_a.is_comparable_to(&varied(&[], &["a"])));
        assert!(!by_a.is_comparable_to(&varied(&[("a", "1")], &["a", "b"])));
        assert!(!by_a.is_comparable_to(&varied(&[("a", "1")], &["b"])));
        assert!(!by_a.is_comparable_to(&of(b"", "/", &[])));
    }

    fn hex(fingerprint: &Fingerprint) -> String {
        let digest = fingerprint.digest().iter();
        digest.map(|b| format!("{b:02x}")).collect()
    }

    /// Frozen with their schemes, for the same reason.
    #[test]
    #[cfg(all(feature = "json", feature = "multipart"))]
    fn the_fingerprints_of_the_other_schemes_never_change() {
        let request = TestRequest::post().uri("/charges?a=1");
        let request = request.insert_header((CONTENT_TYPE, "text/plain"));
        let request = request.insert_header((HOST, "A.test")).to_http_request();
        let json = Some("application/json");
        let digests = [
            Fingerprint::of_result(b"{}"),
            Fingerprint::of_json(&request, b"{ }", json, Some(b"{}")),
            Fingerprint::of_parts(&request, b"{}", Some(("multipart/form-data", &[7; 32]))),
            Fingerprint::of_bytes(&request, b"{}").with_headers(&request, &[HOST]),
        ]
        .map(|fingerprint| format!("{} {}", fingerprint.scheme(), hex(&fingerprint)));
        assert_eq!(
            digests,
            [
                "3 c7811ec5da52a34efeaadc2c8ada11234c2e487266284d1695e61dadebbff32c",
                "4 8633d4ec64a97d6685b54e156ef59b25c8b530254218703f00de481f3b9943d8",
                "5 ac55f63da1caa9bfdde023ccad15dce768b3ef833e4d1df3ac6d6a0d3247a86c",
                "129 dcf35ef4e00c4a1c6fed01fa8472538ec872ef1a1e559d5e615188257156126f",
            ]
        );
    }

    /// Frozen with the scheme: another digest under scheme 1 would answer retries of the deploy 422.
    #[test]
    fn the_fingerprint_of_scheme_1_never_changes() {
        let headers = [
            ("content-type", "application/json"),
            ("content-encoding", "gzip"),
        ];
        let fingerprint = of(b"{}", "/charges?a=1", &headers);
        let hex = hex(&fingerprint);
        assert_eq!(
            (fingerprint.scheme(), hex.as_str()),
            (
                1,
                "1237ebf649ba67a93b99fe63289a3b1fd50acd22305efc07b416255b293bbe13"
            )
        );
    }
}
