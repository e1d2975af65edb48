//! What a layer may make of an unknown outcome: who decides, and what a dead process leaves behind.

use std::time::Duration;

use actix_web::http::Method;
use actix_web::http::StatusCode;
use actix_web::web::Bytes;
use actix_web::{App, HttpResponse};
use futures_util::FutureExt;
use idempotency_actix::store::{
    AttemptId, Claim, Completion, Finished, RecordId, Released, Renewed, Store, StoreErrorKind,
    StoredResponse,
};
use idempotency_actix::{
    Clock, ConfigError, Idempotency, IdempotencyBuilder, KeyScope, OnUnknown, Recovery,
    RouteMistake, RouteOptions,
};
use idempotency_actix_tests::{Request, Response, serve};

use crate::app::{Runs, Site, builder, plain};
use crate::faulty_store::{Call, Fault, FaultyStore};
use crate::rig::{Mode, Rig, assert_problem, in_both_modes, store_and_clock};

in_both_modes! {
    a_route_that_rejects_answers_500_and_never_runs
    another_request_under_the_key_is_refused_before_anything_is_decided
    over_its_quota_a_caller_gets_429_and_no_decision
}

/// The lease that the dead leave behind. Half of it passes in real time in most tests here, so it is
/// short; the layers' own is 30 seconds, which none of their handlers outlives.
pub const SHORT: Duration = Duration::from_millis(200);

/// The claim of a process that died mid-handler, and whatever it does when it was not dead after all.
pub struct Orphan {
    pub id: RecordId,
    claim: Claim,
    store: FaultyStore,
    clock: Clock,
}

impl Orphan {
    /// Leaves the claim of a request behind, lapsed.
    pub fn leave(rig: &Rig, clock: &Clock, key: &str) -> Self {
        Self::leave_with(rig, clock, key, SHORT)
    }

    /// The same with a lease of its own.
    pub fn leave_with(rig: &Rig, clock: &Clock, key: &str, lease: Duration) -> Self {
        Self::of(&rig.store, clock, lease, || rig.send(key))
    }

    /// The same for whatever request a site is sent.
    pub fn of(
        store: &FaultyStore,
        clock: &Clock,
        lease: Duration,
        send: impl FnOnce() -> Response,
    ) -> Self {
        // A full store tells the test what it was asked for, and grants nothing.
        store.next(Call::Begin, Fault::Refuse(StoreErrorKind::Full));
        assert_problem(&send(), 503, "store-unavailable");
        let (id, asked) = store.calls(Call::Begin).pop().expect("a begin");
        let (token, fingerprint) = (*asked.token(), *asked.fingerprint());
        let orphan = Self {
            id,
            claim: Claim::new(token, fingerprint, lease, asked.retention()),
            store: store.clone(),
            clock: clock.clone(),
        };
        now(orphan.store.memory().begin(&id, &orphan.claim));
        orphan.lapse();
        orphan
    }

    fn lapse(&self) {
        self.pass(self.claim.lease());
    }

    /// Lets time pass for the store.
    pub fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }

    /// Renews once, and dies again.
    pub fn renew(&self) -> Renewed {
        self.clock.advance(Duration::from_millis(1));
        let renewed = now(self.store.memory().renew(&self.id, &self.claim));
        if renewed == Renewed::Alive {
            self.lapse();
        }
        renewed
    }

    /// Renews, and goes on.
    pub fn revive(&self) {
        self.clock.advance(Duration::from_millis(1));
        let renewed = now(self.store.memory().renew(&self.id, &self.claim));
        assert_eq!(renewed, Renewed::Alive);
    }

    /// Answers 201 and this body, late.
    pub fn complete(&self, body: &'static str) -> Completion {
        let body = Some(Bytes::from(body));
        let answer = StoredResponse::new(StatusCode::CREATED, [], body);
        let (memory, finished) = (self.store.memory(), Finished::Completed(answer));
        now(memory.complete(&self.id, &self.claim, &finished, Duration::from_secs(60)))
    }

    pub fn release(&self) -> Released {
        now(self.store.memory().release(&self.id, &self.claim))
    }

    /// Which attempt the record is of now.
    pub fn attempt(&self) -> Option<AttemptId> {
        self.store.record(&self.id).map(|record| record.attempt)
    }
}

fn now<T, E: std::fmt::Debug>(step: impl Future<Output = Result<T, E>>) -> T {
    step.now_or_never().expect("memory does not wait").unwrap()
}

/// The first look at a lapsed claim, and the time after which the next one is half a lease later.
pub fn look(rig: &Rig, key: &str) {
    rig.assert_in_flight(key);
    std::thread::sleep(SHORT / 2);
}

fn a_route_that_rejects_answers_500_and_never_runs(mode: Mode) {
    let (store, clock) = store_and_clock();
    let rig = Rig::new(
        mode,
        store,
        |layer| layer.on_unknown(OnUnknown::Reject),
        crate::rig::answer,
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
        let (store, clock) = store_and_clock();
        let rig = Rig::new(mode, store, choice, crate::rig::answer);
        let orphan = Orphan::leave(&rig, &clock, "k");
        let attempt = orphan.attempt();
        look(&rig, "k");
        for _ in 0..2 {
            let other = rig.send_request(rig.request("k").body("200 EUR"));
            assert_problem(&other, 422, "key-reused");
        }
        assert_eq!(orphan.attempt(), attempt);
        assert_eq!(rig.runs.count(), 0);
    }
}

fn over_its_quota_a_caller_gets_429_and_no_decision(mode: Mode) {
    for choice in deciding() {
        let (store, clock) = store_and_clock();
        let rig = Rig::new(
            mode,
            store,
            |layer| choice(layer).max_in_flight(1),
            crate::rig::wait_at_gate,
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
    let (store, clock) = store_and_clock();
    let layer = layer(Idempotency::builder(store.clone(), KeyScope::everyone()))
        .all_routes()
        .route(Method::POST, "/plain", route)
        .build()
        .unwrap();
    let runs = Runs::default();
    let counted = runs.clone();
    let server = serve(move || {
        App::new()
            .app_data(counted.clone())
            .wrap(layer.clone())
            .service(plain)
    });
    let site = Site::of(server, runs);
    let send = || site.send(Request::post("/plain").key("k").body("x"));
    store.next(Call::Begin, Fault::Refuse(StoreErrorKind::Full));
    assert_problem(&send(), 503, "store-unavailable");
    let (id, asked) = store.calls(Call::Begin).pop().expect("a begin");
    let claim = Claim::new(
        *asked.token(),
        *asked.fingerprint(),
        SHORT,
        asked.retention(),
    );
    now(store.memory().begin(&id, &claim));
    clock.advance(SHORT);
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
