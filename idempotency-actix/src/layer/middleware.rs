use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::{Error, HttpMessage};
use pin_project_lite::pin_project;

use crate::answer::problem::Problem;
use crate::layer::all_routes;
use crate::layer::builder::IdempotencyBuilder;
use crate::layer::shared::{ELIGIBLE, Layer, LayerHandle};
use crate::options::scope::KeyScope;
use crate::run::admission::reject;
use crate::run::detach::Detach;
use crate::run::operation::OuterClaim;
use crate::store::{Store, StoreError};

/// The idempotency layer: actix-web middleware for an `App`, a `Scope`, a `Resource` or a `Route`.
///
/// Handlers marked with [`#[idempotent]`](macro@crate::idempotent) inside of it run once per key; in
/// [all-routes mode](IdempotencyBuilder::all_routes) every route does. Make one, and clone it into
/// the workers: clones share store, limits and heartbeat.
///
/// # Examples
///
/// ```
/// use actix_web::{App, HttpMessage, HttpRequest, HttpResponse, Responder, post};
/// use idempotency_actix::{Idempotency, KeyScope, MemoryStore, idempotent};
///
/// #[derive(Clone)]
/// struct AccountId(u64); // put into the request's extensions by your authentication
///
/// fn principal(req: &HttpRequest) -> Option<[u8; 8]> {
///     req.extensions().get::<AccountId>().map(|id| id.0.to_be_bytes())
/// }
///
/// #[post("/charges")]
/// #[idempotent]
/// async fn create_charge() -> impl Responder {
///     HttpResponse::Created()
/// }
///
/// let idempotency = Idempotency::new(MemoryStore::new(), KeyScope::by(principal));
/// let app = move || App::new().wrap(idempotency.clone()).service(create_charge);
/// # let _ = app;
/// ```
#[derive(Clone, Debug)]
pub struct Idempotency(pub(crate) Arc<Layer>);

impl Idempotency {
    /// A layer for marked handlers, with every option at its default.
    ///
    /// # Panics
    ///
    /// With the message of the [`ConfigError`](crate::ConfigError) that
    /// [`build`](IdempotencyBuilder::build) returns: here that can only be a
    /// [`KeyScope::header`] whose name is no header name.
    pub fn new(store: impl Store, scope: KeyScope) -> Self {
        match Self::builder(store, scope).build() {
            Ok(idempotency) => idempotency,
            Err(error) => panic!("{error}"),
        }
    }

    /// Starts a layer with options.
    pub fn builder(store: impl Store, scope: KeyScope) -> IdempotencyBuilder {
        IdempotencyBuilder::new(Arc::new(store), scope)
    }

    /// Tells whether the store could serve a claim now, for a readiness probe.
    ///
    /// # Errors
    ///
    /// What the store says, or that it did not answer within the store timeout.
    pub async fn health(&self) -> Result<(), StoreError> {
        let timeout = self.0.options.store_timeout();
        crate::claim::deadline::deadline(timeout, self.0.store().health()).await
    }
}

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
            layer: LayerHandle::new(Arc::clone(&self.0)),
        }))
    }
}

/// The service that [`Idempotency`] makes of the one it wraps.
#[derive(Debug)]
pub struct IdempotencyService<S> {
    service: Rc<S>,
    layer: LayerHandle,
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

    fn call(&self, request: ServiceRequest) -> Self::Future {
        if !ELIGIBLE.contains(request.method()) {
            return IdempotencyFuture::pass(self.service.call(request));
        }
        if !self.layer.covers_all_routes(request.method()) {
            return self.pass(request);
        }
        // The route is looked up only where that could matter.
        let options = match self.layer.may_cover(request.request()) && !is_claimed(&request) {
            true => self.layer.covering(request.request()),
            false => None,
        };
        let key = options
            .as_ref()
            .and_then(|options| self.layer.key(request.request(), options));
        let Some(options) = options.filter(|options| key.is_some() || options.required) else {
            return self.pass(request);
        };
        let problem = match key {
            Some(Ok(key)) => {
                let (service, layer) = (Rc::clone(&self.service), self.layer.clone());
                let ticket = key.into_ticket();
                let held = Arc::clone(&ticket);
                let once = all_routes::once(service, layer, request, ticket, options);
                return IdempotencyFuture::once(Detach::new(held, once));
            }
            Some(Err(reason)) => Problem::InvalidKey(reason),
            None => self.layer.missing_key(&options),
        };
        let refusal = reject(&self.layer, problem);
        IdempotencyFuture::refuse(request.into_response(refusal))
    }
}

impl<S: Service<ServiceRequest>> IdempotencyService<S> {
    /// Leaves the request to marked handlers, which find the layer with it.
    fn pass(&self, request: ServiceRequest) -> IdempotencyFuture<S::Future> {
        request.extensions_mut().insert(self.layer.clone());
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
        way: Way<F>,
    }
}

pin_project! {
    #[project = WayProjection]
    enum Way<F> {
        Pass { #[pin] future: F },
        Once { future: Detach<Result<ServiceResponse, Error>> },
        Refuse { response: Option<Box<ServiceResponse>> },
    }
}

impl<F> IdempotencyFuture<F> {
    fn pass(future: F) -> Self {
        Self {
            way: Way::Pass { future },
        }
    }

    fn once(future: Detach<Result<ServiceResponse, Error>>) -> Self {
        Self {
            way: Way::Once { future },
        }
    }

    fn refuse(response: ServiceResponse) -> Self {
        Self {
            way: Way::Refuse {
                response: Some(Box::new(response)),
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
        match self.project().way.project() {
            WayProjection::Pass { future } => {
                future.poll(cx).map_ok(ServiceResponse::map_into_left_body)
            }
            WayProjection::Once { future } => Pin::new(future)
                .poll(cx)
                .map_ok(ServiceResponse::map_into_right_body),
            WayProjection::Refuse { response } => {
                let response = response.take().expect("polled after completion");
                Poll::Ready(Ok(response.map_into_right_body()))
            }
        }
    }
}
