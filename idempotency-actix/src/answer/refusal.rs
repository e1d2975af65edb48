//! How a refusal reaches a client that may still be sending its body: what is left of it is read first, within a bound.
//! It does not know what is refused.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::Payload;
use actix_web::http::{ConnectionType, Version};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use futures_util::Stream;
use tokio::time::{Sleep, sleep, timeout};

use crate::request::drain;

/// How long a client may take to send the rest of its body.
const DRAIN_TIME: Duration = Duration::from_secs(1);

/// How much of a stream's body is read. Its window lets a client of HTTP/2 send as much anyway.
const MOST_READ: usize = 1024 * 1024;

/// The refusal of a request whose body nobody has read.
///
/// Over HTTP/1.1 a short body is read first, so that the connection can go on. A longer one stays with the
/// answer: the server closes the connection then, says so, and waits for the client to have read the
/// answer. Over HTTP/2 it would reset the stream, and a client that is reset while it sends drops the
/// answer. So the body is read first there too, and where it takes too long, the end of the answer waits for the
/// client's.
pub(crate) async fn refuse(
    mut refusal: HttpResponse,
    request: &HttpRequest,
    mut payload: Payload,
) -> HttpResponse {
    let is_multiplexed = request.version() >= Version::HTTP_2;
    let mut left = MOST_READ;
    let drained = async {
        match is_multiplexed {
            true => poll_fn(|cx| poll_drained(&mut payload, &mut left, cx)).await,
            false => drain(request, &mut payload).await,
        }
    };
    if timeout(DRAIN_TIME, drained).await.unwrap_or(false) {
        return refusal;
    }
    if !is_multiplexed {
        refusal
            .head_mut()
            .set_connection_type(ConnectionType::Close);
    }
    refusal.map_body(|_, body| {
        BoxBody::new(Refusal {
            size: body.size(),
            body: Some(body),
            payload,
            left,
            until: is_multiplexed.then(|| Box::pin(sleep(DRAIN_TIME))),
        })
    })
}

/// Reads a body to its end, which it may have come to by an error. `false` once so much was read that nothing more is:
/// the client runs out of window, and has time to see the answer.
fn poll_drained(payload: &mut Payload, left: &mut usize, cx: &mut Context<'_>) -> Poll<bool> {
    while *left > 0 {
        match ready!(pin!(&mut *payload).poll_next(cx)) {
            Some(Ok(chunk)) => *left = left.saturating_sub(chunk.len()),
            Some(Err(_)) | None => return Poll::Ready(true),
        }
    }
    Poll::Ready(false)
}

/// The body of a refusal, and the request's body, which it keeps from being dropped.
struct Refusal {
    size: BodySize,
    /// Until it has come to its end.
    body: Option<BoxBody>,
    payload: Payload,
    left: usize,
    /// When the end comes at the latest; `None` where it waits for nothing.
    until: Option<Pin<Box<Sleep>>>,
}

impl MessageBody for Refusal {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.size
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        if let Some(body) = &mut self.body {
            match pin!(body).poll_next(cx) {
                Poll::Ready(None) => self.body = None,
                other => return other,
            }
        }
        let is_over = |until: &mut Pin<Box<Sleep>>| until.as_mut().poll(cx).is_ready();
        if self.until.as_mut().is_none_or(is_over) {
            return Poll::Ready(None);
        }
        let Self { payload, left, .. } = &mut *self;
        match poll_drained(payload, left, cx) {
            Poll::Ready(true) => Poll::Ready(None),
            Poll::Ready(false) | Poll::Pending => Poll::Pending,
        }
    }
}
