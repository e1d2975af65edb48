//! `/logs`: a route that is not marked, so a key changes nothing and every request counts.

use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::{Responder, post, web};
use idempotency_actix_examples::cli;

#[derive(Debug, Default)]
pub(crate) struct Received(AtomicU64);

/// Takes a line of any text.
#[post("/logs")]
pub(crate) async fn append(received: web::Data<Received>, line: String) -> impl Responder {
    let count = received.0.fetch_add(1, Ordering::Relaxed) + 1;
    cli::say(&format!("ran: log line {count}, {} bytes", line.len()));
    format!("line {count}\n")
}
