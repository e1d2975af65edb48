//! How many operations of one caller may be in flight.

use std::future::pending;
use std::time::Duration;

use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, Responder, post};
use idempotency_actix::store::Store;
use idempotency_actix::{
    ConfigError, Idempotency, IdempotencyBuilder, KeyScope, MemoryStore, idempotent,
};
use idempotency_actix_tests::app::{
    Call, Counter, Fault, FaultyStore, Gate, Mode, Rig, builder, created,
};
use idempotency_actix_tests::{Client, Request, Response, app, assert_problem, eventually};

use crate::places::Place;

async fn gated(gate: Gate, runs: Counter) -> impl Responder {
    let run = runs.next();
    gate.pass().await;
    HttpResponse::Created().body(run.to_string())
}

#[post("/charges")]
#[idempotent]
async fn marked(gate: Gate, runs: Counter) -> impl Responder {
    gated(gate, runs).await
}

fn routes(config: &mut ServiceConfig) {
    config
        .service(marked)
        .route("/plain", web::post().to(gated));
}

/// A site on which each account may have that many operations in flight, and its gate.
struct Site {
    site: app::Site,
    gate: Gate,
    place: Place,
}

impl Site {
    fn new(place: Place, operations: usize) -> Self {
        Self::on(place, operations, MemoryStore::new())
    }

    fn on(place: Place, operations: usize, store: impl Store) -> Self {
        let layer = Idempotency::builder(store, KeyScope::header("x-account"));
        let layer = place.layer(
            layer,
            |layer| layer.max_in_flight(operations),
            |route| route.max_in_flight(operations),
        );
        let gate = Gate::closed();
        let data = gate.clone();
        let site = app::Site::new(layer, move |config| {
            routes(config.app_data(data.clone()));
        });
        Self { site, gate, place }
    }

    fn request(&self, account: &str, key: &str) -> Request {
        let request = Request::post(self.place.path()).key(key);
        request.header("x-account", account)
    }

    /// Sends a request, and waits until its handler runs.
    fn start(&self, account: &str, key: &str) -> Client {
        let mut client = self.site.connect();
        client.send(&self.request(account, key));
        self.gate.wait();
        client
    }

    fn finish(&self, mut client: Client) {
        self.gate.let_one_through();
        assert_eq!(client.receive().status, 201);
    }

    fn send(&self, account: &str, key: &str) -> Response {
        self.site.send(self.request(account, key))
    }
}

fn in_each_place(operations: usize, test: impl Fn(Site)) {
    for place in Place::ALL {
        test(Site::new(place, operations));
    }
}

#[test]
fn one_operation_too_many_is_429_and_does_not_run() {
    in_each_place(2, |site| {
        let running = ["1", "2"].map(|key| site.start("a", key));
        let refused = site.send("a", "3");
        assert_problem(&refused, 429, "quota-exceeded");
        assert_eq!(refused.header("retry-after"), Some("1"));
        assert_eq!(site.site.runs.count(), 2);
        for client in running {
            site.finish(client);
        }
    });
}

#[test]
fn an_operation_that_ends_makes_room() {
    in_each_place(1, |site| {
        let first = site.start("a", "1");
        assert_problem(&site.send("a", "2"), 429, "quota-exceeded");
        site.finish(first);
        let second = site.start("a", "2");
        site.finish(second);
    });
}

#[test]
fn another_caller_has_a_quota_of_its_own() {
    in_each_place(1, |site| {
        let one = site.start("a", "1");
        let other = site.start("b", "1");
        site.finish(one);
        site.finish(other);
    });
}

#[test]
fn a_full_quota_replays_and_tells_what_runs_and_what_differs() {
    in_each_place(1, |site| {
        let done = site.start("a", "done");
        site.finish(done);
        let running = site.start("a", "running");
        assert!(site.send("a", "done").is_replay());
        assert_problem(&site.send("a", "running"), 409, "in-flight");
        let other = site.site.send(site.request("a", "done").body("another"));
        assert_problem(&other, 422, "key-reused");
        site.finish(running);
        assert_eq!(site.site.runs.count(), 2);
    });
}

/// A slow store holds a replay's look, which is no operation in flight.
#[test]
fn a_replay_takes_no_seat_from_a_first_request() {
    for place in Place::ALL {
        let store = FaultyStore::default();
        let site = Site::on(place, 1, store.clone());
        let done = site.start("a", "done");
        site.finish(done);
        let hold = Gate::closed();
        store.next(Call::Begin, Fault::Hold(hold.clone()));
        let begun = store.entered(Call::Begin).count();
        let mut replay = site.site.connect();
        replay.send(&site.request("a", "done"));
        store.entered(Call::Begin).wait_for(begun + 1);
        let new = site.start("a", "new");
        site.finish(new);
        hold.open();
        assert!(replay.receive().is_replay());
    }
}

#[test]
fn a_client_that_leaves_keeps_its_seat_until_the_handler_has_ended() {
    in_each_place(1, |site| {
        site.start("a", "1").reset();
        assert_problem(&site.send("a", "2"), 429, "quota-exceeded");
        site.gate.let_one_through();
        let mut answer = site.send("a", "1");
        while answer.status == 409 {
            answer = site.send("a", "1");
        }
        assert!(answer.is_replay());
        let second = site.start("a", "2");
        site.finish(second);
    });
}

#[test]
fn a_handler_that_never_ends_gives_its_seat_up_with_its_claim() {
    let short = Duration::from_millis(200);
    let options = |layer: IdempotencyBuilder| layer.lease(short).max_run(short).max_in_flight(1);
    let rig = Rig::new(
        Mode::Marked,
        FaultyStore::default(),
        options,
        |run| async move {
            if run.number == 1 {
                pending::<()>().await;
            }
            created(&run)
        },
    );
    let _lost = rig.start("1");
    eventually("a seat", || rig.send("2").status == 201);
}

#[test]
fn a_request_without_a_key_is_not_counted() {
    in_each_place(1, |site| {
        let running = site.start("a", "1");
        let request = Request::post(site.place.path()).header("x-account", "a");
        let mut client = site.site.connect();
        client.send(&request);
        site.gate.wait();
        site.gate.let_one_through();
        site.finish(running);
        assert_eq!(client.receive().status, 201);
    });
}

#[test]
fn a_quota_of_none_is_refused_when_the_layer_is_built() {
    let error = builder().max_in_flight(0).build().expect_err("no quota");
    assert_eq!(error, ConfigError::ZeroLimit("max_in_flight"));
    assert_eq!(error.to_string(), "`max_in_flight` is 0; give at least 1");
}
