//! Marked handlers that take a transaction: run in it, and anew where it was undone for another's sake. What their answers
//! make of it is not known here.

use std::marker::PhantomData;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;

use actix_web::dev::Payload;
use actix_web::web::Bytes;
use actix_web::{FromRequest, Handler, HttpMessage, HttpRequest, HttpResponse, Responder};
use futures_util::FutureExt;

use super::arguments::extract;
use super::in_transaction::Wanted;
use super::worker::Worker;
use crate::answer::{Problem, RunAgain, misconfigured, panicked, reject};
use crate::options::{Options, RouteOptions};
use crate::run::{
    Admitted, Again, Open, Operation, Transacted, Unfinished, admit_open, hand_up, mark, open_plain,
};
use crate::telemetry::Outcome;

/// A handler with all that it takes to run it again.
pub(super) struct Transactional<F, Args> {
    pub(super) request: HttpRequest,
    pub(super) handler: F,
    pub(super) wanted: Wanted,
    pub(super) args: PhantomData<fn() -> Args>,
}

/// The answer where an option of the route's does not go with its transaction.
pub(super) fn refuse_meaningless(
    request: &HttpRequest,
    attribute: &RouteOptions,
) -> Option<HttpResponse> {
    let worker = Worker::of(&request.extensions()).cloned()?;
    let (option, place) = worker.meaningless(request, attribute)?;
    let advice = format!(
        "`{option}` of {place} means nothing for a handler that takes a transaction, whose claim ends with it: take the \
         option away"
    );
    tracing::error!(
        option,
        route = request.match_pattern().unwrap_or_default(),
        "{advice}",
    );
    Some(misconfigured(advice))
}

impl<F, Args> Transactional<F, Args>
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder,
{
    /// Runs it for an operation, whose answer is finished where it passes the layer.
    pub(super) async fn once(
        self,
        mut operation: Operation,
        args: Args,
        payload: &mut Payload,
    ) -> HttpResponse {
        let mut args = Some(args);
        let request = &self.request;
        let admitted = admit_open(&operation, self.wanted.slot(), request, payload, || {
            args = None
        });
        let open = match admitted.await {
            Admitted::Run(open) => open,
            Admitted::Answer(answer) => return operation.edited(answer, request),
        };
        let body = std::mem::take(&mut operation.body);
        let anew = Rc::new(Anew {
            handler: self,
            operation,
            body,
        });
        let (response, transacted) = run(anew, open, args, 1).await;
        if let Some(transacted) = transacted {
            hand_up(Unfinished::Transaction(transacted));
        }
        response
    }

    /// Runs it for a request without a key: by the same rules, without a record, and once, since the body is gone.
    pub(super) async fn plain(self, options: &Rc<Options>, args: Args) -> HttpResponse {
        let open = match open_plain(self.wanted.slot(), options).await {
            Ok(open) => open,
            Err(answer) => return answer,
        };
        let mut response = match self.call(args, &open).await {
            Ok(response) => response,
            Err(answer) => return answer,
        };
        if RunAgain::is_marked(&response) {
            return reject(Problem::StoreUnavailable, &options.problem_base);
        }
        let transacted = Transacted::of(open, &mut response, None).await;
        hand_up(Unfinished::Transaction(transacted));
        response
    }

    /// The arguments once more, for the same transaction's place.
    async fn arguments(&self, body: Bytes) -> Result<Args, Box<HttpResponse>> {
        self.wanted.again(&self.request);
        let args = extract(&self.request, body).await;
        Wanted::take(&self.request);
        args
    }

    /// The handler's answer, or the one to a handler that kept its transaction.
    async fn call(&self, args: Args, open: &Open) -> Result<HttpResponse, HttpResponse> {
        let call = async {
            let output = self.handler.call(args).await;
            output.respond_to(&self.request).map_into_boxed_body()
        };
        let called = AssertUnwindSafe(call).catch_unwind().await;
        if !open.is_home() {
            let advice = "a transaction has left its handler (stored, spawned or in the body of its answer), so it was refused \
                and nothing is committed: whatever writes to it must end before the handler does";
            tracing::error!(
                route = self.request.match_pattern().unwrap_or_default(),
                "{advice}",
            );
            let mut answer = misconfigured(advice);
            mark(&mut answer, Outcome::Released);
            return Err(answer);
        }
        Ok(called.unwrap_or_else(|panic| panicked(&*panic)))
    }
}

/// An operation that can be run anew.
struct Anew<F, Args> {
    handler: Transactional<F, Args>,
    operation: Operation,
    body: Bytes,
}

/// Runs the handler until it is not undone for another transaction's sake.
async fn run<F, Args>(
    anew: Rc<Anew<F, Args>>,
    mut open: Open,
    mut args: Option<Args>,
    mut runs: usize,
) -> (HttpResponse, Option<Transacted>)
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder,
{
    let handler = &anew.handler;
    let options = &anew.operation.options;
    loop {
        let args = match args.take() {
            Some(args) => args,
            None => match handler.arguments(anew.body.clone()).await {
                Ok(args) => args,
                Err(mut answer) => {
                    open.undo().await;
                    mark(&mut answer, Outcome::Released);
                    return (*answer, None);
                }
            },
        };
        let mut response = match handler.call(args, &open).await {
            Ok(response) => response,
            Err(answer) => return (answer, None),
        };
        let is_undone = RunAgain::is_marked(&response);
        if !is_undone || !open.undo().await {
            let again = (runs < options.transaction_runs).then(|| again(&anew, runs + 1));
            let transacted = Transacted::of(open, &mut response, again).await;
            return (response, Some(transacted));
        }
        drop(open);
        if runs >= options.transaction_runs {
            let answer = reject(Problem::StoreUnavailable, &options.problem_base);
            return (answer, None);
        }
        runs += 1;
        open = match open_again(&anew).await {
            Admitted::Run(open) => open,
            Admitted::Answer(answer) => return (answer, None),
        };
    }
}

/// The same once more, where its commit was undone.
fn again<F, Args>(anew: &Rc<Anew<F, Args>>, runs: usize) -> Again
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder,
{
    let anew = Rc::clone(anew);
    Box::new(move || {
        Box::pin(async move {
            match open_again(&anew).await {
                Admitted::Run(open) => run(anew, open, None, runs).await,
                Admitted::Answer(answer) => (answer, None),
            }
        })
    })
}

async fn open_again<F, Args>(anew: &Anew<F, Args>) -> Admitted<Open> {
    let Anew {
        handler, operation, ..
    } = anew;
    let (slot, request) = (handler.wanted.slot(), &handler.request);
    admit_open(operation, slot, request, &mut Payload::None, || ()).await
}
