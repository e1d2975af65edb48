//! A store that takes no whole answer, or that panics, as stores of an application's own may.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use actix_web::{HttpResponse, web};
use futures_util::FutureExt;
use idempotency_actix::store::{
    AttemptId, Begun, Claim, Completion, Finished, Record, RecordId, Released, Renewed, Resolved,
    Store, StoreError, Verdict,
};
use idempotency_actix::{Idempotency, IdempotencyBuilder, KeyScope, MemoryStore, idempotent};
use idempotency_actix_tests::app::{Counter, Gate, Mode, Site};
use idempotency_actix_tests::{
    Client, PATIENCE, Request, assert_problem, eventually, in_both_modes,
};

#[derive(Clone, Default)]
pub(crate) struct Picky {
    memory: MemoryStore,
    refused: Arc<AtomicUsize>,
    takes_answers: bool,
    takes_no_locations: bool,
    /// Whether it panics when it is to tell of changes, and when it is asked for its health.
    has_no_words: bool,
    /// How many more renewals panic, and how many more completions.
    panics: Arc<[AtomicUsize; 2]>,
}

impl Picky {
    /// How many whole answers it refused.
    pub(crate) fn refused(&self) -> usize {
        self.refused.load(SeqCst)
    }

    /// One that takes no `Location` either.
    pub(crate) fn without_locations() -> Self {
        Self {
            takes_no_locations: true,
            ..Self::default()
        }
    }

    fn panicking(renewals: usize, completions: usize) -> Self {
        Self {
            takes_answers: true,
            panics: Arc::new([renewals, completions].map(AtomicUsize::new)),
            ..Self::default()
        }
    }

    fn panic(&self, which: usize) {
        let left = self.panics[which].fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1));
        assert!(left.is_err(), "a store's mistake");
    }
}

impl Store for Picky {
    async fn begin(&self, id: &RecordId, claim: &Claim) -> Result<Begun, StoreError> {
        self.memory.begin(id, claim).await
    }

    async fn renew(&self, id: &RecordId, claim: &Claim) -> Result<Renewed, StoreError> {
        self.panic(0);
        self.memory.renew(id, claim).await
    }

    async fn complete(
        &self,
        id: &RecordId,
        claim: &Claim,
        finished: &Finished,
        ttl: Duration,
    ) -> Result<Completion, StoreError> {
        self.panic(1);
        if !self.takes_answers && matches!(finished, Finished::Completed(_)) {
            self.refused.fetch_add(1, SeqCst);
            return Err(StoreError::unavailable("the connection was closed"));
        }
        if let Finished::NotKept(not_kept) = finished
            && self.takes_no_locations
            && not_kept.location.is_some()
        {
            return Err(StoreError::unavailable("the connection was closed"));
        }
        self.memory.complete(id, claim, finished, ttl).await
    }

    async fn release(&self, id: &RecordId, claim: &Claim) -> Result<Released, StoreError> {
        self.memory.release(id, claim).await
    }

    async fn inspect(&self, id: &RecordId) -> Result<Option<Record>, StoreError> {
        self.memory.inspect(id).await
    }

    async fn resolve(
        &self,
        id: &RecordId,
        seen: &AttemptId,
        verdict: &Verdict,
    ) -> Result<Resolved, StoreError> {
        self.memory.resolve(id, seen, verdict).await
    }

    async fn changed(&self, _: &RecordId) {
        assert!(!self.has_no_words, "a store's mistake");
        std::future::pending().await
    }

    async fn health(&self) -> Result<(), StoreError> {
        assert!(!self.has_no_words, "a store's mistake");
        Ok(())
    }
}

#[actix_web::post("/marked")]
#[idempotent]
async fn at_gate(gate: Gate, runs: Counter) -> HttpResponse {
    gated(gate, runs).await
}

async fn gated(gate: Gate, runs: Counter) -> HttpResponse {
    let run = runs.next();
    gate.pass().await;
    HttpResponse::Created()
        .insert_header(("location", "/charges/1"))
        .body(format!("run {run}"))
}

const SHORT: Duration = Duration::from_millis(300);

/// A site whose handler waits at the gate, and its request.
pub(crate) fn site(mode: Mode, store: Picky) -> (Site, Gate, Request) {
    site_with(mode, store, |layer| layer)
}

fn site_with(
    mode: Mode,
    store: Picky,
    options: impl FnOnce(IdempotencyBuilder) -> IdempotencyBuilder,
) -> (Site, Gate, Request) {
    let gate = Gate::closed();
    let layer = Idempotency::builder(store, KeyScope::everyone()).lease(SHORT);
    let layer = options(layer);
    let layer = match mode {
        Mode::Marked => layer,
        Mode::AllRoutes => layer.all_routes(),
    };
    let layer = layer.max_run(100 * SHORT).build().unwrap();
    let closed = gate.clone();
    let site = Site::new(layer, move |config| {
        config
            .app_data(closed.clone())
            .service(at_gate)
            .route("/plain", web::post().to(gated));
    });
    let path = match mode {
        Mode::Marked => "/marked",
        Mode::AllRoutes => "/plain",
    };
    (site, gate, Request::post(path).key("k"))
}

in_both_modes! {
    a_renewal_that_panics_is_tried_again
    a_completion_that_panics_is_tried_again
    a_waiter_looks_for_itself_where_the_store_panics_instead_of_telling
}

fn a_renewal_that_panics_is_tried_again(mode: Mode) {
    let store = Picky::panicking(2, 0);
    let (site, gate, request) = site(mode, store.clone());
    let mut owner = Client::connect(site.addr());
    owner.send(&request);
    gate.wait();
    let start = std::time::Instant::now();
    eventually("three leases", || start.elapsed() > 3 * SHORT);
    assert_problem(&site.send(request), 409, "in-flight");
    gate.let_one_through();
    assert_eq!(owner.receive().status, 201);
    assert_eq!(site.runs.count(), 1);
}

fn a_completion_that_panics_is_tried_again(mode: Mode) {
    let (site, gate, request) = site(mode, Picky::panicking(0, 3));
    gate.let_one_through();
    let first = site.send(request.clone());
    assert_eq!(first.status, 201);
    assert_eq!(first.header("idempotency-status"), Some("unstored"));
    eventually("a replay", || site.send(request.clone()).is_replay());
    assert_eq!(site.runs.count(), 1);
}

fn speechless() -> Picky {
    Picky {
        takes_answers: true,
        has_no_words: true,
        ..Picky::default()
    }
}

fn a_waiter_looks_for_itself_where_the_store_panics_instead_of_telling(mode: Mode) {
    let (site, gate, request) = site_with(mode, speechless(), |layer| layer.wait(PATIENCE));
    let [mut owner, mut waiter] = [(); 2].map(|()| Client::connect(site.addr()));
    owner.send(&request);
    gate.wait();
    waiter.send(&request);
    waiter.assert_silent(1);
    gate.let_one_through();
    assert_eq!(owner.receive().status, 201);
    assert!(waiter.receive().is_replay());
    assert_eq!(site.runs.count(), 1);
}

#[test]
fn a_store_that_panics_is_not_healthy() {
    let layer = Idempotency::new(speechless(), KeyScope::everyone());
    let health = layer.health().now_or_never();
    assert!(health.expect("an answer at once").is_err());
}
