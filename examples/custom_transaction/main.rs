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

use std::error::Error as StdError;
use std::future::{Ready, ready};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use actix_web::dev::Payload;
use actix_web::error::ErrorInternalServerError;
use actix_web::{
    App, Error, FromRequest, HttpRequest, HttpResponse, HttpServer, Responder, post, web,
};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use idempotency_actix::{Idempotency, InTransaction, KeyScope, idempotent};
use idempotency_actix_sqlx::SqliteStore;
use idempotency_actix_sqlx::sqlx::{SqlitePool, raw_sql};

use crate::store::{DieselStore, Running};

diesel::table! {
    charges (id) { id -> Integer, cents -> BigInt, }
}

/// The transaction, as a handler takes it.
struct Tx(InTransaction<DieselStore>);

impl FromRequest for Tx {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let extracted = InTransaction::from_request(request, payload).into_inner();
        ready(extracted.map(Self))
    }
}

#[post("/charges")]
#[idempotent(required)]
async fn create_charge(mut tx: Tx, cents: web::Json<i64>) -> Result<impl Responder, Error> {
    let charge = diesel::insert_into(charges::table).values(charges::cents.eq(*cents));
    let made = charge
        .returning(charges::id)
        .get_result::<i32>(&mut tx.0.connection);
    let id = made.await.map_err(ErrorInternalServerError)?;
    Ok(match *cents {
        // What is refused is rolled back, and the refusal is replayed.
        ..0 => HttpResponse::UnprocessableEntity().body("not a price"),
        _ => HttpResponse::Created().body(format!("charge {id}")),
    })
}

async fn open(path: String) -> Result<DieselStore, Box<dyn StdError>> {
    let pool = SqlitePool::connect(&format!("sqlite:{path}?mode=rwc")).await?;
    let table =
        "CREATE TABLE IF NOT EXISTS charges (id INTEGER PRIMARY KEY, cents BIGINT NOT NULL)";
    raw_sql(table).execute(&pool).await?;
    let records = SqliteStore::new(pool);
    records.migrate().await?;
    Ok(DieselStore {
        records,
        path,
        running: Running::default(),
    })
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn StdError>> {
    let folder = tempfile::tempdir()?;
    let store = open(folder.path().join("charges.db").display().to_string()).await?;
    let idempotency = Idempotency::new(store, KeyScope::everyone());
    let server =
        HttpServer::new(move || App::new().wrap(idempotency.clone()).service(create_charge));
    let server = server.workers(2).bind(("127.0.0.1", 0))?;
    let address = server.addrs()[0];
    let server = server.run();
    let handle = server.handle();
    actix_web::rt::spawn(server);
    for (key, cents) in [
        ("first", "500"),
        ("first", "500"),
        ("second", "700"),
        ("second", "700"),
        ("third", "-1"),
        ("third", "-1"),
    ] {
        println!(
            "{key:>6}  {}",
            web::block(move || send(address, key, cents)).await??
        );
    }
    handle.stop(true).await;
    Ok(())
}

/// Sends a request, and tells of the answer.
fn send(address: SocketAddr, key: &str, cents: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    let length = cents.len();
    write!(
        stream,
        "POST /charges HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nidempotency-key: {key}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{cents}"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let is_replay = head.contains("idempotent-replayed: true");
    let (status, how) = (
        head.lines().next().unwrap_or(""),
        if is_replay { "replayed" } else { "first" },
    );
    Ok(format!("{status}: {body} ({how})"))
}
