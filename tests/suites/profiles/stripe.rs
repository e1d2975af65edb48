//! The rules of Stripe: <https://docs.stripe.com/api/idempotent_requests>, and <https://docs.stripe.com/api/errors> for the type and
//! the statuses of errors.

use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::{Next, from_fn};
use actix_web::{App, Error, HttpRequest, HttpResponse, Responder, delete, post, web};
use idempotency_actix::{
    Clock, Idempotency, KeyScope, MemoryStore, Outcome, Problem, ProblemKind, idempotent,
};
use idempotency_actix_tests::app::{Gate, Site};
use idempotency_actix_tests::{Request, Response, assert_first, assert_replay};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::operation::{act, answered, waiting};

#[derive(Deserialize)]
struct Charge {
    #[serde(rename = "amount")]
    _amount: u64,
}

/// Parameters are the same in any order.
fn parameters(_: &HttpRequest, body: &[u8]) -> Vec<u8> {
    let mut pairs: Vec<_> = body.split(|&octet| octet == b'&').collect();
    pairs.sort_unstable();
    pairs.join(&b'&')
}

#[post("/v1/charges")]
#[idempotent(ttl = "24h", fingerprint = parameters)]
async fn charge(_charge: web::Form<Charge>, request: HttpRequest) -> impl Responder {
    act(&request).await
}

#[post("/v1/refunds")]
#[idempotent(ttl = "24h", fingerprint = parameters)]
async fn refund(request: HttpRequest) -> impl Responder {
    act(&request).await
}

#[delete("/v1/charges")]
async fn cancel(request: HttpRequest) -> impl Responder {
    act(&request).await
}

fn envelope(_: &HttpRequest, problem: &Problem) -> HttpResponse {
    let (kind, code) = match problem.kind() {
        ProblemKind::KeyReused => ("idempotency_error", None),
        ProblemKind::InFlight => ("idempotency_error", Some("idempotency_key_in_use")),
        ProblemKind::OutcomeUnknown | ProblemKind::StoreUnavailable => ("api_error", None),
        _ => ("invalid_request_error", None),
    };
    let error = json!({ "type": kind, "code": code, "message": problem.detail() });
    HttpResponse::build(problem.status()).json(json!({ "error": error }))
}

/// A key with other parameters is 400 there, and 422 here.
async fn bad_request(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let mut response = next.call(request).await?;
    let is_mismatch = response.response().extensions().get() == Some(&Outcome::Mismatch);
    if is_mismatch {
        *response.response_mut().status_mut() = StatusCode::BAD_REQUEST;
    }
    Ok(response)
}

struct World {
    site: Site,
    gate: Gate,
    clock: Clock,
}

fn world() -> World {
    let clock = Clock::manual();
    let store = MemoryStore::builder().clock(clock.clone()).build();
    let layer = Idempotency::builder(store, KeyScope::header("authorization"))
        .problem_response(envelope)
        .build()
        .expect("options that can hold");
    let gate = Gate::closed();
    let shared = gate.clone();
    let site = Site::serve(move |runs| {
        let app = App::new().app_data(runs).app_data(shared.clone());
        app.service(charge)
            .service(refund)
            .service(cancel)
            .wrap(layer.clone())
            .wrap(from_fn(bad_request))
    });
    World { site, gate, clock }
}

fn request(method: Method, path: &str, key: &str, parameters: &str) -> Request {
    Request::new(method, path)
        .header("Authorization", "Bearer sk_test")
        .header("Content-Type", "application/x-www-form-urlencoded")
        .key(key)
        .body(parameters)
}

fn charging(key: &str, parameters: &str) -> Request {
    request(Method::POST, "/v1/charges", key, parameters)
}

const PARAMETERS: &str = "amount=2000&currency=usd";

#[track_caller]
fn assert_error(answer: &Response, status: u16, kind: &str, code: Option<&str>) {
    assert_eq!(
        (answer.status, answer.is_replay()),
        (status, false),
        "{answer:?}"
    );
    let body: Value = serde_json::from_slice(&answer.body).expect("JSON");
    assert_eq!(body["error"]["type"], kind);
    assert_eq!(body["error"]["code"], json!(code));
}

#[test]
fn a_retry_gets_the_same_result_500_included() {
    let world = world();
    for (run, status) in [200, 400, 402, 500].into_iter().enumerate() {
        let request = answered(charging(&status.to_string(), PARAMETERS), status);
        let (first, retry) = world.site.twice(&request);
        let body = format!("run {}", run + 1);
        assert_first(&first, status, &body);
        assert_replay(&retry, status, &body);
    }
}

#[test]
fn the_same_parameters_in_another_order_are_a_retry() {
    let world = world();
    world.site.send(charging("k", PARAMETERS));
    let retry = world.site.send(charging("k", "currency=usd&amount=2000"));
    assert_replay(&retry, 201, "run 1");
}

#[test]
fn other_parameters_are_an_error() {
    let world = world();
    world.site.send(charging("k", PARAMETERS));
    let other = world.site.send(charging("k", "amount=2001&currency=usd"));
    assert_error(&other, 400, "idempotency_error", None);
    assert_eq!(world.site.runs.count(), 1);
}

#[test]
fn parameters_that_fail_validation_are_not_saved() {
    let world = world();
    let wrong = world.site.send(charging("k", "amount=much"));
    assert_eq!((wrong.status, world.site.runs.count()), (400, 0));
    assert_first(&world.site.send(charging("k", PARAMETERS)), 201, "run 1");
}

#[test]
fn a_conflict_with_a_request_that_runs_is_not_saved() {
    let world = world();
    let mut first = world.site.connect();
    first.send(&waiting(charging("k", PARAMETERS)));
    world.gate.wait();
    let retry = world.site.send(charging("k", PARAMETERS));
    assert_error(
        &retry,
        409,
        "idempotency_error",
        Some("idempotency_key_in_use"),
    );
    world.gate.open();
    assert_first(&first.receive(), 201, "run 1");
    assert_replay(&world.site.send(charging("k", PARAMETERS)), 201, "run 1");
}

#[test]
fn what_is_refused_before_it_runs_is_not_saved() {
    let world = world();
    for (run, status) in [401, 429].into_iter().enumerate() {
        let refused = answered(charging(&status.to_string(), PARAMETERS), status);
        assert_eq!(world.site.send(refused).status, status);
        let again = world.site.send(charging(&status.to_string(), PARAMETERS));
        assert_first(&again, 201, &format!("run {}", 2 * run + 2));
    }
}

#[test]
fn a_key_is_good_for_a_new_request_after_24_hours() {
    let world = world();
    world.site.send(charging("k", PARAMETERS));
    world.clock.advance(Duration::from_secs(24 * 3600 - 1));
    assert_replay(&world.site.send(charging("k", PARAMETERS)), 201, "run 1");
    world.clock.advance(Duration::from_secs(2));
    assert_first(&world.site.send(charging("k", PARAMETERS)), 201, "run 2");
}

#[test]
fn a_key_has_up_to_255_characters() {
    let world = world();
    let longest = "k".repeat(255);
    assert_first(
        &world.site.send(charging(&longest, PARAMETERS)),
        201,
        "run 1",
    );
    let longer = world.site.send(charging(&"k".repeat(256), PARAMETERS));
    assert_error(&longer, 400, "invalid_request_error", None);
}

#[test]
fn a_key_has_no_effect_on_a_delete() {
    let world = world();
    let (first, second) = world
        .site
        .twice(&request(Method::DELETE, "/v1/charges", "k", ""));
    assert_first(&first, 201, "run 1");
    assert_first(&second, 201, "run 2");
}

/// Where it differs: there this is an error too.
#[test]
fn a_key_at_another_endpoint_is_another_operation() {
    let world = world();
    assert_first(&world.site.send(charging("k", PARAMETERS)), 201, "run 1");
    let other = request(Method::POST, "/v1/refunds", "k", PARAMETERS);
    assert_first(&world.site.send(other), 201, "run 2");
}
