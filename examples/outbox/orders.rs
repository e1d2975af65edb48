//! The application: a handler that writes an order, and what is to be sent for it, in one transaction.

use std::error::Error;

use actix_web::error::ErrorConflict;
use actix_web::{App, HttpResponse, HttpServer, Responder, post, rt, web};
use idempotency_actix::{Idempotency, IdempotencyKey, KeyScope, idempotent};
use idempotency_actix_sqlx::sqlx::{self, SqlitePool};
use idempotency_actix_sqlx::{SqlError, SqliteStore, SqliteTx};
use serde::{Deserialize, Serialize};

use crate::processor::Charge;

const TABLES: &str = "
CREATE TABLE stock (item TEXT PRIMARY KEY, pieces INTEGER NOT NULL);
CREATE TABLE orders (id INTEGER PRIMARY KEY, item TEXT NOT NULL, cents INTEGER NOT NULL);
CREATE TABLE outbox (id INTEGER PRIMARY KEY, key TEXT NOT NULL, body TEXT NOT NULL, is_sent BOOLEAN NOT NULL);
INSERT INTO stock VALUES ('tea', 10), ('salt', 10), ('gold', 0);
";

#[derive(Deserialize, Serialize)]
pub(crate) struct Order {
    pub(crate) item: String,
    pub(crate) cents: u32,
}

#[derive(Deserialize, Serialize)]
pub(crate) struct Confirmation {
    pub(crate) order: i64,
}

/// Takes an order. Nothing is sent from here: a run that is rolled back must not have sent anything.
#[post("/orders")]
#[idempotent(required)]
async fn create(
    mut tx: SqliteTx,
    key: IdempotencyKey,
    order: web::Json<Order>,
) -> Result<impl Responder, SqlError> {
    let id: i64 =
        sqlx::query_scalar("INSERT INTO orders (item, cents) VALUES ($1, $2) RETURNING id")
            .bind(&order.item)
            .bind(order.cents)
            .fetch_one(&mut *tx)
            .await?;
    let charge = Charge {
        order: id,
        cents: order.cents,
    };
    // As it is sent each time: under one key, another body would be refused.
    let body = serde_json::to_string(&charge).map_err(actix_web::Error::from)?;
    // Not the customer's key itself: another customer may have chosen the same one.
    sqlx::query("INSERT INTO outbox (key, body, is_sent) VALUES ($1, $2, false)")
        .bind(key.derive("processor"))
        .bind(body)
        .execute(&mut *tx)
        .await?;
    let taken = sqlx::query("UPDATE stock SET pieces = pieces - 1 WHERE item = $1 AND pieces > 0")
        .bind(&order.item)
        .execute(&mut *tx)
        .await?;
    if taken.rows_affected() == 0 {
        // Order and outbox are rolled back.
        return Err(SqlError::own(ErrorConflict("out of stock")));
    }
    Ok(HttpResponse::Created().json(Confirmation { order: id }))
}

/// Serves on a free port; returns the URL.
pub(crate) async fn serve(pool: SqlitePool) -> Result<String, Box<dyn Error>> {
    let store = SqliteStore::new(pool.clone());
    store.migrate().await?;
    sqlx::raw_sql(TABLES).execute(&pool).await?;
    // One customer owns all keys here. A service with accounts scopes by account: see `payments`.
    let idempotency = Idempotency::new(store, KeyScope::everyone());
    let server = HttpServer::new(move || App::new().wrap(idempotency.clone()).service(create));
    let server = server.workers(1).disable_signals().bind("127.0.0.1:0")?;
    let url = format!("http://{}", server.addrs()[0]);
    rt::spawn(server.run());
    Ok(url)
}

/// What the orders that were taken must be charged.
pub(crate) async fn charges(pool: &SqlitePool) -> Result<Vec<Charge>, sqlx::Error> {
    let rows: Vec<(i64, u32)> = sqlx::query_as("SELECT id, cents FROM orders ORDER BY id")
        .fetch_all(pool)
        .await?;
    let charge = |(order, cents)| Charge { order, cents };
    Ok(rows.into_iter().map(charge).collect())
}
