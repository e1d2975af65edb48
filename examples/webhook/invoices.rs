//! The application's own table. A mutex stands in for the transactions of a database.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use actix_web::{Responder, get, web};
use serde::Serialize;

use crate::delivery::InvoicePaid;

/// An invoice that was marked as paid, by which delivery, and by which generation of its handling.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Paid {
    invoice: String,
    amount_cents: u64,
    delivery: String,
    generation: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Invoices(Mutex<Tables>);

#[derive(Debug, Default)]
struct Tables {
    paid: Vec<Paid>,
    /// The highest generation that was seen of a delivery; a lower one writes no more. The layer begins at
    /// 1 again once it has forgotten an id (`ttl`): a database would forget the fence by then.
    fences: BTreeMap<String, u64>,
}

impl Invoices {
    /// In one transaction: writes the row, unless a higher generation was seen.
    pub(crate) fn pay(
        &self,
        delivery: &str,
        generation: u64,
        event: InvoicePaid,
    ) -> Result<Paid, Fenced> {
        let mut tables = self.begin();
        let seen = tables.raise(delivery, generation);
        if seen > generation {
            return Err(Fenced { generation, seen });
        }
        let paid = Paid {
            invoice: event.invoice,
            amount_cents: event.amount_cents,
            delivery: delivery.to_owned(),
            generation,
        };
        tables.paid.push(paid.clone());
        Ok(paid)
    }

    /// In one transaction: shuts out the generations below that one, then looks. In two, a lost run could
    /// write its row in between.
    pub(crate) fn fence(&self, delivery: &str, generation: u64) -> Option<Paid> {
        let mut tables = self.begin();
        tables.raise(delivery, generation);
        let row = tables.paid.iter().find(|paid| paid.delivery == delivery);
        row.cloned()
    }

    fn begin(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    /// Notes that a generation was seen; returns the highest one.
    fn raise(&mut self, delivery: &str, generation: u64) -> u64 {
        let fence = self.fences.entry(delivery.to_owned()).or_default();
        *fence = generation.max(*fence);
        *fence
    }
}

/// A later attempt has the delivery.
#[derive(Debug)]
pub(crate) struct Fenced {
    generation: u64,
    seen: u64,
}

impl fmt::Display for Fenced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { generation, seen } = self;
        write!(f, "generation {seen} was seen, and this is {generation}")
    }
}

/// Lists what was paid.
#[get("/invoices")]
pub(crate) async fn list(invoices: web::Data<Invoices>) -> impl Responder {
    web::Json(invoices.begin().paid.clone())
}
