//! Options that the attribute sets, at work: what the other tests have from the layer or its table.

use actix_web::web::{Data, ServiceConfig};
use actix_web::{HttpResponse, Responder, post};
use idempotency_actix::{Attempt, Idempotency, IdempotencyKey, KeyScope, Recovery, idempotent};
use idempotency_actix_tests::app::{Counter, FaultyStore, Gate, Site, marked};
use idempotency_actix_tests::{Client, Request, Response, assert_problem, eventually};

use crate::orphan::{Orphan, SHORT};

#[post("/wait")]
#[idempotent(wait = "5m")]
async fn wait(gate: Gate, runs: Counter) -> impl Responder {
    runs.next();
    gate.pass().await;
    HttpResponse::Created()
}

#[post("/max_in_flight")]
#[idempotent(max_in_flight = 1)]
async fn max_in_flight(gate: Gate, runs: Counter) -> impl Responder {
    runs.next();
    gate.pass().await;
    HttpResponse::Created()
}

#[post("/rerun")]
#[idempotent(on_unknown = "rerun")]
async fn rerun(attempt: Attempt) -> impl Responder {
    HttpResponse::Created().body(format!("ran as {}", attempt.generation()))
}

/// The effects that took place, by their key.
struct Effects(&'static str);

async fn look_up(effects: Data<Effects>, key: IdempotencyKey, attempt: Attempt) -> Recovery {
    match key.as_str() == effects.0 {
        true => {
            let found = format!("found as {}", attempt.generation());
            Recovery::Completed(HttpResponse::Created().body(found))
        }
        false => Recovery::NotExecuted,
    }
}

#[post("/recover")]
#[idempotent(recover = look_up)]
async fn recover(attempt: Attempt) -> impl Responder {
    HttpResponse::Created().body(format!("ran as {}", attempt.generation()))
}

fn routes(config: &mut ServiceConfig) {
    config
        .app_data(Data::new(Effects("there")))
        .service(wait)
        .service(max_in_flight)
        .service(rerun)
        .service(recover);
}

/// A site whose handlers wait at a gate.
fn gated() -> (Site, Gate) {
    let gate = Gate::closed();
    let data = gate.clone();
    let site = Site::new(marked(), move |config| {
        routes(config.app_data(data.clone()));
    });
    (site, gate)
}

fn start(site: &Site, gate: &Gate, request: &Request) -> Client {
    let mut client = site.connect();
    client.send(request);
    gate.wait();
    client
}

/// What a retry is told in the end about a request whose process died.
fn after_a_death(path: &str, key: &str) -> Response {
    let (store, clock) = FaultyStore::and_clock();
    let site = Site::new(on(&store), routes);
    let request = Request::post(path).key(key);
    let send = || site.send(request.clone());
    let _orphan = Orphan::of(&store, &clock, SHORT, send);
    let mut answer = send();
    assert_problem(&answer, 409, "in-flight");
    eventually("a decision", || {
        answer = send();
        answer.status != 409
    });
    answer
}

fn on(store: &FaultyStore) -> Idempotency {
    Idempotency::new(store.clone(), KeyScope::everyone())
}

#[test]
fn a_retry_waits() {
    let (site, gate) = gated();
    let request = Request::post("/wait").key("k");
    let mut first = start(&site, &gate, &request);
    let mut retry = site.connect();
    retry.send(&request);
    gate.let_one_through();
    assert_eq!(first.receive().status, 201);
    let retry = retry.receive();
    assert_eq!((retry.status, retry.is_replay()), (201, true));
    assert_eq!(site.runs.count(), 1);
}

#[test]
fn a_quota_is_kept() {
    let (site, gate) = gated();
    let request = |key| Request::post("/max_in_flight").key(key);
    let mut first = start(&site, &gate, &request("1"));
    assert_problem(&site.send(request("2")), 429, "quota-exceeded");
    gate.let_one_through();
    assert_eq!(first.receive().status, 201);
}

#[test]
fn an_unknown_outcome_runs_again_one_generation_higher() {
    assert_eq!(after_a_death("/rerun", "k").text(), "ran as 2");
}

#[test]
fn a_recovery_finds_the_effect() {
    let found = after_a_death("/recover", "there");
    assert_eq!(found.text(), "found as 2");
    assert!(found.is_replay());
}

#[test]
fn a_recovery_that_finds_nothing_has_the_handler_run() {
    let ran = after_a_death("/recover", "nowhere");
    assert_eq!(ran.text(), "ran as 2");
    assert!(!ran.is_replay());
}
