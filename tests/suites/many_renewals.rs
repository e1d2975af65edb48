//! What renewals of many claims cost, in a process of its own: it measures the process.

use std::time::Duration;

use actix_web::dev::Service;
use actix_web::rt::spawn;
use actix_web::rt::task::yield_now;
use actix_web::test::{TestRequest, init_service};
use actix_web::{App, HttpResponse, post};
use futures_util::future::join_all;
use idempotency_actix::{Idempotency, KeyScope, MemoryStore, idempotent};
use idempotency_actix_tests::app::{Call, Counter, FaultyStore, Gate};
use idempotency_actix_tests::eventually_async;
use rustix::time::{ClockId, clock_gettime};

const LEASE: Duration = Duration::from_secs(1);

const FEW: usize = 500;

const MANY: usize = 20 * FEW;

/// How many renewals are measured.
const MEASURED: usize = 3_000;

#[post("/charges")]
#[idempotent]
async fn charge(gate: Gate, runs: Counter) -> HttpResponse {
    runs.next();
    gate.pass().await;
    HttpResponse::Created().finish()
}

/// What this process has used of the processors, in seconds.
fn cpu_time() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// The CPU time of one renewal while so many claims are kept alive, in seconds.
async fn cost_of_a_renewal(claims: usize) -> f64 {
    let memory = MemoryStore::builder().max_entries(2 * claims).build();
    let store = FaultyStore::new(memory);
    let layer = Idempotency::builder(store.clone(), KeyScope::everyone()).lease(LEASE);
    let layer = layer.build().expect("a layer");
    let (gate, runs) = (Gate::closed(), Counter::default());
    let app = App::new().app_data(gate.clone()).app_data(runs.clone());
    let app = init_service(app.wrap(layer).service(charge)).await;
    let mut answers = Vec::new();
    for key in 0..claims {
        let key = ("idempotency-key", key.to_string());
        let request = TestRequest::post().uri("/charges").insert_header(key);
        answers.push(spawn(app.call(request.to_request())));
        yield_now().await;
    }
    eventually_async("all in flight", async || runs.count() == claims).await;

    let renewals = store.answered(Call::Renew);
    let (before, used) = (renewals.count(), cpu_time());
    eventually_async("renewals", async || renewals.count() >= before + MEASURED).await;
    let cost = (cpu_time() - used) / (renewals.count() - before) as f64;

    gate.open();
    for answer in join_all(answers).await {
        assert_eq!(answer.unwrap().unwrap().status(), 201);
    }
    assert_eq!(runs.count(), claims);
    cost
}

/// By CPU time and not by the clock: a thread with too much to do renews less often, and each renewal costs as much.
#[actix_web::test]
async fn a_renewal_costs_no_more_with_twenty_times_the_claims() {
    let few = cost_of_a_renewal(FEW).await;
    let many = cost_of_a_renewal(MANY).await;
    // It was half as much, as more are taken together; with a scan of all claims for each, six times as much.
    assert!(
        many < 2.0 * few,
        "{few:.9} s of {FEW}, {many:.9} s of {MANY}"
    );
}
