//! All-routes mode: everything inside the layer is one operation.

use std::mem;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{Payload, Service, ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::StatusCode;
use actix_web::{Error, HttpMessage, HttpRequest, HttpResponse};
use futures_util::FutureExt;

use super::outer_claim::{OuterClaim, Progress, Unstarted};
use super::worker::{Decided, InBody, Worker, formed};
use super::wrapped::{Outcome, finish_unkeyed};
use crate::answer::{AsError, drop_marks, panicked, refuse, rendered};
use crate::claim::HeldClaim;
use crate::options::Options;
use crate::request::unread;
use crate::run::{Admitted, Binding, Context, Finishing, Keyed, Operation, admit, gate};
use crate::telemetry::{self, Told};

/// Runs everything inside the layer once for the request's key.
///
/// The same steps as for a marked handler, around the inner service. Replays never reach what is
/// inside, inner authentication included.
#[expect(
    clippy::manual_async_fn,
    reason = "an `async fn` has room for its arguments twice, and every request has room for this"
)]
pub(super) fn once<S, B>(
    service: Rc<S>,
    worker: Worker,
    mut request: ServiceRequest,
    keyed: Keyed,
) -> impl Future<Output = Outcome<B>>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody + 'static,
{
    async move {
        let unmatched = request.match_info().unprocessed().len();
        let (held, claim, context) = match claim(&worker, &mut request, keyed).await {
            Ok(claimed) => claimed,
            Err(answer) if AsError::is_marked(&answer) => {
                return Err(InternalError::from_response("replayed error", *answer).into());
            }
            Err(answer) => return Ok(request.into_response(*answer).map_into_right_body()),
        };
        let has_table = worker.has_table();
        {
            let mut extensions = request.extensions_mut();
            extensions.insert(worker);
            extensions.insert(claim.clone());
        }
        let call = async { service.call(request).await };
        let (returned, mut response, (held, context)) = called(call, (held, context)).await;
        let options = claim.options();
        match returned.binding(claim.progress(), unmatched, &response, &options) {
            Some(binding) => {
                // What this caller alone may see is no other's to replay.
                let mut instead = has_table.then(|| returned.misrouted(&options)).flatten();
                if instead.is_some() {
                    drop_marks(response.headers_mut());
                }
                let kept = instead.as_deref_mut().unwrap_or(&mut response);
                let mut finishing = Finishing::of(binding, held, kept, &options, context);
                let passed = finishing.pass().await;
                passed.change(&mut response, Some(&options));
            }
            // What inner middleware cut off by itself is not finished by half.
            None => {
                drop_marks(response.headers_mut());
                context.tell(&options, Told::new(telemetry::Outcome::Unknown));
                drop(held);
            }
        }
        match returned {
            Returned::Back(request) => {
                let response = formed(response, &request);
                Ok(ServiceResponse::new(request, response).map_into_right_body())
            }
            Returned::Failed(error) => Err(InternalError::from_response(error, response).into()),
            Returned::Panicked => {
                Err(InternalError::from_response("handler panicked", response).into())
            }
        }
    }
}

/// Reads the body, in which the key may be, and goes on as it tells.
pub(super) async fn read<S, B>(
    service: Rc<S>,
    worker: Worker,
    mut request: ServiceRequest,
    in_body: InBody,
) -> Outcome<B>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody + 'static,
{
    let mut payload = request.take_payload();
    match in_body.read(request.request(), &mut payload).await {
        Decided::Run(keyed) => {
            request.set_payload(payload);
            Box::pin(once(service, worker, request, keyed)).await
        }
        Decided::Refuse(refusal) => {
            let refusal = worker.formed(*refusal, request.request());
            let refusal = refuse(refusal, request.request(), payload).await;
            Ok(request.into_response(refusal).map_into_right_body())
        }
        Decided::Pass => {
            request.set_payload(payload);
            request.extensions_mut().insert(worker);
            Box::pin(finish_unkeyed(service.call(request))).await
        }
    }
}

/// Claims for the request, or gives the answer in place of a run. What else is known of the operation has no room in the
/// future while the handler runs.
async fn claim(
    worker: &Worker,
    request: &mut ServiceRequest,
    keyed: Keyed,
) -> Result<(HeldClaim, OuterClaim, Arc<Context>), Box<HttpResponse>> {
    let mut payload = request.take_payload();
    let mut operation = identify(worker, request.request(), &mut payload, keyed).await?;
    let told = |answer, request: &HttpRequest| {
        let answer = operation.edited(answer, request);
        Err(Box::new(worker.formed(answer, request)))
    };
    let held = match admit(&operation, request.request(), &mut payload, || ()).await {
        Admitted::Run(held) => held,
        Admitted::Answer(answer) => return told(answer, request.request()),
    };
    let held = match gate(&operation, held).await {
        Admitted::Run(held) => held,
        Admitted::Answer(answer) => return told(answer, request.request()),
    };
    request.set_payload(unread(mem::take(&mut operation.body)));
    let claim = OuterClaim::new(&operation.options, held.lease());
    Ok((held, claim, operation.context))
}

/// The operation, or the answer where there is none.
async fn identify(
    worker: &Worker,
    request: &HttpRequest,
    payload: &mut Payload,
    keyed: Keyed,
) -> Result<Operation, Box<HttpResponse>> {
    let identified = async { keyed.read(request, payload).await?.identify(request) };
    let refusal = match identified.await {
        Ok(operation) => return Ok(operation),
        Err(refusal) => worker.formed(*refusal, request),
    };
    let refused = Box::pin(refuse(refusal, request, payload.take()));
    Err(Box::new(refused.await))
}

/// How an answer came out of what the layer wraps.
enum Returned {
    Back(HttpRequest),
    Failed(Error),
    Panicked,
}

impl Returned {
    /// What the answer asks for, given how far the request came; `None` where a handler was cut off.
    fn binding(
        &self,
        progress: Progress,
        unmatched: usize,
        response: &HttpResponse,
        options: &Options,
    ) -> Option<Binding> {
        let untouched = match (self, progress) {
            (_, Progress::Started) => return None,
            (Self::Panicked, _) => return Some(Binding::Bind),
            (Self::Failed(_), Progress::Reached) => true,
            (Self::Back(_), Progress::Reached) => Unstarted::is_marked(response),
            (_, Progress::Ended) | (Self::Failed(_), Progress::Unmarked) => false,
            (Self::Back(request), Progress::Unmarked) => is_unrouted(request, unmatched, response),
        };
        Some(match untouched {
            true => Binding::Release,
            false => Binding::of(response, options),
        })
    }
}

impl Returned {
    /// What retries get where the request was routed by another path than it was claimed by, and the table tells callers
    /// of that one apart in another way.
    fn misrouted(&self, claimed: &Options) -> Option<Box<HttpResponse>> {
        let Self::Back(request) = self else {
            return None;
        };
        let worker = Worker::of(&request.extensions()).cloned()?;
        worker.misrouted(request, claimed)
    }
}

/// The answer of what the layer wraps, also where it fails or panics. What is `kept` for afterwards would take room of
/// the answer's beside it.
async fn called<B, K>(
    call: impl Future<Output = Result<ServiceResponse<B>, Error>>,
    kept: K,
) -> (Returned, HttpResponse, K)
where
    B: MessageBody + 'static,
{
    match AssertUnwindSafe(call).catch_unwind().await {
        Ok(Ok(response)) => {
            let (request, response) = response.into_parts();
            (
                Returned::Back(request),
                response.map_into_boxed_body(),
                kept,
            )
        }
        // An error or a panic took the request with it, so the answer travels as an error too.
        Ok(Err(error)) => {
            let mut response = rendered(&error);
            AsError::mark(&mut response);
            (Returned::Failed(error), response, kept)
        }
        Err(panic) => {
            let mut response = panicked(&*panic);
            AsError::mark(&mut response);
            (Returned::Panicked, response, kept)
        }
    }
}

/// Whether the answer is certainly the router's own, to a path of which nothing inside the layer matched a part, so that
/// no handler was reached. Whatever a handler or a `default_service` may have answered is not: a 405, a 404 from inside
/// a scope, or one with a header or a body. Only a layer around the whole application can tell.
fn is_unrouted(request: &HttpRequest, unmatched: usize, response: &HttpResponse) -> bool {
    let is_bare = matches!(response.body().size(), BodySize::None | BodySize::Sized(0))
        && response.headers().is_empty()
        && response.error().is_none();
    let is_whole = unmatched == request.match_info().as_str().len()
        && request.match_info().unprocessed().len() == unmatched;
    let may_take_everything = || {
        let worker = Worker::of(&request.extensions()).cloned();
        worker.is_none_or(|worker| worker.may_take_everything(request))
    };
    response.status() == StatusCode::NOT_FOUND && is_bare && is_whole && !may_take_everything()
}
