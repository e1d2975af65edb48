//! The parts of a multipart body, whatever its boundary.

use std::convert::Infallible;

use actix_web::web::Bytes;
use futures_util::future::ready;
use futures_util::{FutureExt, stream};
use memchr::memmem::find_iter;
use multer::Multipart;

use super::digest::digest;

/// The digest of what stands between the boundaries, in its order: the parts as they were sent, headers and
/// contents. `None` for what is no whole multipart body, or has its boundary within a line too.
pub(crate) fn parts(body: &[u8], boundary: &str) -> Option<[u8; 32]> {
    let parts = count(body, boundary)?;
    let delimiter = format!("--{boundary}");
    let (mut pieces, mut start) = (Vec::new(), 0);
    for at in find_iter(body, delimiter.as_bytes()) {
        pieces.push(&body[start..at]);
        start = at + delimiter.len();
    }
    pieces.push(&body[start..]);
    // Before the first part stands a piece, and behind the last.
    (pieces.len() == parts + 2).then(|| digest(&pieces))
}

/// How many parts there are, if the body is whole.
fn count(body: &[u8], boundary: &str) -> Option<usize> {
    let body = Bytes::copy_from_slice(body);
    let body = stream::once(ready(Ok::<_, Infallible>(body)));
    let mut multipart = Multipart::new(body, boundary);
    let mut parts = 0;
    // All of the body is there, so that whatever is not ready at once never is.
    while multipart.next_field().now_or_never()?.ok()?.is_some() {
        parts += 1;
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(body: &str) -> Option<[u8; 32]> {
        parts(body.replace('\n', "\r\n").as_bytes(), "b")
    }

    #[test]
    fn the_boundary_does_not_count() {
        let body = "--B\r\nA: 1\r\n\r\nx\r\n--B--\r\n";
        let [one, other] = ["one", "another-one"].map(|boundary| {
            let body = body.replace('B', boundary);
            parts(body.as_bytes(), boundary).expect("parts")
        });
        assert_eq!(one, other);
    }

    #[test]
    fn each_part_counts_with_its_headers_its_content_and_its_place() {
        let bodies = [
            "--b\nA: 1\n\nx\n--b--",
            "--b\nA: 1\n\ny\n--b--",
            "--b\nA: 2\n\nx\n--b--",
            "--b\nB: 1\n\nx\n--b--",
            "--b\nA: 1\nA: 1\n\nx\n--b--",
            "--b\nA: 1\n\nx\n--b\nA: 1\n\n\n--b--",
            "--b\nA: 1\n\n\n--b\nA: 1\n\nx\n--b--",
            "--b--",
        ];
        for (i, body) in bodies.iter().enumerate() {
            assert!(of(body).is_some(), "{body}");
            for other in &bodies[i + 1..] {
                assert_ne!(of(body), of(other), "{body} {other}");
            }
        }
    }

    #[test]
    fn a_body_that_is_cut_off_has_no_parts() {
        let whole = "--b\nA: 1\n\nx\n--b--";
        assert!(of(whole).is_some());
        for end in 0..whole.len() - 1 {
            assert_eq!(of(&whole[..end]), None, "{}", &whole[..end]);
        }
    }
}
