//! Standard Webhooks, spec/standard-webhooks.md: the signature scheme, the headers, their verification, and the operational
//! considerations; the vector of its libraries' tests.
//! <https://github.com/standard-webhooks/standard-webhooks>

use std::time::{Duration, SystemTime};

use actix_web::error::ErrorUnauthorized;
use actix_web::http::StatusCode;
use actix_web::web::Bytes;
use actix_web::{
    App, Error, FromRequest, HttpRequest, HttpResponse, Responder, dev::Payload, post,
};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use idempotency_actix::{Clock, Idempotency, KeyScope, MemoryStore, idempotent};
use idempotency_actix_tests::app::{Counter, Gate, Site};
use idempotency_actix_tests::{Request, Response, assert_in_flight, assert_problem};
use standardwebhooks::Webhook;

use crate::operation::{act, answered, waiting};

const ID: &str = "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk";
const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const EVENT: &str = r#"{"email":"test@example.com","username":"test_user"}"#;

/// An event whose signature was checked, and when.
struct Event(Bytes);

impl FromRequest for Event {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let mut headers = http::HeaderMap::new();
        for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
            let value = request.headers().get(name);
            let value = value.and_then(|value| value.as_bytes().try_into().ok());
            headers.extend(value.map(|value| (http::HeaderName::from_static(name), value)));
        }
        let body = Bytes::from_request(request, payload);
        async move {
            let body = body.await?;
            let secret = Webhook::new(SECRET).expect("a secret");
            let checked = secret.verify(&body, &headers);
            checked.map_err(ErrorUnauthorized)?;
            Ok(Self(body))
        }
        .boxed_local()
    }
}

/// No authentication of one's own tells who calls; the route does.
fn provider(_: &HttpRequest) -> Option<&'static str> {
    Some("the one provider of this route")
}

/// What it answers with 5xx has done nothing that it did not undo.
#[post("/hooks")]
#[idempotent(
    required,
    key_header = "webhook-id",
    scope = provider,
    ttl = "96h",
    record = "status",
    release_on = [401, 403, 425, 429, 500..=599]
)]
async fn hook(event: Event, request: HttpRequest) -> impl Responder {
    assert!(!event.0.is_empty());
    act(&request).await
}

/// Answers with more than is kept of an answer.
#[post("/large")]
#[idempotent(required, key_header = "webhook-id", scope = provider, record = "status", max_response = "10B")]
async fn large(_event: Event, runs: Counter) -> impl Responder {
    runs.next();
    HttpResponse::Ok().body("more than ten octets")
}

struct World {
    site: Site,
    gate: Gate,
    clock: Clock,
}

fn world() -> World {
    let clock = Clock::manual();
    let store = MemoryStore::builder().clock(clock.clone()).build();
    let layer = Idempotency::new(store, KeyScope::everyone());
    let gate = Gate::closed();
    let shared = gate.clone();
    let site = Site::serve(move |runs| {
        let app = App::new().app_data(runs).app_data(shared.clone());
        app.wrap(layer.clone()).service(hook).service(large)
    });
    World { site, gate, clock }
}

fn unix_time() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since
        .expect("a time after 1970")
        .as_secs()
        .try_into()
        .expect("a time to come")
}

fn delivery(path: &str, time: i64, signature: &str) -> Request {
    Request::post(path)
        .header("Content-Type", "application/json")
        .header("webhook-id", ID)
        .header("webhook-timestamp", &time.to_string())
        .header("webhook-signature", signature)
        .body(EVENT)
}

/// One attempt of many, signed at another time than the others.
fn attempt(path: &str, number: i64) -> Request {
    let time = unix_time() - number;
    let secret = Webhook::new(SECRET).expect("a secret");
    let signature = secret
        .sign(ID, time, EVENT.as_bytes())
        .expect("a signature");
    delivery(path, time, &signature)
}

#[track_caller]
fn assert_success(answer: &Response, is_replay: bool) {
    assert!(
        StatusCode::from_u16(answer.status).is_ok_and(|status| status.is_success()),
        "{answer:?}"
    );
    assert_eq!(answer.is_replay(), is_replay);
}

#[test]
fn an_event_is_handled_once_whatever_its_attempts_are_signed_with() {
    let world = world();
    assert_success(&world.site.send(attempt("/hooks", 0)), false);
    assert_success(&world.site.send(attempt("/hooks", 1)), true);
    let one = attempt("/hooks", 2);
    let rotated = "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=";
    assert_success(&world.site.send(one), true);
    let time = unix_time();
    let own = Webhook::new(SECRET)
        .expect("a secret")
        .sign(ID, time, EVENT.as_bytes());
    let both = format!("{rotated} {}", own.expect("a signature"));
    assert_success(&world.site.send(delivery("/hooks", time, &both)), true);
    assert_eq!(world.site.runs.count(), 1);
}

#[test]
fn a_delivery_without_its_signature_leaves_the_id_unused() {
    let world = world();
    let forged = "v1,R3PTzyfHASBKHH98a7yexTwaJ4yNIcGhFQc1yuN+BPU=";
    let answer = world.site.send(delivery("/hooks", unix_time(), forged));
    assert_eq!((answer.status, world.site.runs.count()), (401, 0));
    assert_success(&world.site.send(attempt("/hooks", 0)), false);
    let late = world.site.send(delivery("/hooks", unix_time(), forged));
    assert_eq!((late.status, late.is_replay()), (401, false));
}

#[test]
fn the_published_delivery_is_too_old_by_now() {
    let world = world();
    let (time, signature) = (
        1_649_367_553,
        "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
    );
    let secret = Webhook::new(SECRET).expect("a secret");
    let signed = secret
        .sign(ID, time, EVENT.as_bytes())
        .expect("a signature");
    assert_eq!(signed, signature);
    let answer = world.site.send(delivery("/hooks", time, signature));
    assert_eq!((answer.status, world.site.runs.count()), (401, 0));
}

#[test]
fn an_attempt_that_failed_is_made_again() {
    let world = world();
    assert_eq!(
        world.site.send(answered(attempt("/hooks", 0), 500)).status,
        500
    );
    assert_success(&world.site.send(attempt("/hooks", 1)), false);
    assert_success(&world.site.send(attempt("/hooks", 2)), true);
    assert_eq!(world.site.runs.count(), 2);
}

#[test]
fn an_attempt_beside_one_that_runs_is_told_to_come_again() {
    let world = world();
    let mut first = world.site.connect();
    first.send(&waiting(attempt("/hooks", 0)));
    world.gate.wait();
    assert_in_flight(&world.site.send(attempt("/hooks", 1)));
    world.gate.open();
    assert_success(&first.receive(), false);
}

/// By the example of a schedule, which ends 75 hours, 35 minutes and 5 seconds after its start.
#[test]
fn the_last_attempt_of_the_schedule_is_still_a_replay() {
    let world = world();
    world.site.send(attempt("/hooks", 0));
    world
        .clock
        .advance(Duration::from_secs(75 * 3600 + 35 * 60 + 5));
    assert_success(&world.site.send(attempt("/hooks", 1)), true);
}

/// By 410 a receiver says that it wants no more events of any kind.
#[test]
fn no_attempt_is_told_410() {
    let world = world();
    assert_success(&world.site.send(attempt("/large", 0)), false);
    let retry = world.site.send(attempt("/large", 1));
    assert_success(&retry, true);
    assert!(retry.body.is_empty());
    assert_eq!(world.site.runs.count(), 1);
}

#[test]
fn a_delivery_without_an_id_is_400() {
    let answer = world().site.send(Request::post("/hooks").body(EVENT));
    assert_problem(&answer, 400, "missing-key");
}
