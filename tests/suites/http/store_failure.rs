//! Routes that run rather than fail while the store is down: `on_store_failure = "run"`.

use std::time::Duration;

use actix_web::http::Method;
use actix_web::web::ServiceConfig;
use actix_web::{HttpResponse, Responder, post};
use futures_util::FutureExt;
use idempotency_actix::store::{Begun, Claim, Fingerprint, Store, StoreErrorKind, Token};
use idempotency_actix::{
    Idempotency, IdempotencyBuilder, KeyScope, NotExecuted, OnStoreFailure, RouteOptions,
    idempotent,
};
use idempotency_actix_tests::app::{
    Call, Counter, DOWN, Fault, FaultyStore, Mode, Rig, Run, Site, answer, created, wait_at_gate,
};
use idempotency_actix_tests::{
    Request, assert_first, assert_problem, eventually, in_both_modes, incidents,
};

in_both_modes! {
    a_handler_runs_while_the_store_is_down_and_is_recorded_at_its_end
    a_handler_runs_where_the_store_hangs_for_a_third_of_the_lease
    a_handler_that_runs_unprotected_is_counted
    a_store_that_refuses_is_down_too
    an_answer_is_marked_and_delivered_where_the_store_stays_down
    a_claim_is_asked_for_again_while_the_handler_runs
    a_claim_that_another_attempt_got_meanwhile_is_not_overwritten
    a_full_store_is_refused_all_the_same
    an_unreadable_record_is_refused_all_the_same
    a_handler_that_did_not_act_leaves_no_claim_behind
}

fn run_anyway(layer: IdempotencyBuilder) -> IdempotencyBuilder {
    let lease = Duration::from_millis(600);
    layer.lease(lease).on_store_failure(OnStoreFailure::Run)
}

fn a_handler_runs_while_the_store_is_down_and_is_recorded_at_its_end(mode: Mode) {
    let store = FaultyStore::default();
    store.always(Call::Begin, DOWN);
    let rig = Rig::new(mode, store.clone(), run_anyway, answer);
    assert_first(&rig.send("k"), 201, "run 1");
    store.heal(Call::Begin);
    rig.assert_replayed("k", 201, "run 1");
    assert_eq!(rig.runs.count(), 1);
    assert_eq!(store.calls(Call::Release).len(), 0);
}

fn a_handler_runs_where_the_store_hangs_for_a_third_of_the_lease(mode: Mode) {
    let store = FaultyStore::default();
    store
        .always(Call::Begin, Fault::Hang)
        .always(Call::Renew, Fault::Hang);
    let rig = Rig::new(mode, store.clone(), run_anyway, answer);
    assert_first(&rig.send("k"), 201, "run 1");
    store.heal(Call::Begin);
    rig.assert_replayed("k", 201, "run 1");
    assert_eq!(rig.runs.count(), 1);
}

fn a_handler_that_runs_unprotected_is_counted(mode: Mode) {
    incidents::start();
    let store = FaultyStore::default();
    store.next(Call::Begin, DOWN);
    let rig = Rig::new(mode, store, run_anyway, answer);
    assert_first(&rig.send("k"), 201, "run 1");
    assert!(incidents::count("unprotected") >= 1);
}

fn a_store_that_refuses_is_down_too(mode: Mode) {
    let store = FaultyStore::default();
    store.next(Call::Begin, Fault::Refuse(StoreErrorKind::Refused));
    let rig = Rig::new(mode, store, run_anyway, answer);
    assert_first(&rig.send("k"), 201, "run 1");
    rig.assert_replayed("k", 201, "run 1");
}

fn an_answer_is_marked_and_delivered_where_the_store_stays_down(mode: Mode) {
    let store = FaultyStore::default();
    store.always(Call::Begin, DOWN).always(Call::Complete, DOWN);
    let rig = Rig::new(mode, store.clone(), run_anyway, answer);
    let first = rig.send("k");
    assert_eq!((first.status, first.text().as_str()), (201, "run 1"));
    assert_eq!(first.header("idempotency-status"), Some("unstored"));
    store.heal(Call::Complete);
    let id = store.id();
    eventually("the record", || store.record(&id).is_some());
    store.heal(Call::Begin);
    assert_eq!(rig.settle("k").text(), "run 1");
    assert_eq!(rig.runs.count(), 1);
}

fn a_claim_is_asked_for_again_while_the_handler_runs(mode: Mode) {
    let store = FaultyStore::default();
    store.next(Call::Begin, DOWN).next(Call::Begin, DOWN);
    let rig = Rig::new(mode, store.clone(), run_anyway, wait_at_gate);
    let mut owner = rig.start("k");
    let id = store.id();
    eventually("the claim", || store.record(&id).is_some());
    rig.assert_in_flight("k");
    rig.gate.open();
    assert_first(&owner.receive(), 201, "run 1");
    rig.assert_replayed("k", 201, "run 1");
    let claims = store.calls(Call::Begin);
    assert_eq!(claims[0].1.token(), claims[2].1.token());
    assert_eq!(rig.runs.count(), 1);
}

fn a_claim_that_another_attempt_got_meanwhile_is_not_overwritten(mode: Mode) {
    let store = FaultyStore::default();
    store.always(Call::Begin, DOWN);
    let rig = Rig::new(mode, store.clone(), run_anyway, wait_at_gate);
    let mut owner = rig.start("k");
    let (id, ours) = store.calls(Call::Begin).remove(0);
    let theirs = Claim::new(
        Token::random(),
        Fingerprint::new(Fingerprint::BYTES, *ours.fingerprint().digest()),
        Duration::from_secs(60),
        Duration::from_secs(600),
    );
    let begun = store.memory().begin(&id, &theirs).now_or_never();
    assert!(matches!(begun, Some(Ok(Begun::Claimed { .. }))));
    rig.gate.open();
    assert_problem(&owner.receive(), 409, "in-flight");
    assert_eq!(rig.runs.count(), 1);
}

fn a_full_store_is_refused_all_the_same(mode: Mode) {
    refused_all_the_same(mode, StoreErrorKind::Full);
}

fn an_unreadable_record_is_refused_all_the_same(mode: Mode) {
    refused_all_the_same(mode, StoreErrorKind::Unreadable);
}

fn refused_all_the_same(mode: Mode, kind: StoreErrorKind) {
    let store = FaultyStore::default();
    store.next(Call::Begin, Fault::Refuse(kind));
    let rig = Rig::new(mode, store, run_anyway, answer);
    assert_problem(&rig.send("k"), 503, "store-unavailable");
    assert_eq!(rig.runs.count(), 0);
}

/// Says that it did not act the first time, and acts the second.
async fn decline_once(run: Run) -> HttpResponse {
    if run.number > 1 {
        return created(&run);
    }
    let request = actix_web::test::TestRequest::default().to_http_request();
    NotExecuted(HttpResponse::ServiceUnavailable()).respond_to(&request)
}

fn a_handler_that_did_not_act_leaves_no_claim_behind(mode: Mode) {
    let store = FaultyStore::default();
    store.next(Call::Begin, Fault::LoseReply);
    let rig = Rig::new(mode, store.clone(), run_anyway, decline_once);
    assert_eq!(rig.send("k").status, 503);
    let id = store.id();
    eventually("a release of the claim", || store.record(&id).is_none());
    assert_first(&rig.send("k"), 201, "run 2");
}

#[post("/lenient")]
#[idempotent(on_store_failure = "run")]
async fn lenient(runs: Counter) -> impl Responder {
    HttpResponse::Created().body(runs.next().to_string())
}

#[post("/strict")]
#[idempotent(on_store_failure = "reject")]
async fn strict(runs: Counter) -> impl Responder {
    HttpResponse::Created().body(runs.next().to_string())
}

fn routes(config: &mut ServiceConfig) {
    config.service(lenient).service(strict);
}

fn on(store: &FaultyStore) -> IdempotencyBuilder {
    Idempotency::builder(store.clone(), KeyScope::everyone())
}

#[test]
fn an_attribute_chooses_for_its_handler() {
    let store = FaultyStore::default();
    store.always(Call::Begin, DOWN);
    let layer = on(&store).on_store_failure(OnStoreFailure::Run);
    let site = Site::new(layer.build().expect("a layer"), routes);
    assert_problem(
        &site.send(Request::post("/strict").key("k")),
        503,
        "store-unavailable",
    );
    let site = Site::new(on(&store).build().expect("a layer"), routes);
    assert_eq!(site.send(Request::post("/lenient").key("k")).status, 201);
}

#[test]
fn an_attribute_comes_too_late_in_all_routes_mode_and_an_entry_does_not() {
    let store = FaultyStore::default();
    store.always(Call::Begin, DOWN);
    let run = RouteOptions::new().on_store_failure(OnStoreFailure::Run);
    let layer = on(&store)
        .all_routes()
        .route(Method::POST, "/lenient", run.clone());
    let site = Site::new(layer.build().expect("a layer"), routes);
    let key = Request::post("/lenient").key("k");
    assert_eq!(site.send(key.clone()).status, 500);
    assert_eq!(site.runs.count(), 0);
    let layer = on(&store).all_routes().route(Method::POST, "/strict", run);
    let site = Site::new(
        layer.build().expect("a layer"),
        |config: &mut ServiceConfig| {
            config.service(unmarked);
        },
    );
    assert_eq!(site.send(Request::post("/strict").key("k")).status, 201);
}

#[post("/strict")]
async fn unmarked(runs: Counter) -> impl Responder {
    HttpResponse::Created().body(runs.next().to_string())
}
