//! The layer as actix-web calls it: which requests it takes, refuses or leaves to what is inside.

use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::{Error, HttpMessage};
use futures_util::future::LocalBoxFuture;
use pin_project_lite::pin_project;

use super::all_routes;
use super::idempotency::Idempotency;
use super::outer_claim::OuterClaim;
use super::shared::ELIGIBLE;
use super::worker::{Decision, Worker};
use crate::answer::refuse;
use crate::run::Detach;

impl<S, B> Transform<S, ServiceRequest> for Idempotency
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    S::Future: 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Transform = IdempotencyService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, Self::InitError>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(IdempotencyService {
            service: Rc::new(service),
            worker: Worker::new(Arc::clone(&self.0)),
        }))
    }
}

/// The service that [`Idempotency`] makes of the one it wraps.
#[derive(Debug)]
pub struct IdempotencyService<S> {
    service: Rc<S>,
    worker: Worker,
}

impl<S, B> Service<ServiceRequest> for IdempotencyService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    S::Future: 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Future = IdempotencyFuture<S::Future>;

    forward_ready!(service);

    fn call(&self, mut request: ServiceRequest) -> Self::Future {
        if !ELIGIBLE.contains(request.method()) {
            return IdempotencyFuture::pass(self.service.call(request));
        }
        if !self.worker.covers_all_routes(request.method()) {
            return self.pass(request);
        }
        // The route is looked up only where that could matter.
        let options = match self.worker.may_cover(request.request()) && !is_claimed(&request) {
            true => self.worker.covering(request.request()),
            false => None,
        };
        let Some(options) = options else {
            return self.pass(request);
        };
        match self.worker.decide(request.request(), options) {
            Decision::Pass => self.pass(request),
            Decision::Refuse(refusal) => IdempotencyFuture::refuse(async move {
                let payload = request.take_payload();
                let refusal = refuse(*refusal, request.request(), payload).await;
                request.into_response(refusal)
            }),
            Decision::Run(keyed) => {
                let (service, worker) = (Rc::clone(&self.service), self.worker.clone());
                let context = Arc::clone(keyed.context());
                let once = all_routes::once(service, worker, request, keyed);
                IdempotencyFuture::once(Detach::new(context, once))
            }
        }
    }
}

impl<S: Service<ServiceRequest>> IdempotencyService<S> {
    /// Leaves the request to marked handlers, which find the layer with it.
    fn pass(&self, request: ServiceRequest) -> IdempotencyFuture<S::Future> {
        request.extensions_mut().insert(self.worker.clone());
        IdempotencyFuture::pass(self.service.call(request))
    }
}

fn is_claimed(request: &ServiceRequest) -> bool {
    OuterClaim::of(&request.extensions()).is_some()
}

pin_project! {
    /// The future of [`IdempotencyService`]: the inner one as it is, or a boxed one for a key.
    #[allow(missing_debug_implementations, reason = "a future has nothing to show")]
    pub struct IdempotencyFuture<F> {
        #[pin]
        served: Served<F>,
    }
}

pin_project! {
    #[project = ServedProjection]
    enum Served<F> {
        Pass { #[pin] future: F },
        Once { future: Detach<Result<ServiceResponse, Error>> },
        Refuse { future: LocalBoxFuture<'static, ServiceResponse> },
    }
}

impl<F> IdempotencyFuture<F> {
    fn pass(future: F) -> Self {
        Self {
            served: Served::Pass { future },
        }
    }

    fn once(future: Detach<Result<ServiceResponse, Error>>) -> Self {
        Self {
            served: Served::Once { future },
        }
    }

    fn refuse(future: impl Future<Output = ServiceResponse> + 'static) -> Self {
        Self {
            served: Served::Refuse {
                future: Box::pin(future),
            },
        }
    }
}

impl<F, B> Future for IdempotencyFuture<F>
where
    F: Future<Output = Result<ServiceResponse<B>, Error>>,
    B: MessageBody,
{
    type Output = Result<ServiceResponse<EitherBody<B>>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().served.project() {
            ServedProjection::Pass { future } => {
                future.poll(cx).map_ok(ServiceResponse::map_into_left_body)
            }
            ServedProjection::Once { future } => Pin::new(future)
                .poll(cx)
                .map_ok(ServiceResponse::map_into_right_body),
            ServedProjection::Refuse { future } => Pin::new(future)
                .poll(cx)
                .map(|response| Ok(response.map_into_right_body())),
        }
    }
}
