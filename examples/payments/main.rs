//! A small payment API whose charges happen once, however often a client sends them.
//!
//! Run it with `cargo run --example payments` and try the commands that it prints. The `source` of a
//! charge chooses what happens:
//!
//! | source | answer | a retry with the same key |
//! |---|---|---|
//! | `tok_visa`, or anything else | 201 | gets the same 201 |
//! | `tok_slow` | 201 after 3 seconds, also if the client hangs up | 409 meanwhile, then the same 201 |
//! | `tok_declined` | 402 | gets the same 402: the card is not asked again |
//! | `tok_unavailable` | 503, marked `NotExecuted` | runs: nothing was done |
//! | `tok_panic` | 500, from a panic after the charge | gets the same 500: the money is gone |

mod account;
mod charges;
mod exposition;
mod introduction;
mod ledger;
mod logs;
mod receipts;
mod stop;

use std::io;
use std::process::ExitCode;

use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};
use idempotency_actix::{Idempotency, KeyScope, MemoryStore};
use idempotency_actix_examples::cli;

#[actix_web::main]
async fn main() -> ExitCode {
    let about = "A small payment API, to try idempotency keys with.";
    cli::run("payments", about, Some(exposition::SWITCH), serve).await
}

async fn serve(asked: &cli::Asked) -> io::Result<()> {
    let exporter = exposition::start(asked)?;
    let ledger = web::Data::<ledger::Ledger>::default();
    let received = web::Data::<logs::Received>::default();
    let idempotency = Idempotency::new(MemoryStore::new(), KeyScope::by(account::principal));
    let stop = stop::drained(idempotency.clone());
    let server = HttpServer::new(move || {
        App::new()
            .app_data(ledger.clone())
            .app_data(received.clone())
            .wrap(idempotency.clone())
            // The last one that is wrapped runs first: who is calling is known before the key is read.
            .wrap(from_fn(account::authenticate))
            .app_data(exporter.clone())
            .wrap(from_fn(exposition::expose))
            .service(charges::create)
            .service(charges::list)
            .service(charges::show)
            .service(receipts::send)
            .service(logs::append)
    })
    .shutdown_signal(stop)
    .bind(&asked.bind)?;
    if let Some(address) = server.addrs().first() {
        introduction::introduce(*address);
    }
    server.run().await
}
