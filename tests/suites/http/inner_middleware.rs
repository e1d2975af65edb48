//! Middleware inside of the layer that does more than to pass a request on: it calls twice, answers by itself, or leaves a
//! handler behind.

use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::{Next, from_fn};
use actix_web::{App, Either, Error, FromRequest, HttpRequest, HttpResponse, ResponseError, web};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use idempotency_actix::{Clock, Idempotency, KeyScope, MemoryStore, NotExecuted, idempotent};
use idempotency_actix_tests::app::{Counter, Gate, Mode, Site, builder};
use idempotency_actix_tests::{Request, assert_problem, eventually, in_both_modes, incidents, log};

in_both_modes! {
    a_handler_that_acted_runs_no_more_where_middleware_asks_again
    an_error_that_panics_when_it_is_rendered_is_a_500
}

fn layer(mode: Mode) -> Idempotency {
    let layer = match mode {
        Mode::Marked => builder(),
        Mode::AllRoutes => builder().all_routes(),
    };
    layer.build().expect("options that can hold")
}

/// Acts, and then meets a failing mail server.
#[idempotent]
async fn charge(runs: Counter, body: web::Json<u64>) -> HttpResponse {
    HttpResponse::ServiceUnavailable().body(format!("{}:{body}", runs.next()))
}

/// Asks once more where the answer is 503.
async fn asking_again(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let again = request.request().clone();
    let response = next.call(request).await?;
    if response.status() != StatusCode::SERVICE_UNAVAILABLE {
        return Ok(response.map_into_boxed_body());
    }
    drop(response);
    let response = next.call(ServiceRequest::from_request(again)).await?;
    Ok(response.map_into_boxed_body())
}

fn a_handler_that_acted_runs_no_more_where_middleware_asks_again(mode: Mode) {
    let layer = layer(mode);
    let site = Site::serve(move |runs| {
        let resource = web::resource("/charges").wrap(from_fn(asking_again));
        let resource = resource.route(web::post().to(charge));
        App::new()
            .app_data(runs)
            .wrap(layer.clone())
            .service(resource)
    });
    let request = Request::post("/charges").key("k");
    let request = request.header("content-type", "application/json").body("7");
    for _ in 0..3 {
        site.send(request.clone());
    }
    assert_eq!(site.runs.count(), 1);
}

/// Acts if it is told so, and says otherwise that it did not.
#[idempotent]
async fn busy(
    runs: Counter,
    request: HttpRequest,
) -> Either<HttpResponse, NotExecuted<HttpResponse>> {
    let run = runs.next();
    let answer = HttpResponse::ServiceUnavailable().body(run.to_string());
    match request.headers().contains_key("x-acts") {
        true => Either::Left(answer),
        false => Either::Right(NotExecuted(answer)),
    }
}

/// What the second call comes to: a retry like any.
#[test]
fn a_second_call_is_a_retry_of_the_first() {
    let layer = layer(Mode::Marked);
    let site = Site::serve(move |runs| {
        let resource = web::resource("/busy").wrap(from_fn(asking_again));
        let resource = resource.route(web::post().to(busy));
        App::new()
            .app_data(runs)
            .wrap(layer.clone())
            .service(resource)
    });
    let acting = site.send(Request::post("/busy").key("acts").header("x-acts", "1"));
    assert!(acting.is_replay());
    assert_eq!((acting.text().as_str(), site.runs.count()), ("1", 1));
    let released = site.send(Request::post("/busy").key("not"));
    assert!(!released.is_replay());
    assert_eq!((released.text().as_str(), site.runs.count()), ("3", 3));
}

/// An error of the application's that cannot say what it is.
#[derive(Debug)]
struct Unspeakable;

impl std::fmt::Display for Unspeakable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("unspeakable")
    }
}

impl ResponseError for Unspeakable {
    fn error_response(&self) -> HttpResponse {
        panic!("no words")
    }
}

async fn failing(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    next.call(request).await?;
    Err(Unspeakable.into())
}

#[idempotent]
async fn unspeakable(runs: Counter) -> HttpResponse {
    HttpResponse::Created().body(runs.next().to_string())
}

fn an_error_that_panics_when_it_is_rendered_is_a_500(mode: Mode) {
    let layer = layer(mode);
    let site = Site::serve(move |runs| {
        let resource = web::resource("/unspeakable").wrap(from_fn(failing));
        let resource = resource.route(web::post().to(unspeakable));
        App::new()
            .app_data(runs)
            .wrap(layer.clone())
            .service(resource)
    });
    assert_eq!(
        site.send(Request::post("/unspeakable").key("k")).status,
        500
    );
    assert_eq!(site.runs.count(), 1);
}

/// Makes an answer of its own of a handler's refusal, and has an effect.
async fn acting(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let runs: Counter = request.app_data::<Counter>().expect("a counter").clone();
    let response = next.call(request).await?;
    if response.status() != StatusCode::BAD_REQUEST {
        return Ok(response.map_into_boxed_body());
    }
    let answer = HttpResponse::Created().body(format!("by itself {}", runs.next()));
    Ok(response.into_response(answer))
}

#[test]
fn what_middleware_answers_for_a_handler_that_did_not_start_binds() {
    let layer = layer(Mode::AllRoutes);
    let site = Site::serve(move |runs| {
        let resource = web::resource("/charges").wrap(from_fn(acting));
        let resource = resource.route(web::post().to(charge));
        App::new()
            .app_data(runs)
            .wrap(layer.clone())
            .service(resource)
    });
    let (first, retry) = site.twice(&Request::post("/charges").key("k").body("no number"));
    assert_eq!((first.status, retry.status), (201, 201));
    assert!(retry.is_replay());
    assert_eq!(site.runs.count(), 1);
}

#[idempotent]
async fn slow(runs: Counter, gate: web::Data<Gate>) -> HttpResponse {
    runs.next();
    gate.pass().await;
    HttpResponse::Created().finish()
}

/// Leaves the handler behind as soon as it runs.
async fn cutting_off(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let gate = request
        .app_data::<web::Data<Gate>>()
        .expect("a gate")
        .clone();
    let again = request.request().clone();
    let started = actix_web::rt::task::spawn_blocking(move || gate.wait());
    tokio::select! {
        response = next.call(request) => Ok(response?.map_into_boxed_body()),
        _ = started => {
            let answer = HttpResponse::GatewayTimeout().body("too slow");
            Ok(ServiceResponse::new(again, answer))
        }
    }
}

#[test]
fn a_marked_handler_that_is_cut_off_under_a_claim_of_all_routes_becomes_unknown() {
    log::listen();
    let clock = Clock::manual();
    let store = MemoryStore::builder().clock(clock.clone()).build();
    let layer = Idempotency::builder(store, KeyScope::everyone()).all_routes();
    let layer = layer.build().expect("options that can hold");
    let gate = web::Data::new(Gate::closed());
    let site = Site::serve(move |runs| {
        let resource = web::resource("/slow").wrap(from_fn(cutting_off));
        let resource = resource.route(web::post().to(slow));
        let app = App::new().app_data(runs).app_data(gate.clone());
        app.wrap(layer.clone()).service(resource)
    });
    let request = Request::post("/slow").key("k");
    assert_eq!(site.send(request.clone()).status, 504);
    assert_problem(&site.send(request.clone()), 409, "in-flight");
    clock.advance(Duration::from_secs(31));
    assert_problem(&site.send(request), 500, "outcome-unknown");
    assert_eq!(site.runs.count(), 1);
}

/// Extracted once its gate opens.
struct Late;

impl FromRequest for Late {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let gate = request
            .app_data::<web::Data<Gate>>()
            .expect("a gate")
            .clone();
        async move {
            gate.pass().await;
            Ok(Self)
        }
        .boxed_local()
    }
}

#[idempotent]
async fn late(_argument: Late, runs: Counter) -> HttpResponse {
    HttpResponse::Created().body(runs.next().to_string())
}

#[test]
fn a_claim_of_all_routes_that_is_lost_while_arguments_are_extracted_starts_nothing() {
    incidents::start();
    let clock = Clock::manual();
    let store = MemoryStore::builder().clock(clock.clone()).build();
    let layer = Idempotency::builder(store, KeyScope::everyone()).all_routes();
    let layer = layer.lease(Duration::from_millis(200)).build();
    let layer = layer.expect("options that can hold");
    let gate = web::Data::new(Gate::closed());
    let held = gate.clone();
    let site = Site::serve(move |runs| {
        let app = App::new().app_data(runs).app_data(held.clone());
        app.wrap(layer.clone()).route("/late", web::post().to(late))
    });
    let mut client = site.connect();
    client.send(&Request::post("/late").key("lost"));
    gate.wait();
    let lost = incidents::count("claim_lost");
    clock.advance(Duration::from_secs(48 * 3600));
    eventually("the loss", || incidents::count("claim_lost") > lost);
    gate.let_one_through();
    assert_problem(&client.receive(), 409, "in-flight");
    assert_eq!(site.runs.count(), 0);
}

#[idempotent]
async fn part(runs: Counter) -> HttpResponse {
    HttpResponse::Created().body(runs.next().to_string())
}

/// Calls once for each of two keys.
async fn batching(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let mut again = ServiceRequest::from_request(request.request().clone());
    next.call(request).await?;
    let name = HeaderName::from_static("idempotency-key");
    let value = HeaderValue::from_static("second");
    again.headers_mut().insert(name, value);
    Ok(next.call(again).await?.map_into_boxed_body())
}

#[test]
fn both_of_two_operations_in_one_request_are_recorded() {
    let layer = layer(Mode::Marked);
    let site = Site::serve(move |runs| {
        let batch = web::resource("/batch").wrap(from_fn(batching));
        let batch = batch.route(web::post().to(part));
        App::new().app_data(runs).wrap(layer.clone()).service(batch)
    });
    let request = Request::post("/batch").key("first");
    assert_eq!(site.send(request.clone()).text(), "2");
    assert_eq!(site.send(request).text(), "2");
    assert_eq!(site.runs.count(), 2);
}
