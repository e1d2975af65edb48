//! What a support tool sees of a record, and what it may decide.

use std::time::Duration;

use actix_web::http::Method;
use actix_web::rt::System;
use actix_web::{HttpResponse, Responder, post, web};
use idempotency_actix::store::{AttemptId, Finished, RecordId, Resolved, State, StoreErrorKind};
use idempotency_actix::{Caller, Clock, Idempotency, KeyScope, MemoryStore, Recovery, idempotent};
use idempotency_actix_tests::app::{Call, Counter, DOWN, FaultyStore, Gate, Site};
use idempotency_actix_tests::{Request, assert_problem, log};

/// Short enough that half of it may pass in a test.
const LEASE: Duration = Duration::from_millis(200);

#[post("/charges")]
#[idempotent]
async fn charge(gate: web::Data<Gate>, runs: Counter) -> impl Responder {
    let run = runs.next();
    gate.pass().await;
    HttpResponse::Created().body(run.to_string())
}

/// An application, its layer as a support tool has it, and a clock of the store's that stands still.
struct Desk {
    site: Site,
    layer: Idempotency,
    store: FaultyStore,
    clock: Clock,
    gate: Gate,
}

impl Desk {
    fn new() -> Self {
        let clock = Clock::manual();
        let memory = MemoryStore::builder().clock(clock.clone()).build();
        let store = FaultyStore::new(memory);
        let layer = Idempotency::builder(store.clone(), KeyScope::header("x-account"));
        let layer = layer.lease(LEASE).build().expect("options that can hold");
        let gate = Gate::closed();
        let data = web::Data::new(gate.clone());
        let site = Site::new(layer.clone(), move |config| {
            config.app_data(data.clone()).service(charge);
        });
        Self {
            site,
            layer,
            store,
            clock,
            gate,
        }
    }

    fn id(&self) -> RecordId {
        RecordId::of(&Caller::header("ada"), &Method::POST, "/charges", "k 1")
    }

    fn request(&self) -> Request {
        Request::post("/charges")
            .header("x-account", "ada")
            .key("\"k 1\"")
    }

    fn run_once(&self) {
        self.gate.let_one_through();
        assert_eq!(self.site.send(self.request()).status, 201);
        self.gate.wait();
    }

    /// Starts a run whose process is gone: its client left, and its renewals fail.
    fn lose(&self) {
        self.store.always(Call::Renew, DOWN);
        let mut client = self.site.connect();
        client.send(&self.request());
        self.gate.wait();
        self.clock.advance(LEASE);
        client.reset();
    }

    /// While the lost run still stands at the gate.
    fn assert_runs_again(&self) {
        let mut client = self.site.connect();
        client.send(&self.request());
        self.gate.wait();
        self.gate.let_one_through();
        self.gate.let_one_through();
        assert_eq!(client.receive().text(), "2");
    }

    fn attempt(&self) -> AttemptId {
        let record = on_a_runtime(self.layer.inspect(&self.id()));
        record
            .expect("a store that answers")
            .expect("a record")
            .attempt
    }

    fn resolve(&self, seen: &AttemptId, finding: Recovery) -> Resolved {
        let resolved = on_a_runtime(self.layer.resolve(&self.id(), seen, finding));
        resolved.expect("a store that answers")
    }

    fn forget(&self, seen: &AttemptId) -> Resolved {
        let forgotten = on_a_runtime(self.layer.forget(&self.id(), seen));
        forgotten.expect("a store that answers")
    }
}

fn on_a_runtime<T>(call: impl Future<Output = T>) -> T {
    System::new().block_on(call)
}

#[test]
fn a_record_is_found_by_caller_method_path_and_decoded_key() {
    let desk = Desk::new();
    let inspect = || on_a_runtime(desk.layer.inspect(&desk.id())).expect("an answer");
    assert!(inspect().is_none());
    desk.run_once();
    let record = inspect().expect("a record");
    let State::Finished(Finished::Completed(response)) = record.state else {
        panic!("{record:?}");
    };
    assert_eq!(response.status(), 201);
    assert_eq!(record.attempt.generation(), 1);
}

#[test]
fn every_kind_of_caller_can_be_named() {
    for (scope, caller) in [
        (KeyScope::everyone(), Caller::everyone()),
        (KeyScope::by(|_| Some("ada")), Caller::principal("ada")),
        (KeyScope::header("x-account"), Caller::header("ada")),
    ] {
        let store = MemoryStore::new();
        let layer = Idempotency::new(store, scope);
        let gate = Gate::closed();
        gate.let_one_through();
        let data = web::Data::new(gate);
        let site = Site::new(layer.clone(), move |config| {
            config.app_data(data.clone()).service(charge);
        });
        let request = Request::post("/charges?q=1").header("x-account", "ada");
        assert_eq!(site.send(request.key("k")).status, 201);
        let id = RecordId::of(&caller, &Method::POST, "/charges", "k");
        let record = on_a_runtime(layer.inspect(&id)).expect("an answer");
        assert!(record.is_some(), "{caller:?}");
        assert!(!format!("{caller:?}").contains("ada"));
    }
}

#[test]
fn an_unknown_outcome_that_happened_is_answered_from_then_on() {
    let desk = Desk::new();
    desk.lose();
    assert_problem(&desk.site.send(desk.request()), 500, "outcome-unknown");
    let answer = HttpResponse::Created()
        .insert_header(("x-found", "yes"))
        .body("found");
    let resolved = desk.resolve(&desk.attempt(), Recovery::Completed(answer));
    assert_eq!(resolved, Resolved::Done);
    let retry = desk.site.send(desk.request());
    assert_eq!((retry.status, retry.text().as_str()), (201, "found"));
    assert!(retry.is_replay());
    assert_eq!(retry.header("x-found"), Some("yes"));
    assert_eq!(desk.site.runs.count(), 1);
}

#[test]
fn an_unknown_outcome_that_did_not_happen_runs_again() {
    let desk = Desk::new();
    desk.lose();
    let resolved = desk.resolve(&desk.attempt(), Recovery::NotExecuted);
    assert_eq!(resolved, Resolved::Done);
    desk.assert_runs_again();
}

#[test]
fn an_outcome_that_is_still_unknown_stays_so() {
    let desk = Desk::new();
    desk.lose();
    let resolved = desk.resolve(&desk.attempt(), Recovery::StillUnknown);
    assert_eq!(resolved, Resolved::Refused);
    assert_problem(&desk.site.send(desk.request()), 500, "outcome-unknown");
}

#[test]
fn an_attempt_that_shows_a_sign_of_life_meanwhile_is_not_decided_about() {
    let desk = Desk::new();
    desk.lose();
    let seen = desk.attempt();
    desk.store.heal(Call::Renew);
    let renewed = desk.store.answered(Call::Renew);
    renewed.wait_for(renewed.count() + 2);
    desk.clock.advance(LEASE);
    let answer = HttpResponse::Ok().finish();
    let resolved = desk.resolve(&seen, Recovery::Completed(answer));
    assert_eq!(resolved, Resolved::Refused);
}

#[test]
fn what_runs_is_neither_decided_about_nor_forgotten() {
    let desk = Desk::new();
    let mut client = desk.site.connect();
    client.send(&desk.request());
    desk.gate.wait();
    let seen = desk.attempt();
    assert_eq!(
        desk.resolve(&seen, Recovery::NotExecuted),
        Resolved::Refused
    );
    assert_eq!(desk.forget(&seen), Resolved::Refused);
    desk.gate.let_one_through();
    assert_eq!(client.receive().status, 201);
}

#[test]
fn a_forgotten_record_runs_again_under_a_higher_generation() {
    let desk = Desk::new();
    desk.run_once();
    let seen = desk.attempt();
    assert_eq!(desk.forget(&seen), Resolved::Done);
    desk.run_once();
    assert_eq!(desk.site.runs.count(), 2);
    assert_eq!(desk.attempt().generation(), 2);
}

#[test]
fn a_forgotten_unknown_outcome_runs_again() {
    let desk = Desk::new();
    desk.lose();
    assert_eq!(desk.forget(&desk.attempt()), Resolved::Done);
    desk.assert_runs_again();
}

#[test]
fn an_attempt_that_was_replaced_is_not_forgotten() {
    let desk = Desk::new();
    desk.run_once();
    let seen = desk.attempt();
    assert_eq!(desk.forget(&seen), Resolved::Done);
    assert_eq!(desk.forget(&seen), Resolved::Refused);
    desk.run_once();
    assert_eq!(desk.forget(&seen), Resolved::Refused);
    assert_eq!(desk.forget(&AttemptId::UNREADABLE), Resolved::Refused);
    assert!(desk.site.send(desk.request()).is_replay());
}

#[test]
fn a_store_that_is_down_is_an_error() {
    let desk = Desk::new();
    desk.run_once();
    let seen = desk.attempt();
    desk.store.always(Call::Inspect, DOWN);
    let error = on_a_runtime(desk.layer.inspect(&desk.id())).expect_err("no answer");
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    let error = on_a_runtime(desk.layer.forget(&desk.id(), &seen)).expect_err("no answer");
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
}

#[test]
fn what_an_operator_does_is_logged_by_hash_and_without_the_key() {
    log::listen();
    let desk = Desk::new();
    desk.run_once();
    let seen = desk.attempt();
    assert_eq!(desk.forget(&seen), Resolved::Done);
    let hash = format!("{:?}", desk.id());
    for action in ["inspect", "forget"] {
        let lines = log::lines_with(&["an operator acted", action, &hash]);
        assert!(!lines.is_empty(), "{action}");
        for line in lines {
            assert!(!line.contains("k 1") && !line.contains("ada"), "{line}");
        }
    }
}
