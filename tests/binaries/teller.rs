//! One of several processes that serve a bank on one database, each charge in a transaction: `teller <database> <records>`.
//!
//! It tells its address on its output, and then each run that has written, so that a test can kill it there.

use std::env;
use std::io::{self, Write};
use std::time::Duration;

use actix_web::web::{Data, scope};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, post};
use idempotency_actix::store::Store;
use idempotency_actix::{Idempotency, KeyScope, idempotent};
use idempotency_actix_sqlx::sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use idempotency_actix_sqlx::sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use idempotency_actix_sqlx::sqlx::{AssertSqlSafe, Executor, raw_sql};
use idempotency_actix_sqlx::{PgStore, PgTx, SqlError, SqliteStore, SqliteTx};

/// An owner that does nothing for so long has lost its transaction, on a server.
const LEASE: Duration = Duration::from_secs(3);

/// Where the effects go.
struct Charges(String);

fn header<'a>(request: &'a HttpRequest, name: &str) -> &'a str {
    let value = request.headers().get(name);
    value.and_then(|value| value.to_str().ok()).unwrap_or("")
}

async fn charge<'c>(
    connection: impl Executor<'c>,
    request: HttpRequest,
    charges: Data<Charges>,
) -> Result<HttpResponse, SqlError> {
    let (table, key) = (&charges.0, header(&request, "idempotency-key"));
    let insert = format!("INSERT INTO {table} (note) VALUES ('{key}')");
    connection.execute(raw_sql(AssertSqlSafe(insert))).await?;
    println!("written {key}");
    let pause = header(&request, "x-pause-ms").parse().unwrap_or(0);
    actix_web::rt::time::sleep(Duration::from_millis(pause)).await;
    let by = std::process::id();
    Ok(HttpResponse::Created().body(format!("{key} by {by}")))
}

#[post("/postgres")]
#[idempotent(required)]
async fn on_postgres(
    mut tx: PgTx,
    request: HttpRequest,
    charges: Data<Charges>,
) -> Result<HttpResponse, SqlError> {
    charge(&mut *tx, request, charges).await
}

#[post("/sqlite")]
#[idempotent(required)]
async fn on_sqlite(
    mut tx: SqliteTx,
    request: HttpRequest,
    charges: Data<Charges>,
) -> Result<HttpResponse, SqlError> {
    charge(&mut *tx, request, charges).await
}

async fn serve(store: impl Store, charges: String) -> io::Result<()> {
    let layer = Idempotency::builder(store, KeyScope::everyone()).lease(LEASE);
    let layer = layer.build().expect("options that hold");
    let charges = Data::new(Charges(charges));
    let server = HttpServer::new(move || {
        let bank = scope("").wrap(layer.clone());
        App::new()
            .app_data(charges.clone())
            .service(bank.service(on_postgres).service(on_sqlite))
    });
    let server = server.workers(2).bind(("127.0.0.1", 0))?;
    println!("{}", server.addrs()[0]);
    io::stdout().flush()?;
    server.run().await
}

#[actix_web::main]
async fn main() -> io::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [database, table] = &arguments[..] else {
        panic!("teller <port of a server, or file> <table>");
    };
    let charges = format!("{table}_charges");
    match database.parse() {
        Ok(port) => {
            let options = PgConnectOptions::new_without_pgpass()
                .host("127.0.0.1")
                .port(port);
            let options = options.username("postgres").database("postgres");
            let store = PgStore::builder(PgPoolOptions::new().connect_lazy_with(options));
            serve(
                store.table(table).build().expect("options that hold"),
                charges,
            )
            .await
        }
        Err(_) => {
            let options = SqliteConnectOptions::new().filename(database);
            let store = SqliteStore::builder(SqlitePoolOptions::new().connect_lazy_with(options));
            serve(
                store.table(table).build().expect("options that hold"),
                charges,
            )
            .await
        }
    }
}
