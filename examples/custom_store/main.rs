//! A store of your own: records on an embedded database, by load and save alone.
//!
//! Run it with `cargo run --example custom_store --features redb` and try the commands that it prints. Stop it, start it again,
//! and send the same key once more.

mod store;
#[cfg(test)]
mod tests;

use std::collections::hash_map::RandomState;
use std::env;
use std::hash::BuildHasher;
use std::io;
use std::process::ExitCode;

use actix_web::{App, HttpResponse, HttpServer, Responder, post};
use idempotency_actix::{Clock, Idempotency, KeyScope, idempotent};
use idempotency_actix_examples::cli;

use crate::store::RedbStore;

/// Hands out a ticket, by whose number one sees whether it is another one.
#[post("/tickets")]
#[idempotent(required)]
async fn create_ticket() -> impl Responder {
    let number = RandomState::new().hash_one(()) % 1_000_000;
    HttpResponse::Created().body(format!("ticket {number:06}\n"))
}

#[actix_web::main]
async fn main() -> ExitCode {
    let about = "Tickets, each handed out once for a key, also after a restart.";
    cli::run("custom_store", about, serve).await
}

async fn serve(asked: &cli::Asked) -> io::Result<()> {
    let path = env::temp_dir().join("idempotency-custom-store.redb");
    let store = RedbStore::open(&path, Clock::monotonic()).map_err(io::Error::other)?;
    let idempotency = Idempotency::new(store, KeyScope::everyone());
    let server =
        HttpServer::new(move || App::new().wrap(idempotency.clone()).service(create_ticket));
    let server = server.workers(2).bind(&asked.bind)?;
    if let Some(address) = server.addrs().first() {
        let url = cli::url(*address);
        cli::say(&format!(
            "Listening on {url}, with records in {}.
Take a ticket twice, with one key; stop this with Ctrl-C, start it again, and take it once more:

  curl -i -X POST '{url}/tickets' -H 'Idempotency-Key: visitor-1'
",
            path.display()
        ));
    }
    server.run().await
}
