//! Marked handlers: what the attribute's expansion calls. A handler claims where it stands, inside of inner middleware.

use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::rc::Rc;

use actix_web::dev::Payload;
use actix_web::web::Bytes;
use actix_web::{Error, FromRequest, Handler, HttpMessage, HttpRequest, HttpResponse, Responder};
use futures_util::FutureExt;

use super::arguments::extract;
use super::in_transaction::{Wanted, offering};
use super::outer_claim::{OuterClaim, Unstarted};
use super::start::Start;
use super::transactional::{Transactional, refuse_meaningless};
use super::uncovered::not_covered;
use super::worker::{Worker, formed};
use crate::answer::{drop_marks, panicked, refuse};
use crate::claim::HeldClaim;
use crate::options::{Options, RouteOptions};
use crate::run::{
    Admitted, Binding, Detach, Finishing, Keyed, Operation, Unfinished, admit, gate, hand_up,
    handed_up, is_held, mark,
};
use crate::telemetry::Outcome;

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
    #[expect(
        clippy::manual_async_fn,
        reason = "an `async fn` has room for its arguments twice, and every request has room for this"
    )]
    pub fn run<F, Args>(
        mut self,
        handler: F,
        route: &'static RouteOptions,
    ) -> impl Future<Output = HttpResponse>
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder,
        F::Future: 'static,
    {
        async move {
            // Middleware inside may call twice for one request. What its first call came to is finished before the second is
            // looked at, which may be its retry.
            if let Some(mut earlier) = handed_up() {
                Box::pin(async move { earlier.pass().await }).await;
            }
            let start = match Start::of(&self.request, route) {
                Ok(start) => start,
                Err(in_body) => {
                    let read = in_body.read(&self.request, &mut self.payload);
                    Box::pin(read).await.into()
                }
            };
            match start {
                Start::Pass(outer) => {
                    let mut answer = self.pass(handler, outer, route).await;
                    drop_marks(answer.headers_mut());
                    answer
                }
                // The layer holds the request, and finishes its answer. Something in between that moved it to a task of
                // its own has cut that tie, so it is held and finished here.
                Start::Run(keyed) => match is_held() {
                    true => {
                        let answer = self.once(keyed, handler, route).await;
                        formed(answer, &self.request)
                    }
                    false => {
                        let request = self.request.clone();
                        let claims = Rc::clone(keyed.claims());
                        let once = async move {
                            let answer = self.once(keyed, handler, route).await;
                            formed(answer, &self.request)
                        };
                        formed(Detach::new(claims, finish_here(once)).await, &request)
                    }
                },
                Start::Answer(answer) => {
                    let answer = formed(*answer, &self.request);
                    Box::pin(refuse(answer, &self.request, self.payload)).await
                }
            }
        }
    }

    /// What actix-web does with an unmarked handler.
    async fn pass<F, Args>(
        mut self,
        handler: F,
        outer: Option<OuterClaim>,
        route: &'static RouteOptions,
    ) -> HttpResponse
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder,
        F::Future: 'static,
    {
        let args = async { Args::from_request(&self.request, &mut self.payload).await };
        let args = offering(args).await;
        if let Some(wanted) = Wanted::take(&self.request) {
            return match args {
                Ok(args) => Box::pin(self.plain(handler, args, wanted, route)).await,
                Err(error) => HttpResponse::from_error(error),
            };
        }
        let args = match args {
            Ok(args) => args,
            Err(error) => {
                let mut answer = HttpResponse::from_error(error);
                Unstarted::mark(&mut answer);
                return answer;
            }
        };
        if let Some(Err(answer)) = outer.as_ref().map(OuterClaim::start) {
            let mut answer = formed(*answer, &self.request);
            Unstarted::mark(&mut answer);
            return answer;
        }
        let call = async {
            let output = handler.call(args).await;
            output.respond_to(&self.request).map_into_boxed_body()
        };
        let Some(outer) = outer else {
            return call.await;
        };
        let answer = AssertUnwindSafe(call).catch_unwind().await;
        outer.end();
        answer.unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// A transaction without a key.
    async fn plain<F, Args>(
        self,
        handler: F,
        args: Args,
        wanted: Wanted,
        route: &'static RouteOptions,
    ) -> HttpResponse
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder,
        F::Future: 'static,
    {
        let request = self.request;
        if let Some(answer) = refuse_meaningless(&request, route) {
            return answer;
        }
        let worker = Worker::of(&request.extensions()).cloned();
        let Some(worker) = worker else {
            let what = "a handler that takes a transaction";
            return HttpResponse::from_error(not_covered(what, &request));
        };
        let options = worker.marked(&request, route);
        let transactional = Transactional {
            request: request.clone(),
            handler,
            wanted,
            args: PhantomData,
        };
        let answer = match is_held() {
            true => transactional.plain(&options, args).await,
            false => {
                let plain = async move { transactional.plain(&options, args).await };
                Detach::new(Rc::clone(worker.claims()), finish_here(plain)).await
            }
        };
        formed(answer, &request)
    }

    /// Runs it for its key. Body, arguments and caller first; then claim, handler and answer, which outlive the connection.
    async fn once<F, Args>(
        &mut self,
        keyed: Keyed,
        handler: F,
        route: &'static RouteOptions,
    ) -> HttpResponse
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder,
    {
        let Self { request, payload } = self;
        let (mut operation, args) = match identify(request, payload, keyed).await {
            Ok(identified) => identified,
            Err(answer) => return *answer,
        };
        if let Some(wanted) = Wanted::take(request) {
            if let Some(answer) = refuse_meaningless(request, route) {
                return answer;
            }
            let transactional = Transactional {
                request: request.clone(),
                handler,
                wanted,
                args: PhantomData,
            };
            return Box::pin(transactional.once(operation, args, payload)).await;
        }
        let mut args = Some(args);
        let held = match admit(&operation, request, payload, || args = None).await {
            Admitted::Run(held) => held,
            Admitted::Answer(answer) => return operation.edited(answer, request),
        };
        let (args, held) = match args {
            Some(args) => (args, held),
            None => {
                let body = operation.body.clone();
                match Box::pin(extract_again(request, body, held)).await {
                    Ok(again) => again,
                    Err(answer) => return *answer,
                }
            }
        };
        let held = match gate(&operation, held).await {
            Admitted::Run(held) => held,
            Admitted::Answer(answer) => return operation.edited(answer, request),
        };
        operation.body = Bytes::new();
        let call = async {
            let output = handler.call(args).await;
            output.respond_to(request).map_into_boxed_body()
        };
        let (binding, mut response, held) = answered(call, &operation.options, held).await;
        let Operation {
            options, context, ..
        } = operation;
        let finishing = Finishing::of(binding, held, &mut response, &options, context);
        hand_up(Unfinished::Claim(finishing));
        response
    }
}

/// Finishes an answer right after its handler.
async fn finish_here(call: impl Future<Output = HttpResponse>) -> HttpResponse {
    let mut response = call.await;
    if let Some(mut finishing) = handed_up() {
        let passed = finishing.pass().await;
        passed.change(&mut response, finishing.options());
    }
    response
}

/// The operation and its handler's arguments, or the answer where there are none.
async fn identify<Args: FromRequest>(
    request: &HttpRequest,
    payload: &mut Payload,
    keyed: Keyed,
) -> Result<(Operation, Args), Box<HttpResponse>> {
    let identified = async {
        let announced = keyed.read(request, payload).await?;
        let args = extract(request, announced.body.clone()).await?;
        let operation = announced.identify(request)?;
        Ok::<_, Box<HttpResponse>>((operation, args))
    };
    let refusal = match identified.await {
        Ok(identified) => return Ok(identified),
        Err(refusal) => formed(*refusal, request),
    };
    let refused = Box::pin(refuse(refusal, request, payload.take()));
    Err(Box::new(refused.await))
}

/// The answer of a handler, and what it asks for; also where it panics. The claim is kept here, since beside the call it would
/// take room of its own.
fn answered(
    call: impl Future<Output = HttpResponse>,
    options: &Options,
    held: HeldClaim,
) -> impl Future<Output = (Binding, HttpResponse, HeldClaim)> {
    let call = AssertUnwindSafe(call).catch_unwind();
    call.map(move |returned| match returned {
        Ok(response) => (Binding::of(&response, options), response, held),
        Err(panic) => (Binding::Bind, panicked(&*panic), held),
    })
}

/// The arguments of an operation that gave them up while it waited for its claim.
async fn extract_again<Args: FromRequest>(
    request: &HttpRequest,
    body: Bytes,
    held: HeldClaim,
) -> Result<(Args, HeldClaim), Box<HttpResponse>> {
    match extract(request, body).await {
        Ok(args) => Ok((args, held)),
        Err(mut answer) => {
            held.release().await;
            mark(&mut answer, Outcome::Released);
            Err(answer)
        }
    }
}
