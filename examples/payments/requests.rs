//! A line for each request that may have an effect, and its outcome as a header. Never the key.

use std::time::Instant;

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use idempotency_actix::Outcome;
use idempotency_actix_examples::cli;

/// For those who watch. The outcome of a retry is also in its status and its problem type, which clients go by.
pub(crate) const OUTCOME: HeaderName = HeaderName::from_static("x-outcome");

/// Says how it was answered, or that nobody was left to be answered.
pub(crate) async fn say(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    if request.method().is_safe() {
        return next.call(request).await;
    }
    let mut line = Line {
        request: format!("{} {}", request.method(), request.path()),
        began: Instant::now(),
        answer: "the client has left".into(),
    };
    let mut response = next.call(request).await?;
    let outcome = response.response().extensions().get::<Outcome>().copied();
    let outcome = outcome.map_or("no key", Outcome::as_str);
    let name = HeaderValue::from_static(outcome);
    response.headers_mut().insert(OUTCOME, name);
    line.answer = format!("{} {outcome}", response.status().as_u16());
    Ok(response)
}

/// Said when dropped: actix-web drops what is under way when its client leaves.
struct Line {
    request: String,
    began: Instant,
    answer: String,
}

impl Drop for Line {
    fn drop(&mut self) {
        let Self {
            request, answer, ..
        } = self;
        let took = self.began.elapsed().as_millis();
        cli::say(&format!("{request}: {answer}, {took} ms"));
    }
}
