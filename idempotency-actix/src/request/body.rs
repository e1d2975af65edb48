//! A request's body, read within its limit and read again. It renders nothing.

use actix_web::HttpRequest;
use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::header::CONTENT_LENGTH;
use actix_web::web::{Bytes, BytesMut};
use futures_util::future::ready;
use futures_util::{StreamExt, stream};

/// How much of a body that nobody reads is taken off the wire before its request is refused.
const MOST_DRAINED: u64 = 64 * 1024;

/// Why a request's body could not be read.
pub(crate) enum Unread {
    TooLarge,
    Broken(PayloadError),
}

/// Reads the body within its limit. It is hashed afterwards, in one piece: a hasher that lives while the
/// body arrives would be moved with the request's future.
///
/// A body of one chunk stays the buffer that it came in. What is over the limit by its own
/// declaration is refused before a byte of it is read.
pub(crate) async fn read_body(
    request: &HttpRequest,
    payload: &mut Payload,
    limit: u64,
) -> Result<Bytes, Unread> {
    let declared = declared_length(request);
    if declared.is_some_and(|length| length > limit) {
        return Err(Unread::TooLarge);
    }
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    let mut length = 0;
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(Unread::Broken)?;
        length += chunk.len() as u64;
        if length > limit {
            return Err(Unread::TooLarge);
        }
        if first.is_empty() {
            first = chunk;
            continue;
        }
        if rest.is_empty() {
            // What a client declares costs it nothing, so room is made for no more than a few times what came.
            let expected = declared.unwrap_or(2 * length).min(16 * length);
            rest.reserve(expected as usize);
            rest.extend_from_slice(&first);
        }
        rest.extend_from_slice(&chunk);
    }
    Ok(if rest.is_empty() {
        first
    } else {
        rest.freeze()
    })
}

/// A body that was read, for whoever reads it next.
///
/// A stream, since the payload of HTTP/1 that `Payload::from` makes has a queue for more to come.
pub(crate) fn unread(body: Bytes) -> Payload {
    Payload::Stream {
        payload: Box::pin(stream::once(ready(Ok(body)))),
    }
}

/// Reads a body that is not wanted to its end, and tells whether it got there: with octets of it still on
/// their way, a connection cannot carry another request.
///
/// A body that declares more than is drained is left alone, since its connection is lost anyway.
pub(crate) async fn drain(request: &HttpRequest, payload: &mut Payload) -> bool {
    if declared_length(request).is_some_and(|length| length > MOST_DRAINED) {
        return false;
    }
    let mut left = MOST_DRAINED;
    while let Some(Ok(chunk)) = payload.next().await {
        match left.checked_sub(chunk.len() as u64) {
            Some(rest) => left = rest,
            None => return false,
        }
    }
    true
}

fn declared_length(request: &HttpRequest) -> Option<u64> {
    let value = request.headers().get(CONTENT_LENGTH)?;
    let digits = value.as_bytes().trim_ascii();
    str::from_utf8(digits).ok()?.parse().ok()
}
