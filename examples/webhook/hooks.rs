//! `/hooks`: where deliveries arrive.

use std::future::pending;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix_web::error::ErrorConflict;
use actix_web::rt::time::sleep;
use actix_web::{Error, HttpResponse, Responder, post, web};
use idempotency_actix::{Attempt, IdempotencyKey, NotExecuted, Recovery, idempotent};
use idempotency_actix_examples::cli;

use crate::delivery::{self, Delivery, Event};
use crate::invoices::{Invoices, Paid};

/// How often the handler ran.
#[derive(Debug, Default)]
pub(crate) struct Runs(AtomicU64);

impl Runs {
    fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// Marks an invoice as paid, once for each id.
#[post("/hooks")]
#[idempotent(
    required,
    key_header = "webhook-id",
    scope = delivery::provider,
    fingerprint = delivery::event,
    wait = "1s",
    recover = look_up
)]
pub(crate) async fn receive(
    invoices: web::Data<Invoices>,
    runs: web::Data<Runs>,
    id: IdempotencyKey,
    attempt: Attempt,
    delivery: web::Json<Delivery>,
) -> Result<impl Responder, Error> {
    let Event::InvoicePaid(event) = delivery.into_inner().event;
    let invoice = event.invoice.clone();
    let (id, generation) = (id.as_str(), attempt.generation());
    let run = runs.next();
    cli::say(&format!(
        "run {run}: {id} for {invoice}, generation {generation}"
    ));
    // Only a first attempt is lost, so that something comes of the next one.
    let is_lost = |when| generation == 1 && invoice == when;
    if invoice == "in_slow" {
        sleep(Duration::from_millis(500)).await;
    }
    if is_lost("in_lost_before") {
        sleep(Duration::from_secs(20)).await;
        cli::say(&format!("run {run}: wakes up"));
    }
    let paid = invoices.pay(id, generation, event).map_err(|fenced| {
        cli::say(&format!("run {run}: refused, {fenced}"));
        NotExecuted::error(ErrorConflict(fenced))
    })?;
    cli::say(&format!("run {run}: wrote {paid:?}"));
    if is_lost("in_lost_after") {
        cli::say(&format!("run {run}: will never answer"));
        pending::<()>().await;
    }
    Ok(answer(&paid))
}

/// Finds out what became of a run that was lost: its row is in the table, or will never be.
async fn look_up(invoices: web::Data<Invoices>, id: IdempotencyKey, attempt: Attempt) -> Recovery {
    let (id, generation) = (id.as_str(), attempt.generation());
    let found = invoices.fence(id, generation);
    let shut = format!("recovery: {id}, generations below {generation} are shut out");
    match found {
        Some(paid) => {
            cli::say(&format!("{shut}; found {paid:?}"));
            Recovery::Completed(answer(&paid))
        }
        None => {
            cli::say(&format!("{shut}; found nothing, so the handler runs"));
            Recovery::NotExecuted
        }
    }
}

/// The answer to a delivery, whether its run gives it or a recovery.
fn answer(paid: &Paid) -> HttpResponse {
    HttpResponse::Ok().json(paid)
}
