//! The end of an operation: the handler's answer is captured, recorded and sent, or the claim released.

use std::any::Any;

use actix_web::HttpResponse;
use actix_web::body::{BodySize, BoxBody, MessageBody, to_bytes_limited};
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_LENGTH, HeaderValue};
use actix_web::web::Bytes;

use crate::answer::not_executed::NotExecuted;
use crate::claim::held::{Completed, HeldClaim};
use crate::options::resolved::Options;
use crate::run::admission::answer;
use crate::run::stream;
use crate::store::Finished;
use crate::store::response::{Head, STATUS, is_transient};
use crate::telemetry::{Outcome, outcome};

/// The answer to a handler that panicked: it may have acted, so this binds. No panic text in it.
pub(crate) fn panicked(payload: &(dyn Any + Send)) -> HttpResponse {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    tracing::error!(
        panic = text.unwrap_or("not text"),
        "an idempotent handler panicked"
    );
    HttpResponse::InternalServerError()
        .content_type("text/plain; charset=utf-8")
        .body("Internal Server Error")
}

/// What becomes of a key when its handler has answered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The answer is for this client only.
    Release,
    /// The answer is every retry's.
    Bind,
}

impl End {
    /// What the handler's answer asks for.
    pub(crate) fn of(response: &HttpResponse, options: &Options) -> Self {
        let releases =
            NotExecuted::is_marked(response) || options.release_on.contains(response.status());
        match releases {
            true => Self::Release,
            false => Self::Bind,
        }
    }
}

/// Gives the claim up, or binds the key to the handler's answer, before the client gets it.
///
/// An answer in one buffer is recorded here. A stream is sent as it is produced, and its end is held
/// until it is recorded. The answer changes in place: a future that owns it would hold it many times.
pub(crate) async fn end(end: End, held: HeldClaim, response: &mut HttpResponse, options: &Options) {
    if end == End::Release {
        return Box::pin(release(held)).await;
    }
    let finished = match capture(response, options) {
        Captured::Whole(finished) => finished,
        Captured::Stream { head, body, length } => {
            outcome(Outcome::First);
            set_body(response, stream::tee(held, head, body, length, options));
            return;
        }
    };
    match held.complete(&finished, options.ttl).await {
        Completed::Stored => outcome(Outcome::First),
        Completed::Unstored => {
            mark_unstored(response);
            outcome(Outcome::First);
        }
        // Its own answer is not the answer of this operation, so the client must not get it.
        Completed::Refused(state) => *response = answer(held.layer(), state),
    }
}

/// Gives the claim up: the handler has not acted.
pub(crate) async fn release(held: HeldClaim) {
    held.release().await;
    outcome(Outcome::Released);
}

/// The whole answer as a record keeps it; a stream is read to its end, within the limit.
pub(crate) async fn capture_whole(response: &mut HttpResponse, options: &Options) -> Finished {
    match capture(response, options) {
        Captured::Whole(finished) => finished,
        Captured::Stream { head, body, .. } => {
            let limit = usize::try_from(options.max_response).unwrap_or(usize::MAX);
            match to_bytes_limited(body, limit).await {
                Ok(Ok(bytes)) => Finished::Completed(head.with_body(Some(bytes))),
                Ok(Err(_)) | Err(_) => Finished::NotKept(head.not_kept()),
            }
        }
    }
}

/// What there is of an answer before it is sent.
enum Captured {
    Whole(Finished),
    Stream {
        head: Head,
        body: BoxBody,
        length: Option<u64>,
    },
}

fn capture(response: &mut HttpResponse, options: &Options) -> Captured {
    let head = Head::capture(response, options.keep_cookies);
    if is_transient(response) || exceeds(response.body().size(), options.max_response) {
        return Captured::Whole(Finished::NotKept(head.not_kept()));
    }
    if let Some(body) = body_of_none(response) {
        return Captured::Whole(Finished::Completed(head.with_body(body)));
    }
    let length = declared_length(response);
    match set_body(response, BoxBody::new(())).try_into_bytes() {
        Ok(bytes) => {
            set_body(response, BoxBody::new(bytes.clone()));
            Captured::Whole(Finished::Completed(head.with_body(Some(bytes))))
        }
        Err(body) => Captured::Stream { head, body, length },
    }
}

/// Puts another body under the same head, and returns the one that was there.
fn set_body(response: &mut HttpResponse, body: BoxBody) -> BoxBody {
    let empty = HttpResponse::new(response.status());
    let (head, before) = std::mem::replace(response, empty).into_parts();
    *response = head.set_body(body);
    before
}

/// The stored body of an answer that has none on the wire, whatever the handler made it of: its head
/// is all that can wait for the record.
fn body_of_none(response: &HttpResponse) -> Option<Option<Bytes>> {
    let is_headed = matches!(
        response.status(),
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
    );
    match response.body().size() {
        BodySize::None => Some(None),
        _ if is_headed || declared_length(response) == Some(0) => Some(Some(Bytes::new())),
        _ => None,
    }
}

/// How long a stream says that it is, by its own size or by a header of the handler's.
fn declared_length(response: &HttpResponse) -> Option<u64> {
    match response.body().size() {
        BodySize::Sized(length) => Some(length),
        BodySize::Stream if !response.head().chunked() => {
            let length = response.headers().get(CONTENT_LENGTH)?;
            length.to_str().ok()?.parse().ok()
        }
        _ => None,
    }
}

fn exceeds(size: BodySize, limit: u64) -> bool {
    matches!(size, BodySize::Sized(size) if size > limit)
}

/// Says that the answer is true, and not yet kept.
pub(crate) fn mark_unstored(response: &mut HttpResponse) {
    let unstored = HeaderValue::from_static("unstored");
    response.headers_mut().insert(STATUS, unstored);
}
