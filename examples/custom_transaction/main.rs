//! A store of transactions for another driver than sqlx: a handler's effect, its record and its answer commit together, in
//! a transaction of Diesel's.
//!
//! Run it with `cargo run --example custom_transaction --features diesel`: it sends each request twice, prints what came, and ends.

#![expect(
    missing_docs,
    reason = "`diesel::table!` makes public items without any"
)]

mod store;
#[cfg(test)]
mod tests;
mod transaction;

use std::error::Error as StdError;

use actix_web::error::ErrorInternalServerError;
use actix_web::{App, Error, HttpResponse, HttpServer, Responder, post, web};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use idempotency_actix::{Idempotency, InTransaction, KeyScope, idempotent};

use crate::store::DieselStore;

diesel::table! {
    charges (id) { id -> Integer, cents -> BigInt, }
}

#[post("/charges")]
#[idempotent(required)]
async fn create_charge(
    mut tx: InTransaction<DieselStore>,
    cents: web::Json<i64>,
) -> Result<impl Responder, Error> {
    let charge = diesel::insert_into(charges::table).values(charges::cents.eq(*cents));
    let made = charge.returning(charges::id);
    let made = made.get_result::<i32>(&mut tx.connection).await;
    let id = made.map_err(ErrorInternalServerError)?;
    Ok(match *cents {
        // What is refused is rolled back, and the refusal is replayed.
        ..0 => HttpResponse::UnprocessableEntity().body("not a price"),
        _ => HttpResponse::Created().body(format!("charge {id}")),
    })
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn StdError>> {
    let folder = tempfile::tempdir()?;
    let store = DieselStore::open(&folder.path().join("charges.db").display().to_string())?;
    let table = "CREATE TABLE charges (id INTEGER PRIMARY KEY, cents BIGINT NOT NULL)";
    store.connect()?.batch_execute(table)?;
    let idempotency = Idempotency::new(store, KeyScope::everyone());
    let server =
        HttpServer::new(move || App::new().wrap(idempotency.clone()).service(create_charge));
    let server = server.workers(2).bind(("127.0.0.1", 0))?;
    let url = format!("http://{}/charges", server.addrs()[0]);
    let server = server.run();
    let handle = server.handle();
    actix_web::rt::spawn(server);
    for (key, cents) in [("first", 500), ("second", 700), ("third", -1)] {
        for _ in 0..2 {
            let request = awc::Client::new()
                .post(&url)
                .insert_header(("Idempotency-Key", key));
            let mut answer = request.send_json(&cents).await?;
            let is_replay = answer.headers().contains_key("idempotent-replayed");
            let how = if is_replay { "replayed" } else { "first" };
            let body = String::from_utf8(answer.body().await?.to_vec())?;
            println!("{key:>6}  {}: {body} ({how})", answer.status());
        }
    }
    handle.stop(true).await;
    Ok(())
}
