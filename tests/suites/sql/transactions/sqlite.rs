//! A bank in a file of SQLite's, and what is different there.

use actix_web::App;
use actix_web::web::Data;
use idempotency_actix::{Idempotency, KeyScope};
use idempotency_actix_sqlx::SqliteStore;
use idempotency_actix_sqlx::sqlx::error::{DatabaseError, ErrorKind};
use idempotency_actix_sqlx::sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use idempotency_actix_sqlx::sqlx::{
    self, AssertSqlSafe, Row, SqliteConnection, SqlitePool, raw_sql,
};
use idempotency_actix_tests::app::{Gate, Site};
use idempotency_actix_tests::{assert_first, assert_in_flight, assert_replay, incidents};
use tempfile::TempDir;

use super::bank::{Bank, Charges, asking, request};
use crate::http::now;
use crate::records::AMPLE;

bank!(
    on_sqlite,
    idempotency_actix_sqlx::SqliteTx,
    "INSERT OR ROLLBACK INTO one VALUES (1)",
    super::undone
);

/// `SQLITE_BUSY`, as another connection of the handler's would meet it.
#[derive(Debug)]
struct Busy;

impl std::fmt::Display for Busy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("database is locked")
    }
}

impl std::error::Error for Busy {}

impl DatabaseError for Busy {
    fn message(&self) -> &str {
        "database is locked"
    }

    fn code(&self) -> Option<std::borrow::Cow<'_, str>> {
        Some("261".into())
    }

    fn as_error(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn std::error::Error + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn std::error::Error + Send + Sync + 'static> {
        self
    }

    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

async fn undone(_: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    Err(sqlx::Error::Database(Box::new(Busy)))
}

const TABLES: &str = "CREATE TABLE traps (code TEXT PRIMARY KEY); INSERT INTO traps VALUES (''); \
    CREATE TABLE one (id INTEGER PRIMARY KEY); INSERT INTO one VALUES (1); \
    CREATE TABLE charges (id INTEGER PRIMARY KEY, note TEXT, run INT, \
        trap TEXT REFERENCES traps (code) DEFERRABLE INITIALLY DEFERRED)";

pub(super) fn bank() -> Bank {
    let folder = TempDir::with_prefix("sqlite-").expect("a folder for temporary files");
    let options = SqliteConnectOptions::new()
        .filename(folder.path().join("bank.db"))
        .create_if_missing(true);
    let pool = || SqlitePoolOptions::new().connect_lazy_with(options.clone());
    let store = now(async {
        let pool = pool();
        raw_sql(TABLES).execute(&pool).await.expect("tables");
        let store = SqliteStore::builder(pool).timeout(AMPLE).build();
        let store = store.expect("options that hold");
        store.migrate().await.expect("a table");
        store
    });
    let build = |store: SqliteStore| {
        let built = Idempotency::builder(store, KeyScope::everyone()).lease(3 * AMPLE);
        built.max_response(4_000).window_header("x-window")
    };
    let layers = [
        build(store.clone()),
        build(store.clone()).wait(AMPLE),
        build(store).max_in_flight(1),
    ];
    let layers = layers.map(|layer| layer.build().expect("options that hold"));
    let layer = layers[0].clone();
    let gate = Gate::closed();
    let kept = gate.clone();
    let site = Site::serve(move |runs| {
        App::new()
            .app_data(runs)
            .app_data(kept.clone())
            .app_data(Data::new(Charges("charges".to_owned())))
            .configure(|config| on_sqlite::scopes(config, layers.clone()))
    });
    let number = move |sql: String| now(async { number(&options, &sql).await });
    let (counted, records) = (number.clone(), number);
    Bank {
        site,
        gate,
        layer,
        counted: Box::new(move |note| {
            // The folder goes with the bank.
            _ = &folder;
            counted(format!(
                "SELECT count(*) FROM charges WHERE note = '{note}'"
            ))
        }),
        records: Box::new(move || records("SELECT count(*) FROM idempotency_records".to_owned())),
    }
}

async fn number(options: &SqliteConnectOptions, sql: &str) -> i64 {
    let pool: SqlitePool = SqlitePoolOptions::new().connect_lazy_with(options.clone());
    let row = raw_sql(AssertSqlSafe(sql)).fetch_one(&pool).await;
    let number = row.unwrap_or_else(|error| panic!("{sql}: {error}")).get(0);
    pool.close().await;
    number
}

#[test]
fn an_error_that_rolled_the_transaction_back_never_lets_a_success_out() {
    incidents::start();
    let before = incidents::count("commit_refused");
    let bank = bank();
    let first = bank.send(&asking("k", "pass-over"));
    assert_eq!((first.status, first.header("retry-after")), (500, None));
    assert!(incidents::count("commit_refused") > before);
    bank.assert_left("k", 1, 0, 0);
    assert_first(&bank.send(&request("k")), 201, "run 2");
}

#[test]
fn while_one_writes_replays_wait_for_nobody_and_others_for_their_turn() {
    let bank = bank();
    assert_first(&bank.send(&request("done")), 201, "run 1");
    let mut first = bank.ask(&asking("a", "wait"));
    bank.gate.wait();
    assert_replay(&bank.send(&request("done")), 201, "run 1");
    assert_in_flight(&bank.send(&asking("a", "wait")));
    let mut others = ["b", "c", "d"].map(|key| bank.ask(&request(key)));
    for other in &mut others {
        other.assert_silent(1);
    }
    bank.gate.open();
    assert_eq!(first.receive().status, 201);
    for other in &mut others {
        assert_eq!(other.receive().status, 201);
    }
    assert_eq!((bank.site.runs.count(), (bank.records)()), (5, 5));
}
