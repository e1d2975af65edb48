//! How a refusal reaches a client that may still be sending its body: what is left of it is read first, within a bound.
//! It does not know what is refused.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
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

/// How much of the body is read while the refusal is on its way. The window of a stream lets a client of
/// HTTP/2 send as much anyway.
const MOST_READ: usize = 1024 * 1024;

/// The refusal of a request whose body nobody has read.
///
/// Over HTTP/1.1 a short body is read first, so that the connection can go on. A longer one stays with the
/// answer: the server closes the connection then, says so, and waits for the client to have read the
/// answer. Over HTTP/2 it would reset the stream, and a client that is reset while it sends drops the
/// answer; so the answer goes out at once, and its end waits for the client's.
pub(crate) async fn refuse(
    mut refusal: HttpResponse,
    request: &HttpRequest,
    mut payload: Payload,
) -> HttpResponse {
    let is_multiplexed = request.version() >= Version::HTTP_2;
    if !is_multiplexed {
        let drained = timeout(DRAIN_TIME, drain(request, &mut payload));
        if drained.await.unwrap_or(false) {
            return refusal;
        }
        refusal
            .head_mut()
            .set_connection_type(ConnectionType::Close);
    }
    refusal.map_body(|_, body| {
        BoxBody::new(Refusal {
            size: body.size(),
            body: Some(body),
            payload,
            left: MOST_READ,
            until: is_multiplexed.then(|| Box::pin(sleep(DRAIN_TIME))),
        })
    })
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
        // Past the bound nothing is read: the client runs out of window, and has time to see the answer.
        while self.left > 0 {
            match pin!(&mut self.payload).poll_next(cx) {
                Poll::Ready(Some(Ok(chunk))) => self.left = self.left.saturating_sub(chunk.len()),
                Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(None),
                Poll::Pending => break,
            }
        }
        Poll::Pending
    }
}
