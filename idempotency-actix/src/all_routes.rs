use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::StatusCode;
use actix_web::{Error, HttpMessage, HttpRequest, HttpResponse};
use futures_util::FutureExt;

use crate::admission::{Turn, answer, begin, reject};
use crate::claim::HeldClaim;
use crate::detach;
use crate::engine;
use crate::key::{IdempotencyKey, InvalidKey};
use crate::layer::LayerHandle;
use crate::operation::{Announced, Operation, OuterClaim, Progress};
use crate::options::Options;
use crate::problem::Problem;
use crate::store::State;
use crate::waiting::pause;

/// Runs everything inside the layer once for the request's key.
///
/// The same steps as for a marked handler, around the inner service. Replays never reach what is
/// inside, inner authentication included.
pub(crate) async fn once<S, B>(
    service: Rc<S>,
    layer: LayerHandle,
    request: ServiceRequest,
    key: Option<Result<IdempotencyKey, InvalidKey>>,
    options: Rc<Options>,
) -> Result<ServiceResponse, Error>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    S::Future: 'static,
    B: MessageBody + 'static,
{
    let problem = match key {
        Some(Ok(key)) => return in_turn(service, layer, request, key, options).await,
        Some(Err(reason)) => Problem::InvalidKey(reason),
        None => layer.missing_key(&options),
    };
    let refusal = reject(&layer, problem);
    Ok(request.into_response(refusal))
}

async fn in_turn<S, B>(
    service: Rc<S>,
    layer: LayerHandle,
    mut request: ServiceRequest,
    key: IdempotencyKey,
    options: Rc<Options>,
) -> Result<ServiceResponse, Error>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    S::Future: 'static,
    B: MessageBody + 'static,
{
    let mut payload = request.take_payload();
    let read = Announced::read(&layer, request.request(), &mut payload, key, options).await;
    let identified = read.and_then(|announced| announced.identify(&layer, request.request()));
    let mut operation = match identified {
        Ok(operation) => operation,
        Err(refusal) => return Ok(request.into_response(refusal)),
    };
    let mut waiter = None;
    loop {
        let (service, layer) = (Rc::clone(&service), layer.clone());
        let step = detach::to_completion(run(service, layer.clone(), request, operation)).await;
        let (again, change) = match step {
            Step::Done(answer) => return answer,
            Step::Wait(again, change) => (*again, change),
        };
        (request, operation) = again;
        if !pause(&mut waiter, &layer, &operation, &mut payload, change).await {
            let busy = answer(&layer, State::InFlight);
            return Ok(request.into_response(busy));
        }
    }
}

enum Step {
    Done(Result<ServiceResponse, Error>),
    Wait(Box<(ServiceRequest, Operation)>, Option<Instant>),
}

async fn run<S, B>(
    service: Rc<S>,
    layer: LayerHandle,
    mut request: ServiceRequest,
    operation: Operation,
) -> Step
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody + 'static,
{
    let held = match begin(&layer, &operation, request.request()).await {
        Turn::Run(held) => held,
        Turn::Answer(answer) => return Step::Done(Ok(request.into_response(answer))),
        Turn::Wait(change) => return Step::Wait(Box::new((request, operation)), change),
    };
    let Operation { body, options, .. } = operation;
    request.set_payload(body.into());
    Step::Done(call(service, request, held, &options).await)
}

async fn call<S, B>(
    service: Rc<S>,
    request: ServiceRequest,
    held: HeldClaim,
    options: &Rc<Options>,
) -> Result<ServiceResponse, Error>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody + 'static,
{
    let claim = OuterClaim::new(options);
    request.extensions_mut().insert(claim.clone());
    let call = async { service.call(request).await };
    match AssertUnwindSafe(call).catch_unwind().await {
        Ok(Ok(response)) => {
            let (request, response) = response.into_parts();
            let mut response = response.map_into_boxed_body();
            let is_routed = is_routed(&request, &response);
            finish(held, &mut response, is_routed, &claim).await;
            Ok(ServiceResponse::new(request, response))
        }
        // An error or a panic took the request with it, so the answer travels as an error too.
        Ok(Err(error)) => {
            let mut response = error.error_response();
            finish(held, &mut response, true, &claim).await;
            Err(InternalError::from_response(error, response).into())
        }
        Err(panic) => {
            let mut response = engine::panicked(&*panic);
            engine::bind(held, &mut response, &claim.options()).await;
            Err(InternalError::from_response("handler panicked", response).into())
        }
    }
}

async fn finish(held: HeldClaim, response: &mut HttpResponse, is_routed: bool, claim: &OuterClaim) {
    let options = claim.options();
    let untouched = match claim.progress() {
        Progress::Unmarked => !is_routed,
        Progress::Reached => true,
        Progress::Started => false,
    };
    if untouched || engine::releases(response, &options) {
        engine::release(held).await;
    } else {
        engine::bind(held, response, &options).await;
    }
}

/// Whether the request came to a handler. A router that has none for it answers 405, or 404 with a
/// part of the path left over: the path may match a route whose guards keep the request out.
fn is_routed(request: &HttpRequest, response: &HttpResponse) -> bool {
    match response.status() {
        StatusCode::METHOD_NOT_ALLOWED => false,
        StatusCode::NOT_FOUND => request.match_info().unprocessed().is_empty(),
        _ => true,
    }
}
