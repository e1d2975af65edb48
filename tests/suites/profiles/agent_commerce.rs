//! The Agentic Commerce Protocol of 2026-04-17: rfc.agentic_checkout.md, section 6 (idempotency, retries and concurrency), and
//! 3.1 for the headers that come back; the errors of examples/2026-04-17/examples.agentic_checkout.json.
//! <https://github.com/agentic-commerce-protocol/agentic-commerce-protocol>

use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::HeaderName;
use actix_web::middleware::{Next, from_fn};
use actix_web::{App, Error, HttpRequest, HttpResponse, Responder, post, web};
use idempotency_actix::{
    Clock, Idempotency, KeyScope, MemoryStore, Problem, ProblemKind, idempotent,
};
use idempotency_actix_tests::app::{Gate, Site};
use idempotency_actix_tests::{Request, Response, assert_first, assert_replay};
use serde_json::{Value, json};

use crate::operation::{act, answered, waiting};

/// What it answers with 5xx has done nothing that it did not undo.
#[post("/checkout_sessions")]
#[idempotent(
    required,
    ttl = "24h",
    fingerprint = "json",
    release_on = [401, 403, 425, 429, 500..=599]
)]
async fn create(request: HttpRequest) -> impl Responder {
    act(&request).await
}

#[post("/checkout_sessions/{id}/complete")]
#[idempotent(
    required,
    ttl = "24h",
    fingerprint = "json",
    release_on = [401, 403, 425, 429, 500..=599]
)]
async fn complete(request: HttpRequest, _id: web::Path<String>) -> impl Responder {
    if request.headers().contains_key("x-panics") {
        panic!("the test says so");
    }
    act(&request).await
}

/// The flat form of errors, with the codes and messages of section 6.
pub(crate) fn flat(_: &HttpRequest, problem: &Problem) -> HttpResponse {
    let (kind, code, message) = match problem.kind() {
        ProblemKind::MissingKey => (
            "invalid_request",
            "idempotency_key_required",
            "Idempotency-Key header is required on all POST requests".to_owned(),
        ),
        ProblemKind::KeyReused => (
            "invalid_request",
            "idempotency_conflict",
            "Idempotency-Key has already been used with a different request body".to_owned(),
        ),
        ProblemKind::InFlight => (
            "invalid_request",
            "idempotency_in_flight",
            "A request with this Idempotency-Key is currently being processed".to_owned(),
        ),
        ProblemKind::StoreUnavailable | ProblemKind::Draining => {
            ("service_unavailable", problem.name(), problem.detail())
        }
        ProblemKind::OutcomeUnknown => ("processing_error", problem.name(), problem.detail()),
        _ => ("invalid_request", problem.name(), problem.detail()),
    };
    HttpResponse::build(problem.status())
        .json(json!({ "type": kind, "code": code, "message": message }))
}

/// Sends back what belongs to this request, a retry as well.
async fn echo(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let names = ["idempotency-key", "request-id"].map(HeaderName::from_static);
    let sent = names.map(|name| (request.headers().get(&name).cloned(), name));
    let mut response = next.call(request).await?;
    for (value, name) in sent {
        if let Some(value) = value {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}

/// Whoever the bearer token is for.
fn identity(request: &HttpRequest) -> Option<String> {
    let line = request.headers().get("authorization")?.to_str().ok()?;
    Some(line.strip_prefix("Bearer ")?.to_owned())
}

struct World {
    site: Site,
    gate: Gate,
    clock: Clock,
}

fn world() -> World {
    let clock = Clock::manual();
    let store = MemoryStore::builder().clock(clock.clone()).build();
    let layer = Idempotency::builder(store, KeyScope::by(identity))
        .problem_response(flat)
        .build()
        .expect("options that can hold");
    let gate = Gate::closed();
    let shared = gate.clone();
    let site = Site::serve(move |runs| {
        let app = App::new().app_data(runs).app_data(shared.clone());
        app.service(create)
            .service(complete)
            .wrap(layer.clone())
            .wrap(from_fn(echo))
    });
    World { site, gate, clock }
}

fn keyless(path: &str, body: &str) -> Request {
    Request::post(path)
        .header("Authorization", "Bearer one")
        .header("Content-Type", "application/json")
        .header("API-Version", "2026-04-17")
        .body(body)
}

fn creating(body: &str) -> Request {
    keyless("/checkout_sessions", body).key("k")
}

fn completing(key: &str) -> Request {
    keyless("/checkout_sessions/cs_1/complete", "{}").key(key)
}

const BODY: &str =
    r#"{"items":[{"id":"item_1","quantity":1},{"id":"item_2","quantity":2}],"note":null}"#;

#[track_caller]
fn assert_error(answer: &Response, status: u16, code: &str, message: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    let body: Value = serde_json::from_slice(&answer.body).expect("JSON");
    let shown = json!({ "type": "invalid_request", "code": code, "message": message });
    assert_eq!(body, shown);
}

#[test]
fn a_post_without_a_key_is_400() {
    let answer = world().site.send(keyless("/checkout_sessions", BODY));
    let message = "Idempotency-Key header is required on all POST requests";
    assert_error(&answer, 400, "idempotency_key_required", message);
}

#[test]
fn another_body_is_422() {
    let world = world();
    world.site.send(creating(BODY));
    let other = world.site.send(creating("{}"));
    let message = "Idempotency-Key has already been used with a different request body";
    assert_error(&other, 422, "idempotency_conflict", message);
}

#[test]
fn a_request_that_still_runs_is_409_with_retry_after() {
    let world = world();
    let mut first = world.site.connect();
    first.send(&waiting(creating(BODY)));
    world.gate.wait();
    let retry = world.site.send(creating(BODY));
    let message = "A request with this Idempotency-Key is currently being processed";
    assert_error(&retry, 409, "idempotency_in_flight", message);
    assert_eq!(retry.header("retry-after"), Some("1"));
    world.gate.open();
    first.receive();
}

/// The table of section 6.2.
#[test]
fn bodies_are_compared_by_what_their_json_means() {
    for (body, is_the_same) in [
        (
            r#"{ "note": null, "items": [{"quantity":1,"id":"item_1"},{"id":"item_2","quantity":2}] }"#,
            true,
        ),
        (
            r#"{"items":[{"id":"item_1","quantity":1.0},{"id":"item_2","quantity":2.0}],"note":null}"#,
            true,
        ),
        (
            r#"{"items":[{"id":"item_1","quantity":1},{"id":"item_2","quantity":2}]}"#,
            false,
        ),
        (
            r#"{"items":[{"id":"item_2","quantity":2},{"id":"item_1","quantity":1}],"note":null}"#,
            false,
        ),
    ] {
        let world = world();
        world.site.send(creating(BODY));
        let retry = world.site.send(creating(body));
        let expected = if is_the_same {
            (201, true)
        } else {
            (422, false)
        };
        assert_eq!((retry.status, retry.is_replay()), expected, "{body}");
        assert_eq!(world.site.runs.count(), 1);
    }
}

#[test]
fn other_headers_are_the_same_request() {
    let world = world();
    let at = |time: &str| {
        creating(BODY)
            .header("Timestamp", time)
            .header("Signature", time)
    };
    world.site.send(at("2026-04-17T10:00:00Z"));
    assert_replay(&world.site.send(at("2026-04-17T10:00:09Z")), 201, "run 1");
}

#[test]
fn a_replay_is_the_original_response_and_says_so() {
    let world = world();
    let request = |id: &str| creating(BODY).header("Request-Id", id);
    let first = world.site.send(request("req_1"));
    assert_first(&first, 201, "run 1");
    let retry = world.site.send(request("req_2"));
    assert_replay(&retry, 201, "run 1");
    for (answer, id) in [(first, "req_1"), (retry, "req_2")] {
        assert_eq!(answer.header("idempotency-key"), Some("k"));
        assert_eq!(answer.header("request-id"), Some(id));
    }
}

#[test]
fn keys_are_of_an_identity_and_an_endpoint() {
    let world = world();
    assert_first(&world.site.send(creating(BODY)), 201, "run 1");
    assert_first(&world.site.send(completing("k")), 201, "run 2");
    let other = Request::post("/checkout_sessions").header("Authorization", "Bearer two");
    assert_first(&world.site.send(other.key("k")), 201, "run 3");
}

#[test]
fn a_retry_after_a_5xx_is_a_fresh_request() {
    for status in [500, 502, 503, 599] {
        let world = world();
        let failed = world.site.send(answered(completing("k"), status));
        assert_first(&failed, status, "run 1");
        assert_first(&world.site.send(completing("k")), 201, "run 2");
        assert_replay(&world.site.send(completing("k")), 201, "run 2");
    }
}

#[test]
fn a_4xx_of_the_operation_is_the_answer() {
    let world = world();
    let (first, retry) = world.site.twice(&answered(completing("k"), 402));
    assert_first(&first, 402, "run 1");
    assert_replay(&retry, 402, "run 1");
}

/// Where it differs: nobody knows what a handler did before it panicked.
#[test]
fn a_panic_is_kept() {
    let world = world();
    let panics = completing("k").header("X-Panics", "1");
    let (first, retry) = world.site.twice(&panics);
    assert_eq!((first.status, first.is_replay()), (500, false));
    assert_eq!((retry.status, retry.is_replay()), (500, true));
}

#[test]
fn a_key_is_kept_for_24_hours_and_then_a_new_request() {
    let world = world();
    world.site.send(creating(BODY));
    world.clock.advance(Duration::from_secs(24 * 3600 - 1));
    assert_replay(&world.site.send(creating(BODY)), 201, "run 1");
    world.clock.advance(Duration::from_secs(2));
    assert_first(&world.site.send(creating("{}")), 201, "run 2");
}
