//! The usual recipe in fifty lines: a map from key to answer, behind `from_fn`.
//!
//! It shows what a look-up, a copy of the answer and a boxed future cost at least. It promises little:
//! no caller, no comparison of requests, no claim, so that two retries at once both run the handler.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::body::{BoxBody, MessageBody, to_bytes};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::ErrorInternalServerError;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::{Bytes, Data};
use actix_web::{Error, HttpResponse};

/// What is kept stays below this, as a retention would see to.
const KEPT: usize = 10_000;

#[derive(Default)]
pub(crate) struct Answers(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    by_key: HashMap<String, Arc<Answer>>,
    oldest: VecDeque<String>,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

pub(crate) async fn once(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let key = request.headers().get("idempotency-key");
    let key = key.and_then(|key| Some(key.to_str().ok()?.to_owned()));
    let answers = request.app_data::<Data<Answers>>().cloned();
    let (Some(key), Some(answers)) = (key, answers) else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    // A body that nobody reads would cost the connection.
    let body = request.extract::<Bytes>().await?;
    request.set_payload(body.into());
    if let Some(answer) = answers.find(&key) {
        return Ok(request.into_response(answer.replay()));
    }
    let (request, response) = next.call(request).await?.into_parts();
    let (response, body) = response.into_parts();
    let body = to_bytes(body)
        .await
        .map_err(|error| ErrorInternalServerError(error.into()))?;
    answers.keep(
        key,
        Answer {
            status: response.status(),
            headers: response.headers().clone(),
            body: body.clone(),
        },
    );
    Ok(ServiceResponse::new(
        request,
        response.set_body(body).map_into_boxed_body(),
    ))
}

impl Answers {
    fn find(&self, key: &str) -> Option<Arc<Answer>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.by_key.get(key).cloned()
    }

    fn keep(&self, key: String, answer: Answer) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.oldest.push_back(key.clone());
        kept.by_key.insert(key, Arc::new(answer));
        if kept.oldest.len() > KEPT
            && let Some(oldest) = kept.oldest.pop_front()
        {
            kept.by_key.remove(&oldest);
        }
    }
}

impl Answer {
    fn replay(&self) -> HttpResponse {
        let mut response = HttpResponse::new(self.status);
        *response.headers_mut() = self.headers.clone();
        let replayed = HeaderName::from_static("idempotent-replayed");
        response
            .headers_mut()
            .insert(replayed, HeaderValue::from_static("true"));
        response.set_body(self.body.clone()).map_into_boxed_body()
    }
}
