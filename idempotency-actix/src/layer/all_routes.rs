//! All-routes mode: everything inside the layer is one operation.

use std::mem;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;

use actix_web::body::MessageBody;
use actix_web::dev::{Payload, Service, ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::StatusCode;
use actix_web::{Error, HttpMessage, HttpRequest, HttpResponse};
use futures_util::FutureExt;

use super::outer_claim::{OuterClaim, Progress};
use super::worker::Worker;
use crate::answer::{AsError, panicked};
use crate::options::Options;
use crate::request::unread;
use crate::run::{Admitted, Binding, Keyed, Operation, admit, finish};

/// Runs everything inside the layer once for the request's key.
///
/// The same steps as for a marked handler, around the inner service. Replays never reach what is
/// inside, inner authentication included.
pub(super) async fn once<S, B>(
    service: Rc<S>,
    worker: Worker,
    mut request: ServiceRequest,
    keyed: Keyed,
) -> Result<ServiceResponse, Error>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody + 'static,
{
    let mut payload = request.take_payload();
    let identified = identify(request.request(), &mut payload, keyed);
    let mut operation = match identified.await {
        Ok(operation) => operation,
        Err(refusal) => return Ok(request.into_response(*refusal)),
    };
    let held = match admit(&operation, request.request(), &mut payload, || ()).await {
        Admitted::Run(held) => held,
        Admitted::Answer(answer) => {
            return match AsError::is_marked(&answer) {
                true => Err(InternalError::from_response("replayed error", answer).into()),
                false => Ok(request.into_response(answer)),
            };
        }
    };
    request.set_payload(unread(mem::take(&mut operation.body)));
    let claim = OuterClaim::new(&operation.options);
    {
        let mut extensions = request.extensions_mut();
        extensions.insert(worker);
        extensions.insert(claim.clone());
    }
    let (returned, mut response) = called(async { service.call(request).await }).await;
    let options = claim.options();
    let binding = returned.binding(claim.progress(), &response, &options);
    finish(binding, held, &mut response, &options, &operation.context).await;
    match returned {
        Returned::Back(request) => Ok(ServiceResponse::new(request, response)),
        Returned::Failed(error) => Err(InternalError::from_response(error, response).into()),
        Returned::Panicked => {
            Err(InternalError::from_response("handler panicked", response).into())
        }
    }
}

async fn identify(
    request: &HttpRequest,
    payload: &mut Payload,
    keyed: Keyed,
) -> Result<Operation, Box<HttpResponse>> {
    keyed.read(request, payload).await?.identify(request)
}

/// How an answer came out of what the layer wraps.
enum Returned {
    Back(HttpRequest),
    Failed(Error),
    Panicked,
}

impl Returned {
    /// What the answer asks for, given how far the request came.
    fn binding(&self, progress: Progress, response: &HttpResponse, options: &Options) -> Binding {
        let untouched = match (self, progress) {
            (Self::Panicked, _) => return Binding::Bind,
            (_, Progress::Reached) => true,
            (_, Progress::Started) | (Self::Failed(_), Progress::Unmarked) => false,
            (Self::Back(request), Progress::Unmarked) => !is_routed(request, response),
        };
        match untouched {
            true => Binding::Release,
            false => Binding::of(response, options),
        }
    }
}

/// The answer of what the layer wraps, also where it fails or panics.
async fn called<B>(
    call: impl Future<Output = Result<ServiceResponse<B>, Error>>,
) -> (Returned, HttpResponse)
where
    B: MessageBody + 'static,
{
    match AssertUnwindSafe(call).catch_unwind().await {
        Ok(Ok(response)) => {
            let (request, response) = response.into_parts();
            (Returned::Back(request), response.map_into_boxed_body())
        }
        // An error or a panic took the request with it, so the answer travels as an error too.
        Ok(Err(error)) => {
            let mut response = error.error_response();
            AsError::mark(&mut response);
            (Returned::Failed(error), response)
        }
        Err(panic) => {
            let mut response = panicked(&*panic);
            AsError::mark(&mut response);
            (Returned::Panicked, response)
        }
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
