use std::future::{Ready, ready};
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::web::Bytes;
use actix_web::{Error, FromRequest, Handler, HttpMessage, HttpRequest, HttpResponse, Responder};
use futures_util::FutureExt;

use crate::answer::problem::{self, Problem, Unkeyed};
use crate::claim::held::HeldClaim;
use crate::layer::shared::{ELIGIBLE, Layer, LayerHandle};
use crate::options::resolved::Options;
use crate::options::route_options::RouteOptions;
use crate::request::body;
use crate::run::admission::{admit, reject};
use crate::run::context::Ticket;
use crate::run::detach::Detach;
use crate::run::finish::{self, End};
use crate::run::operation::{Announced, Operation, OuterClaim};

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
        match self.way(route) {
            Way::Pass(outer) => self.pass(handler, outer).await,
            Way::Once(layer, ticket, options) => {
                let held = Arc::clone(&ticket);
                Detach::new(held, self.once(layer, ticket, handler, options)).await
            }
            Way::Answer(answer) => *answer,
        }
    }

    fn way(&self, route: &'static RouteOptions) -> Way {
        if !ELIGIBLE.contains(self.request.method()) {
            return Way::Pass(None);
        }
        let (outer, layer) = {
            let extensions = self.request.extensions();
            let outer = OuterClaim::of(&extensions).cloned();
            (outer, Layer::of(&extensions).cloned())
        };
        if let Some(outer) = outer {
            return self.inside(outer, route);
        }
        let Some(layer) = layer else {
            let what = "a handler marked with #[idempotent]";
            let answer = HttpResponse::from_error(problem::not_covered(what, &self.request));
            return Way::Answer(Box::new(answer));
        };
        let options = layer.marked(&self.request, route);
        let problem = match layer.key(&self.request, &options) {
            Some(Ok(key)) => return Way::Once(layer, key.into_ticket(), options),
            Some(Err(reason)) => Problem::InvalidKey(reason),
            None if options.required => layer.missing_key(&options),
            None => {
                if options.key.is_some() {
                    let header = layer.key_header(&options).cloned();
                    self.request.extensions_mut().insert(Unkeyed(header));
                }
                return Way::Pass(None);
            }
        };
        Way::Answer(Box::new(reject(&layer, problem)))
    }

    /// Under the claim of an outer layer, the handler overrides what that one decides afterwards.
    fn inside(&self, outer: OuterClaim, route: &'static RouteOptions) -> Way {
        let Some(option) = outer.too_late(route) else {
            outer.reach(route);
            return Way::Pass(Some(outer));
        };
        let pattern = self.request.match_pattern().unwrap_or_default();
        tracing::error!(
            option,
            "`{option}` of #[idempotent] comes too late under an all-routes layer, which has \
             claimed the key already: give the layer an entry \
             `.route(Method::{}, {pattern:?}, RouteOptions::new().{option}(..))` instead",
            self.request.method(),
        );
        Way::Answer(Box::new(problem::misconfigured()))
    }

    /// What actix-web does with an unmarked handler.
    async fn pass<F, Args>(mut self, handler: F, outer: Option<OuterClaim>) -> HttpResponse
    where
        F: Handler<Args>,
        Args: FromRequest,
        F::Output: Responder,
    {
        match Args::from_request(&self.request, &mut self.payload).await {
            Err(error) => HttpResponse::from_error(error),
            Ok(args) => {
                if let Some(outer) = outer {
                    outer.start();
                }
                let output = handler.call(args).await;
                output.respond_to(&self.request).map_into_boxed_body()
            }
        }
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
        finish::end(end, held, &mut response, &operation.options).await;
        response
    }
}

/// What becomes of a request, as its route and its key tell.
enum Way {
    /// The handler just runs, under the claim of an outer layer if there is one.
    Pass(Option<OuterClaim>),
    Once(LayerHandle, Arc<Ticket>, Rc<Options>),
    Answer(Box<HttpResponse>),
}

/// The operation and its handler's arguments, or the answer where there are none.
async fn identify<Args: FromRequest>(
    layer: &Layer,
    request: &HttpRequest,
    payload: &mut Payload,
    ticket: Arc<Ticket>,
    options: Rc<Options>,
) -> Result<(Operation, Args), HttpResponse> {
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
        Err(panic) => (End::Bind, finish::panicked(&*panic)),
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
            finish::release(held).await;
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
        Err(panic) => Err(finish::panicked(&*panic)),
    }
}
