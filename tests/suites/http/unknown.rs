//! What a layer may make of an unknown outcome: who decides, and what a dead process leaves behind.

use actix_web::HttpResponse;
use actix_web::http::Method;
use actix_web::web::ServiceConfig;
use idempotency_actix::{
    ConfigError, Idempotency, IdempotencyBuilder, KeyScope, OnUnknown, Recovery, RouteMistake,
    RouteOptions,
};
use idempotency_actix_tests::app::{
    FaultyStore, Mode, Rig, Site, answer, builder, plain, wait_at_gate,
};
use idempotency_actix_tests::{Request, Response, assert_problem, in_both_modes};

use crate::orphan::{Orphan, SHORT, look};

in_both_modes! {
    a_route_that_rejects_answers_500_and_never_runs
    another_request_under_the_key_is_refused_before_anything_is_decided
    over_its_quota_a_caller_gets_429_and_no_decision
}

fn a_route_that_rejects_answers_500_and_never_runs(mode: Mode) {
    let (store, clock) = FaultyStore::and_clock();
    let rig = Rig::new(
        mode,
        store,
        |layer| layer.on_unknown(OnUnknown::Reject),
        answer,
    );
    let orphan = Orphan::leave(&rig, &clock, "k");
    let attempt = orphan.attempt();
    for _ in 0..2 {
        assert_problem(&rig.send("k"), 500, "outcome-unknown");
        std::thread::sleep(SHORT / 2);
    }
    assert_problem(&rig.send("k"), 500, "outcome-unknown");
    assert_eq!(orphan.attempt(), attempt);
    assert_eq!(rig.runs.count(), 0);
}

/// Both ways to decide, with a recovery that must not be asked.
fn deciding() -> [fn(IdempotencyBuilder) -> IdempotencyBuilder; 2] {
    async fn unasked() -> Recovery {
        Recovery::Completed(HttpResponse::ImATeapot().finish())
    }
    [
        |layer| layer.on_unknown(OnUnknown::Rerun),
        |layer| layer.recover(unasked),
    ]
}

fn another_request_under_the_key_is_refused_before_anything_is_decided(mode: Mode) {
    for choice in deciding() {
        let (store, clock) = FaultyStore::and_clock();
        let rig = Rig::new(mode, store, choice, answer);
        let orphan = Orphan::leave(&rig, &clock, "k");
        let attempt = orphan.attempt();
        look(&rig, "k");
        for _ in 0..2 {
            let other = rig.send_request(&rig.request("k").body("200 EUR"));
            assert_problem(&other, 422, "key-reused");
        }
        assert_eq!(orphan.attempt(), attempt);
        assert_eq!(rig.runs.count(), 0);
    }
}

fn over_its_quota_a_caller_gets_429_and_no_decision(mode: Mode) {
    for choice in deciding() {
        let (store, clock) = FaultyStore::and_clock();
        let rig = Rig::new(
            mode,
            store,
            |layer| choice(layer).max_in_flight(1),
            wait_at_gate,
        );
        let orphan = Orphan::leave(&rig, &clock, "k");
        let attempt = orphan.attempt();
        look(&rig, "k");
        let mut busy = rig.start("busy");
        for _ in 0..2 {
            assert_problem(&rig.send("k"), 429, "quota-exceeded");
        }
        assert_eq!((orphan.attempt(), rig.runs.count()), (attempt, 1));
        rig.gate.open();
        assert_eq!(busy.receive().status, 201);
        let decided = rig.settle("k");
        assert!(matches!(decided.status, 201 | 418), "{decided:?}");
    }
}

#[test]
fn a_rerun_and_a_recovery_on_one_layer_are_refused() {
    for [choice, other] in [deciding(), {
        let [a, b] = deciding();
        [b, a]
    }] {
        let error = other(choice(builder())).build().expect_err("two answers");
        assert_eq!(error, ConfigError::UnknownTwice);
        let message = error.to_string();
        assert!(message.contains("`on_unknown` and `recover`"), "{message}");
    }
}

#[test]
fn a_rerun_and_a_recovery_on_one_route_are_refused() {
    let twice = RouteOptions::new()
        .on_unknown(OnUnknown::Rerun)
        .recover(|| async { Recovery::NotExecuted });
    let layer = builder().all_routes().route(Method::POST, "/plain", twice);
    let error = layer.build().expect_err("two answers");
    let ConfigError::Route { mistake, .. } = &error else {
        panic!("{error:?}");
    };
    let mistake_of_option = RouteMistake::Option(Box::new(ConfigError::UnknownTwice));
    assert_eq!(*mistake, mistake_of_option);
    let message = error.to_string();
    assert!(
        message.contains("`route` for POST /plain: `on_unknown` and `recover`"),
        "{message}"
    );
}

/// What a retry of a dead process's request gets in all-routes mode, half a lease after the first look.
fn decision(layer: fn(IdempotencyBuilder) -> IdempotencyBuilder, route: RouteOptions) -> Response {
    let (store, clock) = FaultyStore::and_clock();
    let layer = layer(Idempotency::builder(store.clone(), KeyScope::everyone()))
        .all_routes()
        .route(Method::POST, "/plain", route)
        .build()
        .unwrap();
    let site = Site::new(layer, |config: &mut ServiceConfig| {
        config.service(plain);
    });
    let send = || site.send(Request::post("/plain").key("k").body("x"));
    Orphan::of(&store, &clock, SHORT, send);
    if send().status == 409 {
        std::thread::sleep(SHORT / 2);
    }
    send()
}

#[test]
fn a_route_that_reruns_replaces_the_recovery_of_the_layer() {
    let [_, recover] = deciding();
    let answer = decision(recover, RouteOptions::new().on_unknown(OnUnknown::Rerun));
    assert_eq!((answer.status, answer.text().as_str()), (201, "1:x"));
}

#[test]
fn a_route_that_rejects_replaces_the_recovery_of_the_layer() {
    let [_, recover] = deciding();
    let answer = decision(recover, RouteOptions::new().on_unknown(OnUnknown::Reject));
    assert_problem(&answer, 500, "outcome-unknown");
}

#[test]
fn a_route_that_recovers_replaces_the_rerun_of_the_layer() {
    let [rerun, _] = deciding();
    let found = || async { Recovery::Completed(HttpResponse::Ok().body("found")) };
    let answer = decision(rerun, RouteOptions::new().recover(found));
    assert_eq!((answer.status, answer.text().as_str()), (200, "found"));
    assert!(answer.is_replay());
}

#[test]
fn a_route_that_says_nothing_has_what_the_layer_has() {
    let [rerun, _] = deciding();
    let answer = decision(rerun, RouteOptions::new());
    assert_eq!((answer.status, answer.text().as_str()), (201, "1:x"));
}
