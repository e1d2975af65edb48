//! What a waiting retry of a marked handler makes of the handler's arguments.

use std::future::{Ready, ready};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::error::{ErrorBadRequest, ErrorServiceUnavailable};
use actix_web::web::ServiceConfig;
use actix_web::{Error, FromRequest, HttpRequest, HttpResponse, post};
use idempotency_actix::{Idempotency, KeyScope, NotExecuted, idempotent};
use idempotency_actix_tests::app::{Counter, FaultyStore, Gate, Site};
use idempotency_actix_tests::{Client, Request, assert_first, eventually};

/// How an extraction goes.
#[derive(Clone, Copy)]
enum Extraction {
    Succeeds,
    Fails,
    Panics,
}

/// What handlers borrow.
#[derive(Clone)]
struct Pool(Arc<PoolParts>);

struct PoolParts {
    lent: AtomicUsize,
    extractions: AtomicUsize,
    next: Mutex<Extraction>,
    /// What the first run waits at.
    gate: Gate,
}

impl Pool {
    fn new() -> Self {
        Self(Arc::new(PoolParts {
            lent: AtomicUsize::new(0),
            extractions: AtomicUsize::new(0),
            next: Mutex::new(Extraction::Succeeds),
            gate: Gate::closed(),
        }))
    }

    fn lent(&self) -> usize {
        self.0.lent.load(SeqCst)
    }

    fn extractions(&self) -> usize {
        self.0.extractions.load(SeqCst)
    }

    fn set_next(&self, extraction: Extraction) {
        *self.0.next.lock().unwrap() = extraction;
    }
}

/// One of the pool's connections, as an argument.
struct Lent(Pool);

impl FromRequest for Lent {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let pool = request.app_data::<Pool>().expect("a site with a pool");
        pool.0.extractions.fetch_add(1, SeqCst);
        let next = *pool.0.next.lock().unwrap();
        ready(match next {
            Extraction::Succeeds => {
                pool.0.lent.fetch_add(1, SeqCst);
                Ok(Self(pool.clone()))
            }
            Extraction::Fails => Err(ErrorBadRequest("no connection")),
            Extraction::Panics => panic!("the secret of the extractor"),
        })
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.0.0.lent.fetch_sub(1, SeqCst);
    }
}

/// The first run does not act, and says so at the gate.
#[post("/charges")]
#[idempotent]
async fn charge(runs: Counter, lent: Lent, body: String) -> Result<HttpResponse, Error> {
    let run = runs.next();
    if run == 1 {
        lent.0.0.gate.pass().await;
        return Err(NotExecuted::error(ErrorServiceUnavailable("later")));
    }
    Ok(HttpResponse::Created().body(format!("run {run}: {body}")))
}

/// A first request at the gate and a retry that waits.
struct Scene {
    site: Site,
    store: FaultyStore,
    pool: Pool,
    owner: Client,
    waiter: Client,
}

impl Scene {
    fn start() -> Self {
        let (store, pool) = (FaultyStore::default(), Pool::new());
        let layer = Idempotency::builder(store.clone(), KeyScope::everyone());
        let layer = layer.wait(Duration::from_secs(300)).build().unwrap();
        let lender = pool.clone();
        let routes = move |config: &mut ServiceConfig| {
            config.app_data(lender.clone()).service(charge);
        };
        let site = Site::new(layer, routes);
        let ask = || {
            let mut client = site.connect();
            client.send(&request());
            client
        };
        let owner = ask();
        eventually("a first run", || site.runs.count() == 1);
        let waiter = ask();
        eventually("a waiter", || store.listeners() == 1);
        Self {
            site,
            store,
            pool,
            owner,
            waiter,
        }
    }

    /// The first request gives its claim up.
    fn release(&mut self) {
        self.pool.0.gate.open();
        assert_eq!(self.owner.receive().status, 503);
    }

    /// Nothing stands in the way of another retry.
    fn assert_is_free(&self) {
        assert!(self.store.record(&self.store.id()).is_none());
        assert_eq!((self.pool.lent(), self.site.runs.count()), (0, 1));
        self.pool.set_next(Extraction::Succeeds);
        assert_first(&self.site.send(request()), 201, "run 2: 100 EUR");
        assert_eq!(self.site.runs.count(), 2);
    }
}

fn request() -> Request {
    Request::post("/charges").key("k").body("100 EUR")
}

#[test]
fn a_waiter_holds_no_arguments() {
    let scene = Scene::start();
    assert_eq!((scene.pool.extractions(), scene.pool.lent()), (2, 1));
}

#[test]
fn a_waiter_that_gets_the_claim_extracts_again() {
    let mut scene = Scene::start();
    scene.release();
    let answer = scene.waiter.receive();
    assert_first(&answer, 201, "run 2: 100 EUR");
    assert_eq!((scene.pool.extractions(), scene.site.runs.count()), (3, 2));
    eventually("an end of all loans", || scene.pool.lent() == 0);
}

#[test]
fn a_waiter_that_gets_a_replay_does_not_extract_again() {
    let mut scene = Scene::start();
    let mut second = scene.site.connect();
    second.send(&request());
    eventually("a second waiter", || scene.store.listeners() == 2);
    scene.release();
    let answers = [scene.waiter.receive(), second.receive()];
    assert!(answers.iter().any(|answer| answer.is_replay()));
    assert_eq!((scene.pool.extractions(), scene.site.runs.count()), (4, 2));
}

#[test]
fn a_second_extraction_that_fails_is_answered_and_releases_the_claim() {
    let mut scene = Scene::start();
    scene.pool.set_next(Extraction::Fails);
    scene.release();
    let answer = scene.waiter.receive();
    assert_first(&answer, 400, "no connection");
    scene.assert_is_free();
}

#[test]
fn a_second_extraction_that_panics_is_answered_and_releases_the_claim() {
    let mut scene = Scene::start();
    scene.pool.set_next(Extraction::Panics);
    scene.release();
    let answer = scene.waiter.receive();
    assert_first(&answer, 500, "Internal Server Error");
    scene.assert_is_free();
}
