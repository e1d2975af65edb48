use std::future::{Ready, ready};
use std::panic::AssertUnwindSafe;
use std::rc::Rc;

use actix_web::dev::Payload;
use actix_web::{Error, FromRequest, Handler, HttpMessage, HttpRequest, HttpResponse, Responder};
use futures_util::FutureExt;

use crate::body;
use crate::detach;
use crate::engine;
use crate::key::IdempotencyKey;
use crate::layer::{ELIGIBLE, Layer, LayerHandle};
use crate::operation::{Operation, OuterClaim};
use crate::options::RouteOptions;
use crate::problem::{self, Problem};

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
        match layer.key(&self.request) {
            None if layer.options.with(route).required => {
                engine::reject(&layer, Problem::MissingKey)
            }
            None => self.pass(handler, || {}).await,
            Some(Err(reason)) => engine::reject(&layer, Problem::InvalidKey(reason)),
            Some(Ok(key)) => Box::pin(self.once(layer, key, handler, route)).await,
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

    /// Key, body, arguments and caller first; then claim, handler and answer in one piece that
    /// outlives the connection.
    async fn once<F, Args>(
        self,
        layer: LayerHandle,
        key: IdempotencyKey,
        handler: F,
        route: &'static RouteOptions,
    ) -> HttpResponse
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder,
        F::Future: 'static,
    {
        let Self { request, payload } = self;
        let options = Rc::new(layer.options.with(route));
        let (bytes, fingerprint) = match body::read(&request, payload, options.max_body).await {
            Ok(read) => read,
            Err(unread) => return unread.response(&layer),
        };
        let attempt = Operation::announce(&request, &key);
        let mut payload = Payload::from(bytes);
        let extract = async { Args::from_request(&request, &mut payload).await };
        let args = match AssertUnwindSafe(extract).catch_unwind().await {
            Ok(Ok(args)) => args,
            Ok(Err(error)) => return HttpResponse::from_error(error),
            Err(panic) => return engine::panicked(&*panic),
        };
        let operation =
            match Operation::identify(&layer, &request, &key, fingerprint, options, attempt) {
                Ok(operation) => operation,
                Err(refusal) => return refusal,
            };
        detach::to_completion(async move {
            let held = match engine::begin(&layer, &operation).await {
                Ok(held) => held,
                Err(answer) => return answer,
            };
            let call = async {
                let output = handler.call(args).await;
                output.respond_to(&request).map_into_boxed_body()
            };
            let mut response = match AssertUnwindSafe(call).catch_unwind().await {
                Ok(response) => response,
                Err(panic) => engine::panicked(&*panic),
            };
            if engine::releases(&response, &operation.options) {
                engine::release(held).await;
            } else {
                engine::bind(held, &mut response, &operation.options).await;
            }
            response
        })
        .await
    }
}
