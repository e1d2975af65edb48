use std::future::{Ready, ready};
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::web::Bytes;
use actix_web::{Error, FromRequest, Handler, HttpMessage, HttpRequest, HttpResponse, Responder};
use futures_util::FutureExt;

use crate::admission::{admit, reject};
use crate::body;
use crate::claim::HeldClaim;
use crate::detach::Detach;
use crate::engine::{self, End};
use crate::key::IdempotencyKey;
use crate::layer::{ELIGIBLE, Layer, LayerHandle};
use crate::operation::{Announced, Operation, OuterClaim};
use crate::options::Options;
use crate::problem::{self, Problem, Unkeyed};
use crate::route_options::RouteOptions;
use crate::ticket::Ticket;

/// The single argument of a marked handler: the whole request, for the engine to take apart.
#[expect(missing_debug_implementations, reason = "a payload has none")]
pub struct Marked {
    request: HttpRequest,
    payload: Payload,
}

impl FromRequest for Marked {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        ready(Ok(Self {
            request: request.clone(),
            payload: payload.take(),
        }))
    }
}

impl Marked {
    /// Runs the handler once for the request's key.
    pub async fn run<F, Args>(self, handler: F, route: &'static RouteOptions) -> HttpResponse
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder,
        F::Future: 'static,
    {
        if !ELIGIBLE.contains(self.request.method()) {
            return self.pass(handler, || {}).await;
        }
        let (outer, layer) = {
            let extensions = self.request.extensions();
            let outer = OuterClaim::of(&extensions).cloned();
            (outer, Layer::of(&extensions).cloned())
        };
        if let Some(outer) = outer {
            return self.inside(&outer, handler, route).await;
        }
        let Some(layer) = layer else {
            let what = "a handler marked with #[idempotent]";
            return HttpResponse::from_error(problem::not_covered(what, &self.request));
        };
        let options = layer.marked(&self.request, route);
        match layer.key(&self.request, &options) {
            None if options.required => reject(&layer, layer.missing_key(&options)),
            None => {
                if options.key.is_some() {
                    let header = layer.key_header(&options).cloned();
                    self.request.extensions_mut().insert(Unkeyed(header));
                }
                self.pass(handler, || {}).await
            }
            Some(Err(reason)) => reject(&layer, Problem::InvalidKey(reason)),
            Some(Ok(key)) => {
                let ticket = Arc::clone(key.ticket());
                Detach::new(ticket.clone(), self.once(layer, ticket, handler, options)).await
            }
        }
    }

    /// What actix-web does with an unmarked handler.
    async fn pass<F, Args>(mut self, handler: F, start: impl FnOnce()) -> HttpResponse
    where
        F: Handler<Args>,
        Args: FromRequest,
        F::Output: Responder,
    {
        match Args::from_request(&self.request, &mut self.payload).await {
            Err(error) => HttpResponse::from_error(error),
            Ok(args) => {
                start();
                let output = handler.call(args).await;
                output.respond_to(&self.request).map_into_boxed_body()
            }
        }
    }

    /// Runs under the claim of an outer layer, and overrides what that one decides afterwards.
    async fn inside<F, Args>(
        self,
        outer: &OuterClaim,
        handler: F,
        route: &'static RouteOptions,
    ) -> HttpResponse
    where
        F: Handler<Args>,
        Args: FromRequest,
        F::Output: Responder,
    {
        if let Some(option) = outer.too_late(route) {
            let pattern = self.request.match_pattern().unwrap_or_default();
            tracing::error!(
                option,
                "`{option}` of #[idempotent] comes too late under an all-routes layer, which has \
                 claimed the key already: give the layer an entry \
                 `.route(Method::{}, {pattern:?}, RouteOptions::new().{option}(..))` instead",
                self.request.method(),
            );
            return problem::misconfigured();
        }
        outer.reach(route);
        self.pass(handler, || outer.start()).await
    }

    /// Body, arguments and caller first; then claim, handler and answer, which outlive the connection.
    async fn once<F, Args>(
        mut self,
        layer: LayerHandle,
        ticket: Arc<Ticket>,
        handler: F,
        options: Rc<Options>,
    ) -> HttpResponse
    where
        F: Handler<Args>,
        Args: FromRequest,
        F::Output: Responder,
    {
        let Self { request, payload } = &mut self;
        let (mut operation, args) = match identify(&layer, request, payload, ticket, options).await
        {
            Ok(identified) => identified,
            Err(answer) => return answer,
        };
        let mut args = Some(args);
        let gives_way = || args = None;
        let held = match admit(&layer, &operation, request, payload, gives_way).await {
            Ok(held) => held,
            Err(answer) => return answer,
        };
        let (args, held) = match args {
            Some(args) => (args, held),
            None => {
                let body = operation.body.clone();
                match Box::pin(extract_again(request, body, held)).await {
                    Ok(again) => again,
                    Err(answer) => return answer,
                }
            }
        };
        operation.body = Bytes::new();
        let call = async {
            let output = handler.call(args).await;
            output.respond_to(request).map_into_boxed_body()
        };
        let (end, mut response) = finished(call, &operation.options).await;
        engine::end(end, held, &mut response, &operation.options).await;
        response
    }
}

/// The operation and its handler's arguments, or the answer where there are none.
async fn identify<Args: FromRequest>(
    layer: &Layer,
    request: &HttpRequest,
    payload: &mut Payload,
    ticket: Arc<Ticket>,
    options: Rc<Options>,
) -> Result<(Operation, Args), HttpResponse> {
    let key = IdempotencyKey::of(&ticket);
    request.extensions_mut().insert(key);
    let announced = Announced::read(layer, request, payload, ticket, options).await?;
    let args = extract(request, announced.body.clone()).await?;
    Ok((announced.identify(layer, request)?, args))
}

/// The answer of a handler, and what it asks for; also where it panics.
async fn finished(
    call: impl Future<Output = HttpResponse>,
    options: &Options,
) -> (End, HttpResponse) {
    match AssertUnwindSafe(call).catch_unwind().await {
        Ok(response) => (End::of(&response, options), response),
        Err(panic) => (End::Bind, engine::panicked(&*panic)),
    }
}

/// The arguments of an operation that gave them up while it waited for its claim.
async fn extract_again<Args: FromRequest>(
    request: &HttpRequest,
    body: Bytes,
    held: HeldClaim,
) -> Result<(Args, HeldClaim), HttpResponse> {
    match extract(request, body).await {
        Ok(args) => Ok((args, held)),
        Err(answer) => {
            engine::release(held).await;
            Err(answer)
        }
    }
}

/// The handler's arguments, or the answer where there are none.
async fn extract<Args: FromRequest>(
    request: &HttpRequest,
    body: Bytes,
) -> Result<Args, HttpResponse> {
    let mut payload = body::unread(body);
    let extract = async { Args::from_request(request, &mut payload).await };
    match AssertUnwindSafe(extract).catch_unwind().await {
        Ok(Ok(args)) => Ok(args),
        Ok(Err(error)) => Err(HttpResponse::from_error(error)),
        Err(panic) => Err(engine::panicked(&*panic)),
    }
}
