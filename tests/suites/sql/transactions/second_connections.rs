//! Handlers in a transaction that take a second connection, from the application's own pool.

use std::time::{Duration, Instant};

use actix_web::web::Data;
use actix_web::{App, HttpResponse, post};
use idempotency_actix::{Idempotency, KeyScope, idempotent};
use idempotency_actix_sqlx::sqlx::{self, ConnectOptions, Executor, PgPool, raw_sql};
use idempotency_actix_sqlx::{PgStore, PgTx, SqlError};
use idempotency_actix_tests::app::{Counter, Site};
use idempotency_actix_tests::postgres::PgServer;
use idempotency_actix_tests::{Client, Request};

use crate::http::now;
use crate::records::AMPLE;

const COUNT: &str = "UPDATE counters SET value = value + 1 WHERE name = $1";

async fn count_twice(
    mut tx: PgTx,
    pool: Data<PgPool>,
    beside: &str,
) -> Result<HttpResponse, SqlError> {
    sqlx::query(COUNT).bind("inside").execute(&mut *tx).await?;
    sqlx::query(COUNT).bind(beside).execute(&**pool).await?;
    Ok(HttpResponse::Created().finish())
}

#[post("/another-row")]
#[idempotent]
async fn another_row(
    tx: PgTx,
    pool: Data<PgPool>,
    runs: Counter,
) -> Result<HttpResponse, SqlError> {
    runs.next();
    count_twice(tx, pool, "beside").await
}

#[post("/same-row")]
#[idempotent(transaction_runs = 1)]
async fn same_row(tx: PgTx, pool: Data<PgPool>, runs: Counter) -> Result<HttpResponse, SqlError> {
    runs.next();
    count_twice(tx, pool, "inside").await
}

/// With one connection in the application's pool, and so many for transactions; and what a counter says.
fn site(lease: Duration, connections: usize) -> (Site, impl Fn(&str) -> i64) {
    let server = PgServer::shared();
    let table = server.fresh_name();
    now(server.execute(&format!("CREATE DATABASE {table}")));
    let options = server.options().database(&table);
    let (pool, layer) = now(async {
        let pool = server.pool_with(1, options.clone());
        let store = PgStore::builder(pool.clone()).connections(connections);
        let store = store.timeout(lease / 3).build().expect("options that hold");
        store.migrate().await.expect("a table");
        let layer = Idempotency::builder(store, KeyScope::everyone()).lease(lease);
        let mut connection = options.connect().await.expect("a connection");
        let sql = "CREATE TABLE counters (name text, value bigint); \
            INSERT INTO counters VALUES ('inside', 0), ('beside', 0)";
        connection.execute(raw_sql(sql)).await.expect("a table");
        (pool, layer.build().expect("options that hold"))
    });
    let site = Site::serve(move |runs| {
        App::new()
            .app_data(runs)
            .app_data(Data::new(pool.clone()))
            .wrap(layer.clone())
            .service(another_row)
            .service(same_row)
    });
    let value = move |name: &str| {
        now(async {
            let mut connection = options.connect().await.expect("a connection");
            let query = sqlx::query_scalar("SELECT value FROM counters WHERE name = $1");
            let value = query.bind(name).fetch_one(&mut connection).await;
            value.expect("a counter")
        })
    };
    (site, value)
}

#[test]
fn handlers_share_a_pool_of_one_connection_which_is_none_of_their_transactions() {
    let (site, value) = site(3 * AMPLE, 4);
    let ask = |key: usize| {
        let mut client = site.connect();
        client.send(&Request::post("/another-row").key(&key.to_string()));
        client
    };
    let clients: Vec<_> = (0..8).map(ask).collect();
    for answer in clients.into_iter().map(|mut it: Client| it.receive()) {
        assert_eq!(answer.status, 201, "{answer:?}");
    }
    assert_eq!((value("inside"), value("beside")), (8, 8));
}

#[test]
fn who_waits_for_a_row_of_its_own_transaction_is_ended_after_the_lease_and_told_no_success() {
    let lease = Duration::from_secs(3);
    let (site, value) = site(lease, 1);
    let asked = Instant::now();
    let answer = site.send(Request::post("/same-row").key("k"));
    assert!(asked.elapsed() >= lease, "{:?}", asked.elapsed());
    assert!(answer.status >= 500, "{answer:?}");
    // What was written beside the transaction stays.
    let runs = i64::try_from(site.runs.count()).expect("a count");
    assert_eq!(value("inside"), runs);
}
