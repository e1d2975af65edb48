//! The operation is all that the layer wraps: what stands between layer and handler completes the effect.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody, to_bytes};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::ErrorInternalServerError;
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::{Compress, Next, from_fn};
use actix_web::web::{Bytes, ServiceConfig};
use actix_web::{App, Error, HttpMessage, HttpResponse, Responder, post, web};
use futures_util::stream;
use idempotency_actix::store::RecordId;
use idempotency_actix::{
    Caller, Clock, Idempotency, KeyScope, MemoryStore, NotExecuted, idempotent,
};
use idempotency_actix_tests::{Client, PATIENCE, Request, Response, assert_problem, until};
use tokio::sync::Notify;

use idempotency_actix_tests::app::{Counter, Gate, Site, builder, marked};
use idempotency_actix_tests::log;

/// What the middleware in between did: a transaction of the request, say.
#[derive(Clone)]
struct Transactions {
    committed: Counter,
    gate: Gate,
    cut: Arc<Notify>,
}

impl Transactions {
    fn new() -> Self {
        Self {
            committed: Counter::default(),
            gate: Gate::closed(),
            cut: Arc::default(),
        }
    }
}

/// Commits what the handler did, if nothing goes wrong: the header tells what does.
async fn transaction(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let transactions: &Transactions = request.app_data().expect("transactions");
    let Transactions {
        committed,
        gate,
        cut,
    } = transactions.clone();
    let commit = request.headers().get("x-commit");
    let commit = commit
        .map_or("", |commit| commit.to_str().unwrap())
        .to_owned();
    let call = next.call(request);
    let response = tokio::select! {
        response = call => response?,
        () = cut.notified() => return Err(ErrorInternalServerError("cut off")),
    };
    match &*commit {
        "errs" => return Err(ErrorInternalServerError("the commit failed")),
        "answers" => {
            let answer = HttpResponse::InternalServerError().body("the commit failed");
            return Ok(response.into_response(answer));
        }
        "panics" => panic!("the commit panicked"),
        "refused" => {
            let error = ErrorInternalServerError("nothing was written");
            return Err(NotExecuted::error(error));
        }
        "waits" => gate.pass().await,
        "errs late" => {
            gate.pass().await;
            return Err(ErrorInternalServerError("the commit failed"));
        }
        _ => {}
    }
    let is_replay = response.headers().contains_key("idempotent-replayed");
    if response.status().is_success() && !is_replay {
        committed.next();
    }
    Ok(response.map_into_boxed_body())
}

#[post("/charges")]
#[idempotent]
async fn charge(runs: Counter, gate: Option<web::Data<Gate>>) -> impl Responder {
    let run = runs.next();
    if let Some(gate) = gate {
        gate.pass().await;
    }
    HttpResponse::Created().body(format!("charge {run}"))
}

#[post("/export")]
#[idempotent]
async fn export(runs: Counter) -> impl Responder {
    let run = runs.next();
    let chunks = ["a", "b"].map(|part| Ok::<_, Error>(Bytes::from(format!("{part}{run} "))));
    HttpResponse::Created().streaming(stream::iter(chunks))
}

struct World {
    site: Site,
    transactions: Transactions,
    handler: Gate,
}

impl World {
    fn new(layer: Idempotency, waits: bool) -> Self {
        let (transactions, handler) = (Transactions::new(), Gate::closed());
        let (inner, gate) = (transactions.clone(), handler.clone());
        let site = Site::serve(move |runs| {
            let mut app = App::new().app_data(runs).app_data(inner.clone());
            if waits {
                app = app.app_data(web::Data::new(gate.clone()));
            }
            let routes = |config: &mut ServiceConfig| {
                config.service(charge).service(export);
            };
            app.wrap(from_fn(transaction))
                .wrap(layer.clone())
                .configure(routes)
        });
        Self {
            site,
            transactions,
            handler,
        }
    }

    fn marked() -> Self {
        Self::new(marked(), false)
    }

    /// Sends without waiting for the answer, until the handler runs.
    fn start(&self, request: &Request) -> Client {
        let mut client = Client::connect(self.site.addr());
        client.send(request);
        client
    }

    fn committed(&self) -> usize {
        self.transactions.committed.count()
    }
}

fn ask(commit: &str) -> Request {
    Request::post("/charges")
        .key("k")
        .header("x-commit", commit)
}

/// Sends until the record is finished, and returns what then comes.
fn settled(site: &Site, request: &Request) -> Response {
    let settled = || Some(site.send(request.clone())).filter(|answer| answer.status != 409);
    until(PATIENCE, settled).expect("a record that is finished")
}

#[test]
fn a_commit_that_fails_is_what_every_retry_is_told() {
    for commit in ["errs", "answers", "panics"] {
        let world = World::marked();
        assert_eq!(world.site.send(ask(commit)).status, 500, "{commit}");
        let retry = world.site.send(ask(""));
        assert_eq!((retry.status, retry.is_replay()), (500, true), "{commit}");
        assert_eq!(
            (world.site.runs.count(), world.committed()),
            (1, 0),
            "{commit}"
        );
    }
}

#[test]
fn a_commit_that_says_nothing_was_executed_lets_a_retry_run() {
    let world = World::marked();
    assert_eq!(world.site.send(ask("refused")).status, 500);
    let retry = world.site.send(ask(""));
    assert_eq!((retry.status, retry.is_replay()), (201, false));
    assert_eq!((world.site.runs.count(), world.committed()), (2, 1));
}

#[test]
fn what_the_handler_answered_is_replayed_after_a_commit() {
    let world = World::marked();
    let (first, retry) = world.site.twice(&ask(""));
    assert_eq!(
        (first.text(), retry.text()),
        ("charge 1".into(), "charge 1".into())
    );
    assert!(retry.is_replay());
    assert_eq!(world.site.runs.count(), 1);
}

#[test]
fn a_client_that_resets_during_the_handler_does_not_stop_the_commit() {
    let world = World::new(marked(), true);
    let client = world.start(&ask(""));
    world.handler.wait();
    client.reset();
    assert_problem(&world.site.send(ask("")), 409, "in-flight");
    world.handler.let_one_through();
    let retry = settled(&world.site, &ask(""));
    assert_eq!((retry.status, retry.is_replay()), (201, true));
    assert_eq!((world.site.runs.count(), world.committed()), (1, 1));
}

#[test]
fn a_client_that_resets_during_the_commit_does_not_stop_it() {
    let world = World::marked();
    let client = world.start(&ask("waits"));
    world.transactions.gate.wait();
    // The handler is done, and its answer has not passed the layer.
    assert_problem(&world.site.send(ask("")), 409, "in-flight");
    client.reset();
    assert_problem(&world.site.send(ask("")), 409, "in-flight");
    world.transactions.gate.let_one_through();
    let retry = settled(&world.site, &ask(""));
    assert_eq!((retry.status, retry.is_replay()), (201, true));
    assert_eq!((world.site.runs.count(), world.committed()), (1, 1));
}

#[test]
fn a_handler_that_is_cut_off_inside_of_the_layer_becomes_unknown_and_is_said() {
    log::listen();
    let clock = Clock::manual();
    let store = MemoryStore::builder().clock(clock.clone()).build();
    let layer = Idempotency::new(store, KeyScope::by(|_| Some("cut")));
    let world = World::new(layer, true);
    let mut client = world.start(&ask(""));
    world.handler.wait();
    world.transactions.cut.notify_waiters();
    assert_eq!(client.receive().status, 500);
    assert_problem(&world.site.send(ask("")), 409, "in-flight");
    clock.advance(Duration::from_secs(31));
    assert_problem(&world.site.send(ask("")), 500, "outcome-unknown");
    assert_eq!((world.site.runs.count(), world.committed()), (1, 0));
    let id = RecordId::of(&Caller::principal("cut"), &Method::POST, "/charges", "k");
    let said = log::lines_with(&["cut_off", "time-outs belong outside", &format!("{id:?}")]);
    assert_eq!(said.len(), 1, "{said:?}");
}

#[test]
fn a_stream_is_recorded_once_its_head_has_passed_the_layer() {
    let world = World::marked();
    let request = Request::post("/export").key("k");
    let (first, retry) = world.site.twice(&request);
    assert_eq!(
        (first.text(), retry.text()),
        ("a1 b1 ".into(), "a1 b1 ".into())
    );
    assert!(retry.is_replay());
    assert_eq!(world.site.runs.count(), 1);
}

#[test]
fn a_stream_whose_commit_fails_is_not_replayed() {
    let world = World::marked();
    let request = Request::post("/export").key("k");
    let first = world.site.send(request.clone().header("x-commit", "errs"));
    assert_eq!(first.status, 500);
    let retry = settled(&world.site, &request);
    assert_eq!((retry.status, retry.is_replay()), (500, true));
    assert_eq!(world.site.runs.count(), 1);
}

#[test]
fn a_stream_that_ends_before_its_commit_fails_is_not_replayed() {
    let world = World::marked();
    let request = Request::post("/export").key("k");
    let mut client = world.start(&request.clone().header("x-commit", "errs late"));
    world.transactions.gate.wait();
    // The stream comes to its end meanwhile, and is not recorded: its head has not passed the layer.
    for _ in 0..20 {
        assert_problem(&world.site.send(request.clone()), 409, "in-flight");
    }
    world.transactions.gate.let_one_through();
    assert_eq!(client.receive().status, 500);
    let retry = settled(&world.site, &request);
    assert_eq!((retry.status, retry.is_replay()), (500, true));
    assert_eq!(world.site.runs.count(), 1);
}

/// Reads the whole answer before it passes it on.
async fn buffering(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let (request, response) = next.call(request).await?.into_parts();
    let (head, body) = response.into_parts();
    let body = to_bytes(body)
        .await
        .map_err(|_| ErrorInternalServerError("no body"))?;
    Ok(ServiceResponse::new(
        request,
        head.set_body(BoxBody::new(body)),
    ))
}

#[test]
fn a_stream_that_is_read_to_its_end_inside_of_the_layer_is_recorded() {
    let layer = marked();
    let site = Site::serve(move |runs| {
        let app = App::new().app_data(runs).wrap(from_fn(buffering));
        app.wrap(layer.clone()).service(export)
    });
    let (first, retry) = site.twice(&Request::post("/export").key("k"));
    assert_eq!(
        (first.text(), retry.text()),
        ("a1 b1 ".into(), "a1 b1 ".into())
    );
    assert!(retry.is_replay());
    assert_eq!(site.runs.count(), 1);
}

#[test]
fn what_is_compressed_inside_of_the_layer_is_kept_as_the_handler_gave_it() {
    let layer = marked();
    let site = Site::serve(move |runs| {
        let app = App::new().app_data(runs).wrap(Compress::default());
        app.wrap(layer.clone()).service(export).service(charge)
    });
    let gzip = ask("").header("accept-encoding", "gzip");
    assert_eq!(
        site.send(gzip.clone()).header("content-encoding"),
        Some("gzip")
    );
    let plain = site.send(ask(""));
    assert_eq!((plain.text(), plain.is_replay()), ("charge 1".into(), true));
    let again = site.send(gzip);
    assert_eq!(
        (again.header("content-encoding"), again.is_replay()),
        (Some("gzip"), true)
    );
    assert_eq!(site.runs.count(), 1);
}

/// Answers with another status than the handler, where it is asked to.
async fn teapot(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let is_asked = request.headers().contains_key("x-tea");
    let mut response = next.call(request).await?.map_into_boxed_body();
    if is_asked {
        *response.response_mut().status_mut() = StatusCode::IM_A_TEAPOT;
    }
    Ok(response)
}

#[test]
fn another_status_that_comes_out_binds() {
    let layer = marked();
    let site = Site::serve(move |runs| {
        let app = App::new().app_data(runs).wrap(from_fn(teapot));
        app.wrap(layer.clone()).service(charge).service(export)
    });
    for (target, body) in [("/charges", "charge 1"), ("/export", "a2 b2 ")] {
        let request = Request::post(target).key("k");
        let first = site.send(request.clone().header("x-tea", "1"));
        // A replay passes the same middleware, which is not asked now.
        let retry = settled(&site, &request);
        assert_eq!((first.status, retry.status), (418, 418));
        assert_eq!((first.text(), retry.text()), (body.into(), body.into()));
        assert!(retry.is_replay());
    }
    assert_eq!(site.runs.count(), 2);
}

/// Moves what is inside to a task of its own.
async fn spawning(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let task = actix_web::rt::spawn(next.call(request));
    let response = task
        .await
        .map_err(|_| ErrorInternalServerError("no task"))?;
    response.map(ServiceResponse::map_into_boxed_body)
}

#[test]
fn a_handler_that_is_moved_to_a_task_of_its_own_is_recorded_there() {
    let layer = marked();
    let site = Site::serve(move |runs| {
        let app = App::new().app_data(runs).wrap(from_fn(spawning));
        app.wrap(layer.clone()).service(charge).service(export)
    });
    for target in ["/charges", "/export"] {
        let (first, retry) = site.twice(&Request::post(target).key("k"));
        assert_eq!((first.text(), retry.is_replay()), (retry.text(), true));
    }
    assert_eq!(site.runs.count(), 2);
}

#[test]
fn the_inner_of_two_layers_finishes_the_answer() {
    let (outer, inner) = (marked(), marked());
    let site = Site::serve(move |runs| {
        let app = App::new().app_data(runs).wrap(inner.clone());
        app.wrap(outer.clone()).service(charge)
    });
    let (first, retry) = site.twice(&ask(""));
    assert_eq!((first.text(), retry.is_replay()), (retry.text(), true));
    assert_eq!(site.runs.count(), 1);
}

/// Stands outside of the layer, and panics when it is told to, with what is inside still alive.
async fn panicking(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let transactions: &Transactions = request.app_data().expect("transactions");
    let cut = Arc::clone(&transactions.cut);
    let (mut cut, mut call) = (pin!(cut.notified()), pin!(next.call(request)));
    let response = poll_fn(|cx| {
        if cut.as_mut().poll(cx).is_ready() {
            panic!("a middleware outside of the layer");
        }
        call.as_mut().poll(cx)
    });
    Ok(response.await?.map_into_boxed_body())
}

#[test]
fn a_panic_outside_of_the_layer_does_not_cut_a_handler_off() {
    for layer in [marked(), builder().all_routes().build().unwrap()] {
        let (transactions, gate) = (Transactions::new(), Gate::closed());
        let (outer, inner) = (transactions.clone(), gate.clone());
        let site = Site::serve(move |runs| {
            let app = App::new().app_data(runs).app_data(outer.clone());
            let app = app.app_data(web::Data::new(inner.clone()));
            app.wrap(layer.clone())
                .wrap(from_fn(panicking))
                .service(charge)
        });
        let mut client = Client::connect(site.addr());
        client.send(&ask(""));
        gate.wait();
        transactions.cut.notify_waiters();
        gate.let_one_through();
        let retry = settled(&site, &ask(""));
        assert_eq!((retry.status, retry.is_replay()), (201, true));
        assert_eq!(site.runs.count(), 1);
        drop(client);
    }
}

#[test]
fn extensions_of_the_request_are_the_application_s() {
    async fn marks(
        request: ServiceRequest,
        next: Next<impl MessageBody + 'static>,
    ) -> Result<ServiceResponse<BoxBody>, Error> {
        request.extensions_mut().insert(7_u8);
        let response = next.call(request).await?;
        let kept = response.request().extensions().get::<u8>().copied();
        assert_eq!(kept, Some(7));
        Ok(response.map_into_boxed_body())
    }
    let layer = marked();
    let site = Site::serve(move |runs| {
        let app = App::new().app_data(runs).wrap(from_fn(marks));
        app.wrap(layer.clone()).service(charge)
    });
    assert_eq!(site.send(ask("")).status, 201);
}
