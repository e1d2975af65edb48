//! The application on PostgreSQL: a handler whose writes commit with its answer.

use std::error::Error;

use actix_web::error::ErrorPaymentRequired;
use actix_web::{App, HttpResponse, HttpServer, Responder, get, post, web};
use idempotency_actix::{Idempotency, KeyScope, idempotent};
use idempotency_actix_sqlx::sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use idempotency_actix_sqlx::sqlx::{self, ConnectOptions, PgPool};
use idempotency_actix_sqlx::{PgStore, PgTx, SqlError};

use crate::cli::Keys;
use crate::server;
use crate::transfer::{Books, CREDIT_CENTS, TABLES, Transfer};

/// Books a transfer: its row and both accounts commit together with the answer, or none of them.
#[post("/transfers")]
#[idempotent(wait = "1s")]
async fn create(mut tx: PgTx, transfer: web::Json<Transfer>) -> Result<impl Responder, SqlError> {
    sqlx::query(
        "INSERT INTO transfers (reference, debtor, creditor, cents) VALUES ($1, $2, $3, $4)",
    )
    .bind(&transfer.reference)
    .bind(&transfer.debtor)
    .bind(&transfer.creditor)
    .bind(i64::from(transfer.cents))
    .execute(&mut *tx)
    .await?;
    for (account, cents) in transfer.entries() {
        let balance: i64 = sqlx::query_scalar(
            "INSERT INTO accounts (name, cents) VALUES ($1, $2)
             ON CONFLICT (name) DO UPDATE SET cents = accounts.cents + excluded.cents
             RETURNING cents",
        )
        .bind(account)
        .bind(cents)
        .fetch_one(&mut *tx)
        .await?;
        if balance < -CREDIT_CENTS {
            // Rolls back what is written above. The refusal stays: each retry is told the same.
            let refusal = format!("{account} has not so much");
            return Err(SqlError::own(ErrorPaymentRequired(refusal)));
        }
    }
    Ok(HttpResponse::Created().json(transfer))
}

/// Shows what was booked of the references that begin so.
#[get("/books/{beginning}")]
async fn books(
    pool: web::Data<PgPool>,
    beginning: web::Path<String>,
) -> Result<impl Responder, SqlError> {
    let sum_cents = sqlx::query_scalar("SELECT coalesce(sum(cents), 0)::bigint FROM accounts")
        .fetch_one(&**pool)
        .await?;
    let booked: Vec<(String, i64)> = sqlx::query_as(
        "SELECT reference, count(*) FROM transfers WHERE reference LIKE $1 || '%' GROUP BY reference",
    )
    .bind(&*beginning)
    .fetch_all(&**pool)
    .await?;
    Ok(web::Json(Books {
        sum_cents,
        booked: booked.into_iter().collect(),
    }))
}

/// Serves until its starter is gone.
pub(crate) async fn serve(url: &str, keys: Keys) -> Result<(), Box<dyn Error>> {
    // The store takes these options from the pool, so that its table is in this schema, too.
    let options: PgConnectOptions = url.parse()?;
    let options = options.options([("search_path", "ledger_example")]);
    let mut connection = options.connect().await?;
    sqlx::raw_sql("CREATE SCHEMA IF NOT EXISTS ledger_example")
        .execute(&mut connection)
        .await?;
    let pool = PgPoolOptions::new().connect_lazy_with(options);
    let store = PgStore::new(pool.clone());
    store.migrate().await?;
    sqlx::raw_sql(TABLES).execute(&pool).await?;
    // One client owns all keys here. A service with accounts scopes by account: see `payments`.
    let idempotency = Idempotency::builder(store, KeyScope::everyone())
        .required(keys == Keys::Required)
        .build()?;
    let server = HttpServer::new(move || {
        App::new()
            .app_data(web::Data::new(pool.clone()))
            .wrap(idempotency.clone())
            .service(create)
            .service(books)
    });
    let server = server.workers(2).bind(("127.0.0.1", 0))?;
    server::announce(&server.addrs());
    Ok(server.run().await?)
}
