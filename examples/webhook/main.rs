//! A receiver of webhooks: deliveries that come twice, at once, and after a run that was lost.
//!
//! Run it with `cargo run --example webhook`, try the commands that it prints, and see on its console what
//! ran. The invoice of an event chooses what happens:
//!
//! | invoice | the first delivery | another delivery of the same event |
//! |---|---|---|
//! | `in_1`, or anything else | 200, the invoice is paid | gets the same 200, though its `sent_at` differs |
//! | `in_slow` | 200 after half a second | waits, then gets the same 200 |
//! | `in_lost_after` | pays, then never answers, as if its process had died | 409 until that run is taken for dead, then 200: the recovery found its row |
//! | `in_lost_before` | hangs for 20 seconds before it pays | 409 until that run is taken for dead; the recovery finds no row, and this delivery pays, as generation 2. The first run wakes up and is refused |
//!
//! A run is taken for dead when its claim has not been renewed for a lease, 3 seconds here, and then for
//! half a lease more, counted from the first delivery that finds it so. Renewal stops after `max_run`, which
//! is 3 seconds, too. A real application has longer ones: short ones take a paused process for dead.
//!
//! | file | what it is |
//! |---|---|
//! | `hooks.rs` | the handler, and the recovery that finds out what became of a lost run |
//! | `delivery.rs` | what is delivered, whose it is, and what of it counts |
//! | `invoices.rs` | the application's own table, where an effect is written once |
//! | `introduction.rs` | the commands to try |
//!
//! # Signatures
//!
//! A real receiver verifies the provider's signature. That belongs into an extractor, which takes the body
//! in place of `web::Json<Delivery>` here. A handler's arguments are extracted before its key is claimed, and
//! for every delivery, also where a replay will answer it: a forged one neither binds a key nor gets an
//! answer. The fingerprint must not cover the signature, which is made over the time of a delivery: the
//! second one would have another, and be told 422 `key-reused`.

mod delivery;
mod hooks;
mod introduction;
mod invoices;

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use actix_web::{App, HttpRequest, HttpServer, web};
use idempotency_actix::{Idempotency, KeyScope, MemoryStore};
use idempotency_actix_examples::cli;

/// How long a run is believed alive without a sign of life.
const LEASE: Duration = Duration::from_secs(3);

#[actix_web::main]
async fn main() -> ExitCode {
    let about = "A receiver of webhooks, to try deliveries with that come more than once.";
    cli::run("webhook", about, serve).await
}

async fn serve(asked: &cli::Asked) -> io::Result<()> {
    let invoices = web::Data::<invoices::Invoices>::default();
    let runs = web::Data::<hooks::Runs>::default();
    let idempotency = Idempotency::builder(MemoryStore::new(), KeyScope::by(account))
        .lease(LEASE)
        // A dead process renews nothing. This one lives, and would renew a lost claim for ten leases.
        .max_run(LEASE)
        .build()
        .map_err(io::Error::other)?;
    let server = HttpServer::new(move || {
        App::new()
            .app_data(invoices.clone())
            .app_data(runs.clone())
            .wrap(idempotency.clone())
            .service(hooks::receive)
            .service(invoices::list)
    })
    .bind(&asked.bind)?;
    if let Some(address) = server.addrs().first() {
        introduction::introduce(*address);
    }
    server.run().await
}

/// Who signed in, for all other routes. A provider never does: its route has a scope of its own.
fn account(_: &HttpRequest) -> Option<String> {
    None
}
