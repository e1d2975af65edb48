//! Answers of our own, one by one: what the client can read in them, and what it cannot.

use std::time::Duration;

use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Responder, post};
use idempotency_actix::Clock;
use idempotency_actix::{Idempotency, IdempotencyBuilder, KeyScope, MemoryStore, idempotent};
use idempotency_actix_tests::app::{Counter, Gate, Site, builder};
use idempotency_actix_tests::{Request, Response, assert_problem};
use serde_json::Value;

const KEY: &str = "sesame-key";
const SCOPE: &str = "sesame-scope";
const BODY: &str = "sesame-body";

#[post("/sesame-path")]
#[idempotent]
async fn handler(body: String, runs: Counter) -> impl Responder {
    HttpResponse::Created().body(format!("{}:{body}", runs.next()))
}

#[post("/large")]
#[idempotent(max_response = 4)]
async fn large(runs: Counter) -> impl Responder {
    HttpResponse::Created()
        .insert_header(("location", "/charges/1"))
        .body(format!("{}:sesame-answer", runs.next()))
}

#[post("/large-without-location")]
#[idempotent(max_response = 4)]
async fn large_without_location(runs: Counter) -> impl Responder {
    HttpResponse::Ok().body(format!("{}:sesame-answer", runs.next()))
}

#[post("/slow")]
#[idempotent]
async fn slow(gate: Gate, _body: web::Bytes, runs: Counter) -> impl Responder {
    runs.next();
    gate.pass().await;
    HttpResponse::Created()
}

fn scope(request: &HttpRequest) -> Option<Vec<u8>> {
    let line = request.headers().get("x-principal")?;
    Some(line.as_bytes().to_vec())
}

fn scoped() -> IdempotencyBuilder {
    Idempotency::builder(MemoryStore::new(), KeyScope::by(scope))
}

fn routes(gate: &Gate) -> impl Fn(&mut ServiceConfig) + Clone + Send + 'static {
    let gate = gate.clone();
    move |config| {
        config
            .app_data(gate.clone())
            .service(handler)
            .service(large)
            .service(large_without_location)
            .service(slow);
    }
}

fn site(layer: IdempotencyBuilder) -> Site {
    Site::new(layer.build().unwrap(), routes(&Gate::closed()))
}

fn request(target: &str) -> Request {
    let request = Request::post(target).key(KEY).body(BODY);
    request.header("X-Principal", SCOPE)
}

/// One of each problem that the application can meet without a fault of its store.
fn problem(name: &str, layer: IdempotencyBuilder) -> Response {
    match name {
        "missing-key" => site(layer.required(true)).send(
            Request::post("/sesame-path")
                .header("X-Principal", SCOPE)
                .body(BODY),
        ),
        "invalid-key" => site(layer.strict_keys(true)).send(request("/sesame-path")),
        "no-scope" => site(layer).send(Request::post("/sesame-path").key(KEY).body(BODY)),
        "body-too-large" => site(layer.max_body(1)).send(request("/sesame-path")),
        "key-reused" => {
            let site = site(layer);
            site.send(request("/sesame-path"));
            let other = site.send(request("/sesame-path").body("sesame-other"));
            assert_eq!(site.runs.count(), 1);
            other
        }
        "in-flight" => {
            let gate = Gate::closed();
            let site = Site::new(layer.build().unwrap(), routes(&gate));
            let mut first = site.connect();
            first.send(&request("/slow"));
            gate.wait();
            let retry = site.send(request("/slow"));
            gate.let_one_through();
            assert_eq!((first.receive().status, site.runs.count()), (201, 1));
            retry
        }
        "response-not-kept" => {
            let site = site(layer);
            site.send(request("/large"));
            let retry = site.send(request("/large"));
            assert_eq!(site.runs.count(), 1);
            retry
        }
        other => panic!("no problem {other}"),
    }
}

const ALL: [(&str, u16); 7] = [
    ("missing-key", 400),
    ("invalid-key", 400),
    ("no-scope", 400),
    ("body-too-large", 413),
    ("key-reused", 422),
    ("in-flight", 409),
    ("response-not-kept", 410),
];

fn json(answer: &Response) -> Value {
    serde_json::from_slice(&answer.body).unwrap()
}

#[test]
fn every_problem_has_its_status_and_type() {
    for (name, status) in ALL {
        let answer = problem(name, scoped());
        assert_problem(&answer, status, name);
        let kind = format!("urn:problem-type:idempotency-actix:{name}");
        assert_eq!(json(&answer)["type"], kind);
    }
}

#[test]
fn every_problem_has_status_title_and_detail_as_members() {
    for (name, status) in ALL {
        let body = json(&problem(name, scoped()));
        assert_eq!(body["status"], status, "{name}");
        for member in ["title", "detail"] {
            let text = body[member].as_str().unwrap_or_default();
            assert!(text.len() > 10, "{name}: {body}");
        }
    }
}

#[test]
fn titles_are_of_the_type_and_not_of_the_occurrence() {
    let mut titles: Vec<_> = ALL
        .iter()
        .map(|(name, _)| json(&problem(name, scoped()))["title"].to_string())
        .collect();
    titles.sort();
    titles.dedup();
    assert_eq!(titles.len(), ALL.len());
}

#[test]
fn the_base_of_types_can_be_of_any_form() {
    for base in [
        "https://docs.example/errors/",
        "https://docs.example/e#",
        "urn:example:",
    ] {
        for (name, _) in ALL {
            let answer = problem(name, scoped().problem_base(base));
            assert_eq!(json(&answer)["type"], format!("{base}{name}"));
        }
    }
}

#[test]
fn no_problem_repeats_what_the_client_or_the_application_sent() {
    for (name, _) in ALL {
        let answer = problem(name, scoped());
        let said = format!("{answer:?}{}", answer.text());
        assert!(!said.contains("sesame"), "{name}: {said}");
    }
}

#[test]
fn only_a_409_tells_when_to_retry() {
    for (name, _) in ALL {
        let expected = (name == "in-flight").then_some("1");
        assert_eq!(
            problem(name, scoped()).header("retry-after"),
            expected,
            "{name}"
        );
    }
}

#[test]
fn a_409_says_one_second_whatever_the_lease() {
    let answer = problem("in-flight", scoped().lease(Duration::from_secs(600)));
    assert_eq!(answer.header("retry-after"), Some("1"));
}

#[test]
fn a_410_tells_status_and_location_of_the_first_answer() {
    let answer = problem("response-not-kept", scoped());
    assert_eq!(json(&answer)["original_status"], 201);
    assert_eq!(answer.header("location"), Some("/charges/1"));
}

#[test]
fn a_410_has_no_location_where_the_first_answer_had_none() {
    let site = site(builder());
    let (first, retry) = site.twice(&request("/large-without-location"));
    assert_eq!((first.status, first.header("location")), (200, None));
    assert_problem(&retry, 410, "response-not-kept");
    assert_eq!(json(&retry)["original_status"], 200);
    assert_eq!(retry.header("location"), None);
    assert_eq!(site.runs.count(), 1);
}

#[test]
fn problems_do_not_bind() {
    let site = site(scoped().max_body(20));
    let too_large = request("/sesame-path").body([b'x'; 21]);
    assert_eq!(site.send(too_large).status, 413);
    let first = site.send(request("/sesame-path"));
    assert_eq!((first.status, first.is_replay()), (201, false));
    assert_eq!(site.runs.count(), 1);
}

#[test]
fn a_full_store_refuses_the_claim_with_503() {
    let store = MemoryStore::builder().max_entries(0).build();
    let site = site(Idempotency::builder(store, KeyScope::everyone()));
    let answer = site.send(request("/sesame-path"));
    assert_problem(&answer, 503, "store-unavailable");
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert!(!format!("{answer:?}{}", answer.text()).contains("sesame"));
    assert_eq!(site.runs.count(), 0);
}

#[test]
fn an_outcome_that_nobody_knows_is_a_500_of_its_own() {
    let clock = Clock::manual();
    let store = MemoryStore::builder().clock(clock.clone()).build();
    let gate = Gate::closed();
    let layer = Idempotency::new(store, KeyScope::everyone());
    let site = Site::new(layer, routes(&gate));
    let mut first = site.connect();
    first.send(&request("/slow"));
    gate.wait();
    clock.advance(Duration::from_secs(30));
    let unknown = site.send(request("/slow"));
    gate.let_one_through();
    assert_problem(&unknown, 500, "outcome-unknown");
    assert_eq!(first.receive().status, 201);
    assert!(site.send(request("/slow")).is_replay());
    assert_eq!(site.runs.count(), 1);
}
