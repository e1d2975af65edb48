use std::future::{Ready, ready};
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::time::Instant;

use actix_web::dev::Payload;
use actix_web::web::Bytes;
use actix_web::{Error, FromRequest, Handler, HttpMessage, HttpRequest, HttpResponse, Responder};
use futures_util::FutureExt;

use crate::admission::{Turn, answer, begin, reject};
use crate::detach;
use crate::engine;
use crate::key::IdempotencyKey;
use crate::layer::{ELIGIBLE, Layer, LayerHandle};
use crate::operation::{Announced, Operation, OuterClaim};
use crate::options::Options;
use crate::problem::{self, Problem, Unkeyed};
use crate::route_options::RouteOptions;
use crate::store::State;
use crate::waiting::pause;

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
            Some(Ok(key)) => Box::pin(self.once(layer, key, handler, options)).await,
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

    /// Body, arguments and caller first; then claim, handler and answer in one piece that outlives the
    /// connection.
    async fn once<F, Args>(
        self,
        layer: LayerHandle,
        key: IdempotencyKey,
        handler: F,
        options: Rc<Options>,
    ) -> HttpResponse
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder,
        F::Future: 'static,
    {
        let Self {
            request,
            mut payload,
        } = self;
        let read = Announced::read(&layer, &request, &mut payload, key, options).await;
        let announced = match read {
            Ok(announced) => announced,
            Err(refusal) => return refusal,
        };
        let args = match extract(&request, announced.body.clone()).await {
            Ok(args) => args,
            Err(answer) => return answer,
        };
        let operation = match announced.identify(&layer, &request) {
            Ok(operation) => operation,
            Err(refusal) => return refusal,
        };
        let mut waiter = None;
        let mut run = Run {
            layer,
            request,
            operation,
            handler,
            args: Some(args),
        };
        loop {
            match detach::to_completion(run.go()).await {
                Step::Done(response) => return response,
                Step::Wait(again, change) => {
                    run = *again;
                    let operation = &run.operation;
                    if !pause(&mut waiter, &run.layer, operation, &mut payload, change).await {
                        return answer(&run.layer, State::InFlight);
                    }
                }
            }
        }
    }
}

/// An operation that asks for its turn.
struct Run<F, Args> {
    layer: LayerHandle,
    request: HttpRequest,
    operation: Operation,
    handler: F,
    /// Whoever waits holds none: they may be connections that the first request waits for.
    args: Option<Args>,
}

enum Step<T> {
    Done(HttpResponse),
    Wait(Box<T>, Option<Instant>),
}

impl<F, Args> Run<F, Args>
where
    F: Handler<Args>,
    Args: FromRequest,
    F::Output: Responder,
{
    async fn go(mut self) -> Step<Self> {
        let held = match begin(&self.layer, &self.operation, &self.request).await {
            Turn::Run(held) => held,
            Turn::Answer(answer) => return Step::Done(answer),
            Turn::Wait(change) => {
                self.args = None;
                return Step::Wait(Box::new(self), change);
            }
        };
        let Self {
            request,
            operation,
            handler,
            args,
            ..
        } = self;
        let Operation { body, options, .. } = operation;
        let args = match args {
            Some(args) => args,
            None => match extract(&request, body).await {
                Ok(args) => args,
                Err(answer) => {
                    engine::release(held).await;
                    return Step::Done(answer);
                }
            },
        };
        let call = async {
            let output = handler.call(args).await;
            output.respond_to(&request).map_into_boxed_body()
        };
        let mut response = match AssertUnwindSafe(call).catch_unwind().await {
            Ok(response) => response,
            Err(panic) => engine::panicked(&*panic),
        };
        if engine::releases(&response, &options) {
            engine::release(held).await;
        } else {
            engine::bind(held, &mut response, &options).await;
        }
        Step::Done(response)
    }
}

/// The handler's arguments, or the answer where there are none.
async fn extract<Args: FromRequest>(
    request: &HttpRequest,
    body: Bytes,
) -> Result<Args, HttpResponse> {
    let mut payload = Payload::from(body);
    let extract = async { Args::from_request(request, &mut payload).await };
    match AssertUnwindSafe(extract).catch_unwind().await {
        Ok(Ok(args)) => Ok(args),
        Ok(Err(error)) => Err(HttpResponse::from_error(error)),
        Err(panic) => Err(engine::panicked(&*panic)),
    }
}
