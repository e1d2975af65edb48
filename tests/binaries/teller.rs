//! One of several processes that serve a bank on one database, each charge in a transaction:
//! `teller <port of a server, or file> <records> <lease in seconds>`.
//!
//! It tells its address on its output, and then each run that has written, so that a test can kill it there. Below `/bare`
//! stand the same charges without the layer, in transactions by hand: what the layer is worth.

use std::env;
use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::web::{Data, scope};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, post};
use idempotency_actix::store::Store;
use idempotency_actix::{Idempotency, KeyScope, idempotent};
use idempotency_actix_sqlx::sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use idempotency_actix_sqlx::sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use idempotency_actix_sqlx::sqlx::{AssertSqlSafe, Executor, PgPool, SqlitePool, raw_sql};
use idempotency_actix_sqlx::{PgStore, PgTx, SqlError, SqliteStore, SqliteTx};

/// Where the effects go.
struct Charges(String);

fn header<'a>(request: &'a HttpRequest, name: &str) -> &'a str {
    let value = request.headers().get(name);
    value.and_then(|value| value.to_str().ok()).unwrap_or("")
}

/// Writes who it is into the effect and into its answer.
async fn charge<'c>(
    connection: impl Executor<'c>,
    request: HttpRequest,
    charges: Data<Charges>,
) -> Result<HttpResponse, SqlError> {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    let (table, key) = (&charges.0, header(&request, "idempotency-key"));
    let run = RUNS.fetch_add(1, Ordering::Relaxed);
    let by = format!("{}-{run}", std::process::id());
    let insert = format!("INSERT INTO {table} (note, run) VALUES ('{key}', '{by}')");
    connection.execute(raw_sql(AssertSqlSafe(insert))).await?;
    println!("{by}");
    let pause = header(&request, "x-pause-ms").parse().unwrap_or(0);
    actix_web::rt::time::sleep(Duration::from_millis(pause)).await;
    Ok(HttpResponse::Created().body(by))
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

#[post("/postgres")]
async fn bare_on_postgres(
    pool: Data<PgPool>,
    request: HttpRequest,
    charges: Data<Charges>,
) -> Result<HttpResponse, SqlError> {
    let mut tx = pool.begin().await?;
    let answer = charge(&mut *tx, request, charges).await?;
    tx.commit().await?;
    Ok(answer)
}

#[post("/sqlite")]
async fn bare_on_sqlite(
    pool: Data<SqlitePool>,
    request: HttpRequest,
    charges: Data<Charges>,
) -> Result<HttpResponse, SqlError> {
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
    let answer = charge(&mut *tx, request, charges).await?;
    tx.commit().await?;
    Ok(answer)
}

async fn serve<P: 'static + Clone + Send>(
    store: impl Store,
    pool: P,
    charges: String,
    lease: Duration,
) -> io::Result<()> {
    let layer = Idempotency::builder(store, KeyScope::everyone()).lease(lease);
    let layer = layer.build().expect("options that hold");
    let charges = Data::new(Charges(charges));
    let server = HttpServer::new(move || {
        let bank = scope("").wrap(layer.clone());
        let bare = scope("/bare").app_data(Data::new(pool.clone()));
        App::new()
            .app_data(charges.clone())
            .service(bare.service(bare_on_postgres).service(bare_on_sqlite))
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
    let [database, table, lease] = &arguments[..] else {
        panic!("teller <port of a server, or file> <records> <lease in seconds>");
    };
    let lease = Duration::from_secs(lease.parse().expect("a number of seconds"));
    let charges = format!("{table}_charges");
    match database.parse() {
        Ok(port) => {
            let options = PgConnectOptions::new_without_pgpass()
                .host("127.0.0.1")
                .port(port);
            let options = options.username("postgres").database("postgres");
            let options = options.application_name(table);
            let pool = PgPoolOptions::new().connect_lazy_with(options);
            let store = PgStore::builder(pool.clone())
                .table(table)
                .timeout(lease / 3);
            let store = store.build().expect("options that hold");
            serve(store, pool, charges, lease).await
        }
        Err(_) => {
            let options = SqliteConnectOptions::new().filename(database);
            let pool = SqlitePoolOptions::new().connect_lazy_with(options);
            let store = SqliteStore::builder(pool.clone())
                .table(table)
                .timeout(lease / 3);
            let store = store.build().expect("options that hold");
            serve(store, pool, charges, lease).await
        }
    }
}
