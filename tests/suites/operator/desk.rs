//! An application whose outcomes were lost: its owner's sign of life ended, on a clock that the test moves.

use std::ops::Deref;
use std::time::Duration;

use actix_web::http::Method;
use actix_web::rt::System;
use actix_web::{App, HttpResponse, Responder, guard, post, web};
use idempotency_actix::store::{Page, RecordId, StoreError};
use idempotency_actix::{Caller, Clock, Idempotency, KeyScope, MemoryStore, idempotent};
use idempotency_actix_tests::app::{Call, Counter, DOWN, FaultyStore, Gate, Site};
use idempotency_actix_tests::{Request, Response};

/// Short enough that half of it may pass in a test.
const LEASE: Duration = Duration::from_millis(200);

#[post("/accounts/{account}/charges")]
#[idempotent]
async fn charge(gate: web::Data<Gate>, runs: Counter) -> impl Responder {
    let run = runs.next();
    gate.pass().await;
    HttpResponse::Created().body(run.to_string())
}

pub struct Desk {
    site: Site,
    pub layer: Idempotency,
    pub store: FaultyStore,
    pub gate: Gate,
    clock: Clock,
}

impl Deref for Desk {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}

impl Desk {
    pub fn new() -> Self {
        let clock = Clock::manual();
        let memory = MemoryStore::builder().clock(clock.clone()).build();
        let store = FaultyStore::new(memory);
        let layer = Idempotency::builder(store.clone(), KeyScope::header("x-account"))
            .lease(LEASE)
            .operator_label(|request| {
                let order = request.headers().get("x-order")?;
                Some(order.to_str().ok()?.to_owned())
            });
        let layer = layer.build().expect("options that can hold");
        let gate = Gate::closed();
        let (data, of_app) = (web::Data::new(gate.clone()), layer.clone());
        let site = Site::serve(move |runs| {
            let is_operator = guard::Header("x-operator", "yes");
            let page = of_app.operator_page(is_operator);
            App::new()
                .app_data(runs)
                .app_data(data.clone())
                .wrap(of_app.clone())
                .service(charge)
                .service(web::scope("/ops").service(page))
        });
        Self {
            site,
            layer,
            store,
            gate,
            clock,
        }
    }

    pub fn request(key: &str) -> Request {
        Request::post("/accounts/7/charges")
            .header("x-account", "ada")
            .key(key)
    }

    pub fn id(key: &str) -> RecordId {
        let caller = Caller::header("ada");
        RecordId::of(&caller, &Method::POST, "/accounts/7/charges", key)
    }

    /// Starts a run whose process is gone: its client left, and its renewals fail.
    pub fn lose(&self, key: &str) {
        self.lose_request(&Self::request(key));
    }

    pub fn lose_request(&self, request: &Request) {
        self.store.always(Call::Renew, DOWN);
        let mut client = self.site.connect();
        client.send(request);
        self.gate.wait();
        self.clock.advance(LEASE);
        client.reset();
    }

    /// A page as an operator gets it.
    pub fn page(&self, path: &str) -> Response {
        let request = Request::new(Method::GET, &format!("/ops{path}"));
        self.site.send(request.header("x-operator", "yes"))
    }

    pub fn unknown(&self) -> Result<Page, StoreError> {
        System::new().block_on(self.layer.unknown_outcomes(None, 10))
    }
}
