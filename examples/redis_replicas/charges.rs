//! The routes of a replica. Nothing in here knows of Redis.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix_web::rt::time::sleep;
use actix_web::{HttpResponse, Responder, get, post, web};
use idempotency_actix::{IdempotencyKey, idempotent};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Order {
    pub(crate) amount_cents: u64,
    pub(crate) takes_ms: u64,
}

#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Charge {
    pub(crate) id: String,
    amount_cents: u64,
}

/// How often this replica ran the handler, by key.
#[derive(Debug)]
pub(crate) struct Runs {
    replica: &'static str,
    counts: Mutex<BTreeMap<String, usize>>,
}

/// Charges a card, once for each key, whichever replica gets the request.
#[post("/charges")]
#[idempotent(ttl = "10m", required)]
pub(crate) async fn create(
    runs: web::Data<Runs>,
    key: IdempotencyKey,
    order: web::Json<Order>,
) -> impl Responder {
    let number = runs.count(&key);
    sleep(Duration::from_millis(order.takes_ms)).await;
    HttpResponse::Created().json(Charge {
        id: format!("ch_{}{number}", runs.replica),
        amount_cents: order.amount_cents,
    })
}

/// Shows the counts.
#[get("/runs")]
pub(crate) async fn show_runs(runs: web::Data<Runs>) -> impl Responder {
    HttpResponse::Ok().json(&*runs.lock())
}

impl Runs {
    pub(crate) fn new(replica: &'static str) -> Self {
        Self {
            replica,
            counts: Mutex::default(),
        }
    }

    /// Counts a run; returns how many there were, of all keys.
    fn count(&self, key: &IdempotencyKey) -> usize {
        let mut counts = self.lock();
        *counts.entry(key.as_str().to_owned()).or_default() += 1;
        counts.values().sum()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
