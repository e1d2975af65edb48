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
use super::worker::{Decided, Decision, Worker};
use super::wrapped::{Outcome, finish_inside, finish_unkeyed};
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
    type Future = IdempotencyFuture<S::Future, B>;

    forward_ready!(service);

    fn call(&self, mut request: ServiceRequest) -> Self::Future {
        if !ELIGIBLE.contains(request.method()) {
            return IdempotencyFuture::pass(self.leave(request));
        }
        if is_claimed(&request) {
            return IdempotencyFuture::pass(self.leave(request));
        }
        let decision = match self.worker.covers_all_routes(request.method()) {
            true => self.worker.cover(request.request()),
            false => None,
        };
        // A marked handler inside may find a key wherever it looks for one.
        let Some(decision) = decision else {
            return IdempotencyFuture::held(self.detach(finish_inside(self.leave(request))));
        };
        match decision {
            Decision::Now(Decided::Pass) => {
                IdempotencyFuture::held(self.detach(finish_unkeyed(self.leave(request))))
            }
            Decision::Now(Decided::Refuse(refusal)) => {
                let refusal = self.worker.formed(*refusal, request.request());
                IdempotencyFuture::refuse(async move {
                    let payload = request.take_payload();
                    let refusal = refuse(refusal, request.request(), payload).await;
                    request.into_response(refusal)
                })
            }
            Decision::Now(Decided::Run(keyed)) => {
                let (service, worker) = (Rc::clone(&self.service), self.worker.clone());
                let once = all_routes::once(service, worker, request, keyed);
                IdempotencyFuture::held(self.detach(once))
            }
            Decision::Read(in_body) => {
                let (service, worker) = (Rc::clone(&self.service), self.worker.clone());
                let read = all_routes::read(service, worker, request, in_body);
                IdempotencyFuture::held(self.detach(read))
            }
        }
    }
}

impl<S: Service<ServiceRequest>> IdempotencyService<S> {
    fn detach<T>(&self, future: impl Future<Output = T> + 'static) -> Detach<T> {
        Detach::new(Rc::clone(self.worker.claims()), future)
    }

    /// Leaves the request to marked handlers, which find the layer with it.
    fn leave(&self, request: ServiceRequest) -> S::Future {
        request.extensions_mut().insert(self.worker.clone());
        self.service.call(request)
    }
}

fn is_claimed(request: &ServiceRequest) -> bool {
    OuterClaim::of(&request.extensions()).is_some()
}

pin_project! {
    /// The future of [`IdempotencyService`]: that of what it wraps for a method which is never covered, else one
    /// that outlives its connection where it has to.
    #[allow(missing_debug_implementations, reason = "a future has nothing to show")]
    pub struct IdempotencyFuture<F, B: 'static> {
        #[pin]
        served: Served<F, B>,
    }
}

pin_project! {
    #[project = ServedProjection]
    enum Served<F, B: 'static> {
        Pass { #[pin] future: F },
        Held { future: Detach<Outcome<B>> },
        Refuse { future: LocalBoxFuture<'static, ServiceResponse> },
    }
}

impl<F, B> IdempotencyFuture<F, B> {
    fn pass(future: F) -> Self {
        Self {
            served: Served::Pass { future },
        }
    }

    fn held(future: Detach<Outcome<B>>) -> Self {
        Self {
            served: Served::Held { future },
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

impl<F, B> Future for IdempotencyFuture<F, B>
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
            ServedProjection::Held { future } => Pin::new(future).poll(cx),
            ServedProjection::Refuse { future } => Pin::new(future)
                .poll(cx)
                .map(|response| Ok(response.map_into_right_body())),
        }
    }
}
