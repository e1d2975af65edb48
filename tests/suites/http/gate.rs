//! What stands right before a handler: a claim that is known to be lost starts nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::error::ErrorServiceUnavailable;
use actix_web::{App, Error, FromRequest, HttpRequest, HttpResponse, post};
use futures_util::future::LocalBoxFuture;
use idempotency_actix::{Idempotency, KeyScope, NotExecuted, idempotent};
use idempotency_actix_tests::{Client, Request, assert_problem, eventually};

use idempotency_actix_tests::app::{Call, Counter, Fault, FaultyStore, Gate, Site};

/// An argument whose third extraction takes as long as the test wants: that of a waiter which has its claim.
#[derive(Clone)]
struct Slow {
    extractions: Arc<AtomicU32>,
    gate: Gate,
}

impl FromRequest for Slow {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let slow: Self = request.app_data::<Self>().expect("one to lend").clone();
        Box::pin(async move {
            if slow.extractions.fetch_add(1, SeqCst) == 2 {
                slow.gate.pass().await;
            }
            Ok(slow)
        })
    }
}

#[post("/gated")]
#[idempotent]
async fn gated(runs: Counter, gate: Gate, _slow: Slow) -> Result<HttpResponse, Error> {
    if runs.next() == 1 {
        gate.pass().await;
        return Err(NotExecuted::error(ErrorServiceUnavailable("later")));
    }
    Ok(HttpResponse::Created().finish())
}

#[test]
fn a_waiter_that_loses_its_claim_while_it_extracts_again_starts_nothing() {
    let store = FaultyStore::default();
    let layer = Idempotency::builder(store.clone(), KeyScope::everyone());
    let layer = layer
        .lease(Duration::from_millis(600))
        .wait(Duration::from_secs(60))
        .max_in_flight(1);
    let layer = layer.build().unwrap();
    let (first, slow) = (
        Gate::closed(),
        Slow {
            extractions: Arc::default(),
            gate: Gate::closed(),
        },
    );
    let (at_first, lent) = (first.clone(), slow.clone());
    let site = Site::serve(move |runs| {
        let app = App::new().app_data(runs).app_data(at_first.clone());
        app.app_data(lent.clone())
            .wrap(layer.clone())
            .service(gated)
    });
    let request = Request::post("/gated").key("lost");
    let mut owner = Client::connect(site.addr());
    owner.send(&request);
    first.wait();
    let mut waiter = Client::connect(site.addr());
    waiter.send(&request);
    while slow.extractions.load(SeqCst) < 2 {
        std::thread::yield_now();
    }
    first.let_one_through();
    assert_eq!(owner.receive().status, 503);
    slow.gate.wait();
    store.always(Call::Renew, Fault::Lost);
    // The seat is given up with it.
    eventually("a claim that is lost", || {
        site.send(Request::post("/gated").key("other")).status != 429
    });
    slow.gate.let_one_through();
    assert_problem(&waiter.receive(), 409, "in-flight");
    assert_eq!(site.runs.count(), 2);
}
