use std::mem;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::body::MessageBody;
use actix_web::dev::{Payload, Service, ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::StatusCode;
use actix_web::{Error, HttpMessage, HttpRequest, HttpResponse};
use futures_util::FutureExt;

use crate::layer::shared::{Layer, LayerHandle};
use crate::options::resolved::Options;
use crate::request::body;
use crate::run::admission::admit;
use crate::run::context::Ticket;
use crate::run::finish::{self, End};
use crate::run::operation::{Announced, Operation, OuterClaim, Progress};

/// Runs everything inside the layer once for the request's key.
///
/// The same steps as for a marked handler, around the inner service. Replays never reach what is
/// inside, inner authentication included.
pub(crate) async fn once<S, B>(
    service: Rc<S>,
    layer: LayerHandle,
    mut request: ServiceRequest,
    ticket: Arc<Ticket>,
    options: Rc<Options>,
) -> Result<ServiceResponse, Error>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody + 'static,
{
    let mut payload = request.take_payload();
    let identified = identify(&layer, request.request(), &mut payload, ticket, options);
    let mut operation = match identified.await {
        Ok(operation) => operation,
        Err(refusal) => return Ok(request.into_response(refusal)),
    };
    let admitted = admit(&layer, &operation, request.request(), &mut payload, || ());
    let held = match admitted.await {
        Ok(held) => held,
        Err(answer) => return Ok(request.into_response(answer)),
    };
    request.set_payload(body::unread(mem::take(&mut operation.body)));
    let claim = OuterClaim::new(&operation.options);
    {
        let mut extensions = request.extensions_mut();
        extensions.insert(layer.clone());
        extensions.insert(claim.clone());
    }
    let (way, mut response) = called(async { service.call(request).await }).await;
    let options = claim.options();
    let end = way.end(claim.progress(), &response, &options);
    finish::end(end, held, &mut response, &options).await;
    match way {
        Way::Back(request) => Ok(ServiceResponse::new(request, response)),
        Way::Failed(error) => Err(InternalError::from_response(error, response).into()),
        Way::Panicked => Err(InternalError::from_response("handler panicked", response).into()),
    }
}

async fn identify(
    layer: &Layer,
    request: &HttpRequest,
    payload: &mut Payload,
    ticket: Arc<Ticket>,
    options: Rc<Options>,
) -> Result<Operation, HttpResponse> {
    let announced = Announced::read(layer, request, payload, ticket, options).await?;
    announced.identify(layer, request)
}

/// How an answer came out of what the layer wraps.
enum Way {
    Back(HttpRequest),
    Failed(Error),
    Panicked,
}

impl Way {
    /// What the answer asks for, given how far the request came.
    fn end(&self, progress: Progress, response: &HttpResponse, options: &Options) -> End {
        let untouched = match (self, progress) {
            (Self::Panicked, _) => return End::Bind,
            (_, Progress::Reached) => true,
            (_, Progress::Started) | (Self::Failed(_), Progress::Unmarked) => false,
            (Self::Back(request), Progress::Unmarked) => !is_routed(request, response),
        };
        match untouched {
            true => End::Release,
            false => End::of(response, options),
        }
    }
}

/// The answer of what the layer wraps, also where it fails or panics.
async fn called<B>(
    call: impl Future<Output = Result<ServiceResponse<B>, Error>>,
) -> (Way, HttpResponse)
where
    B: MessageBody + 'static,
{
    match AssertUnwindSafe(call).catch_unwind().await {
        Ok(Ok(response)) => {
            let (request, response) = response.into_parts();
            (Way::Back(request), response.map_into_boxed_body())
        }
        // An error or a panic took the request with it, so the answer travels as an error too.
        Ok(Err(error)) => {
            let response = error.error_response();
            (Way::Failed(error), response)
        }
        Err(panic) => (Way::Panicked, finish::panicked(&*panic)),
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
