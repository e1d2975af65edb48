use std::fmt;

use actix_web::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use actix_web::{HttpRequest, http::header::HeaderName};

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
    /// The scheme that this version computes: the bytes as they came.
    pub const BYTES: u8 = 1;

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

/// Takes the body as it arrives, then the rest of the request.
pub(crate) struct Fingerprinter {
    hasher: blake3::Hasher,
    body_len: u64,
}

impl Fingerprinter {
    pub(crate) fn new() -> Self {
        Self {
            hasher: blake3::Hasher::new(),
            body_len: 0,
        }
    }

    pub(crate) fn body(&mut self, chunk: &[u8]) {
        self.hasher.update(chunk);
        self.body_len += chunk.len() as u64;
    }

    /// The body comes first, so its length closes the frame instead of opening it.
    pub(crate) fn finish(mut self, request: &HttpRequest) -> Fingerprint {
        let target = request.uri().path_and_query().map_or("", |pq| pq.as_str());
        field(&mut self.hasher, target.as_bytes());
        for name in [CONTENT_TYPE, CONTENT_ENCODING] {
            self.header(request, name);
        }
        self.hasher.update(&self.body_len.to_le_bytes());
        Fingerprint::new(Fingerprint::BYTES, *self.hasher.finalize().as_bytes())
    }

    fn header(&mut self, request: &HttpRequest, name: HeaderName) {
        let lines = request.headers().get_all(name);
        self.hasher.update(&(lines.len() as u64).to_le_bytes());
        for line in lines {
            field(&mut self.hasher, line.as_bytes());
        }
    }
}

/// Feeds one field framed by its length, so that no choice of contents can imitate a border.
pub(crate) fn field(hasher: &mut blake3::Hasher, bytes: &[u8]) {
    hasher.update(&(bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}

/// The first four octets in hexadecimal: what logs and `Debug` may show of a digest.
pub(crate) fn short(digest: &[u8]) -> String {
    digest.iter().take(4).map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn of(body: &[&[u8]], uri: &str, headers: &[(&str, &str)]) -> Fingerprint {
        let mut request = TestRequest::post().uri(uri);
        for header in headers {
            request = request.append_header(*header);
        }
        let mut fingerprinter = Fingerprinter::new();
        for chunk in body {
            fingerprinter.body(chunk);
        }
        fingerprinter.finish(&request.to_http_request())
    }

    #[test]
    fn chunking_does_not_matter() {
        assert_eq!(of(&[b"ab", b"c"], "/", &[]), of(&[b"abc"], "/", &[]));
    }

    #[test]
    fn every_field_counts() {
        let json = [("content-type", "application/json")];
        let gzip = [("content-encoding", "application/json")];
        let all = [
            of(&[b"abc"], "/", &[]),
            of(&[b"abd"], "/", &[]),
            of(&[b"ab"], "/c", &[]),
            of(&[b"abc"], "/?a", &[]),
            of(&[b"abc"], "/", &json),
            of(&[b"abc"], "/", &gzip),
            of(&[b"abc"], "/", &[("content-type", "")]),
        ];
        for (i, a) in all.iter().enumerate() {
            for b in &all[i + 1..] {
                assert_ne!(a, b);
            }
        }
    }
}
