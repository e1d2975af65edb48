//! One of each problem, as a served application answers it.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::rt::System;
use actix_web::test::TestRequest;
use idempotency_actix::testing::FirstRequest;
use idempotency_actix::{Caller, Idempotency, IdempotencyBuilder, KeyScope, MemoryStore};
use idempotency_actix_tests::app::{Gate, Site};
use idempotency_actix_tests::{Request, Response};

use crate::{WAITS, routes};

const SCOPE: &str = "x-account";
const FIRST_SENT: &str = "repeatability-first-sent";
const LONG_AGO: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

fn request() -> Request {
    Request::post("/charges").header(SCOPE, "ada").body("5")
}

fn keyed() -> Request {
    request().key("k-1")
}

fn aged(layer: IdempotencyBuilder) -> IdempotencyBuilder {
    layer
        .first_sent_header(FIRST_SENT)
        .max_key_age(Duration::from_secs(60))
}

/// The first request of that key, as its record tells of it.
fn before(put: impl AsyncFn(&FirstRequest)) {
    let first = TestRequest::post().uri("/charges").set_payload("5");
    let first = FirstRequest::of(&Caller::header("ada"), "k-1", first);
    System::new().block_on(put(&first));
}

/// Has the application answer so, under a layer that is configured for it.
pub(crate) fn problem(name: &str) -> Response {
    let store = MemoryStore::new();
    let layer = Idempotency::builder(store.clone(), KeyScope::header(SCOPE));
    let site =
        |layer: IdempotencyBuilder| Site::new(layer.build().unwrap(), routes(&Gate::closed()));
    match name {
        "missing-key" => site(layer).send(request()),
        "invalid-key" => site(layer).send(request().key("")),
        "invalid-first-sent" => site(aged(layer)).send(keyed()),
        "no-scope" => site(layer).send(Request::post("/charges").key("k-1")),
        "in-flight" => {
            before(async |first| first.in_flight(&store).await);
            site(layer).send(keyed())
        }
        "response-not-kept" => {
            let answer = || {
                HttpResponse::Created()
                    .insert_header(("location", "/charges/1"))
                    .finish()
            };
            before(async |first| first.not_kept(&store, answer()).await);
            site(layer).send(keyed())
        }
        "key-expired" => site(aged(layer)).send(keyed().header(FIRST_SENT, LONG_AGO)),
        "body-too-large" => site(layer.max_body(1)).send(keyed().body("55")),
        "key-reused" => {
            let site = site(layer);
            site.send(keyed());
            site.send(keyed().body("6"))
        }
        "quota-exceeded" => {
            let gate = Gate::closed();
            let site = Site::new(layer.max_in_flight(1).build().unwrap(), routes(&gate));
            let mut first = site.connect();
            first.send(&keyed().body(WAITS));
            gate.wait();
            let refused = site.send(request().key("k-2"));
            gate.let_one_through();
            assert_eq!(first.receive().status, 201);
            refused
        }
        "outcome-unknown" => {
            before(async |first| first.unknown(&store).await);
            site(layer).send(keyed())
        }
        "store-unavailable" => {
            let full = MemoryStore::builder().max_entries(0).build();
            site(Idempotency::builder(full, KeyScope::header(SCOPE))).send(keyed())
        }
        "draining" => {
            let layer = layer.build().unwrap();
            let site = Site::new(layer.clone(), routes(&Gate::closed()));
            System::new().block_on(layer.drain(Duration::ZERO));
            site.send(keyed())
        }
        other => panic!("no way to {other}: add one"),
    }
}
