//! What `guide/sql.md` tells operators to run, run as it stands there.

use idempotency_actix::Isolation;
use idempotency_actix::store::{
    Committed, Opened, Recording, Store, TransactionOptions, Transactions,
};
use idempotency_actix_sqlx::sqlx::postgres::PgConnectOptions;
use idempotency_actix_sqlx::sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use idempotency_actix_sqlx::sqlx::{AssertSqlSafe, ConnectOptions, Executor, PgPool, Row, raw_sql};
use idempotency_actix_sqlx::{PgStore, SqliteStore};
use idempotency_actix_tests::fresh_id;
use idempotency_actix_tests::postgres::PgServer;
use tempfile::TempDir;

use crate::records::{AMPLE, DAY, LEASE, answer, claim, is_granted, is_replayed, run};

/// The blocks of SQL, each with the heading that it stands under.
fn blocks() -> Vec<(&'static str, &'static str)> {
    let page = include_str!("../../../idempotency-actix/guide/sql.md");
    let sections = page.split("\n## ").skip(1);
    let blocks = sections.flat_map(|section| {
        let (heading, text) = section.split_once('\n').unwrap_or((section, ""));
        let after = text.split("```sql\n").skip(1);
        after.filter_map(move |rest| Some((heading, rest.split_once("```")?.0)))
    });
    blocks.collect()
}

#[track_caller]
fn block(heading: &str) -> &'static str {
    let blocks = blocks();
    let found = blocks.iter().find(|(it, _)| *it == heading);
    found
        .unwrap_or_else(|| panic!("no SQL under {heading:?}"))
        .1
}

#[test]
fn every_block_is_run_by_a_test() {
    let headings: Vec<_> = blocks().iter().map(|(heading, _)| *heading).collect();
    assert_eq!(
        headings,
        [
            "The table",
            "Permissions, PostgreSQL",
            "Sizes",
            "Partitions, PostgreSQL",
            "Backups",
        ]
    );
}

/// A database that no other test has, on the shared server.
async fn database() -> PgConnectOptions {
    let server = PgServer::shared();
    let name = server.fresh_name();
    server.execute(&format!("CREATE DATABASE {name}")).await;
    server.options().database(&name)
}

fn pool(options: &PgConnectOptions) -> PgPool {
    PgServer::shared().pool_with(4, options.clone())
}

fn store(options: &PgConnectOptions) -> PgStore {
    let store = PgStore::builder(pool(options)).timeout(AMPLE).build();
    store.expect("options that hold")
}

async fn execute(options: &PgConnectOptions, sql: &str) {
    let mut connection = options.connect().await.expect("a connection");
    let done = connection.execute(raw_sql(AssertSqlSafe(sql))).await;
    done.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

async fn number(options: &PgConnectOptions, sql: &str) -> i64 {
    let mut connection = options.connect().await.expect("a connection");
    let row = connection.fetch_one(raw_sql(AssertSqlSafe(sql))).await;
    row.unwrap_or_else(|error| panic!("{sql}: {error}")).get(0)
}

/// Every step, and a transaction.
async fn does_every_step(store: &PgStore) {
    let id = run(store, DAY).await;
    assert!(is_replayed(store, &id).await);
    let (id, held) = (fresh_id(), claim());
    assert!(is_granted(store, &id, &held).await);
    store.renew(&id, &held).await.expect("a renewal");
    store.release(&id, &held).await.expect("a release");
    store.sweep().await.expect("a sweep");
    store.health().await.expect("health");
    let (id, held) = (fresh_id(), claim());
    let options = TransactionOptions::new(LEASE, Isolation::Serializable);
    let opened = store.open(&id, &held, &options).await.expect("an answer");
    let Opened::Claimed { transaction, .. } = opened else {
        panic!("{opened:?}");
    };
    let finished = answer("first");
    let recording = Recording::new(&id, &held, &finished, DAY);
    let committed = store.commit(transaction, Some(recording)).await;
    assert!(matches!(committed, Committed::Done), "{committed:?}");
    assert!(is_replayed(store, &id).await);
}

#[actix_web::test]
async fn the_permissions_are_enough_for_every_step_and_for_operators() {
    let owner = database().await;
    execute(
        &owner,
        "CREATE ROLE shop LOGIN; CREATE ROLE support LOGIN; CREATE SCHEMA shop",
    )
    .await;
    let in_schema = owner.clone().options([("search_path", "shop")]);
    store(&in_schema).migrate().await.expect("a table");
    let [shop, support] = ["shop", "support"].map(|role| in_schema.clone().username(role));
    store(&shop).health().await.expect_err("no permission yet");
    execute(&in_schema, block("Permissions, PostgreSQL")).await;
    let store = store(&shop);
    store.migrate().await.expect("nothing to do");
    does_every_step(&store).await;
    let mut support = support.connect().await.expect("a connection");
    let seen = support.fetch_all(block("The table")).await;
    assert_eq!(seen.expect("what the view shows").len(), 1);
    let denied = support.execute("SELECT * FROM idempotency_records").await;
    denied.expect_err("no permission");
}

#[actix_web::test]
async fn a_table_in_use_is_partitioned_and_keeps_its_records() {
    let options = database().await;
    let store = store(&options);
    store.migrate().await.expect("a table");
    execute(&options, block("Sizes")).await;
    // Statements are prepared, and records of all kinds are there.
    does_every_step(&store).await;
    let (open, held) = (fresh_id(), claim());
    assert!(is_granted(&store, &open, &held).await);
    let mut ids = Vec::new();
    for _ in 0..100 {
        ids.push(run(&store, DAY).await);
    }
    execute(&options, block("Partitions, PostgreSQL")).await;
    store.migrate().await.expect("index and view");
    store.migrate().await.expect("nothing to do");

    for id in &ids {
        assert!(is_replayed(&store, id).await);
    }
    assert!(!is_granted(&store, &open, &claim()).await);
    store.renew(&open, &held).await.expect("a renewal");
    let done = store.complete(&open, &held, &answer("first"), DAY).await;
    done.expect("an answer");
    assert!(is_replayed(&store, &open).await);
    does_every_step(&store).await;
    let keeps_plans = [("plan_cache_mode", "force_generic_plan")];
    does_every_step(&self::store(&options.clone().options(keeps_plans))).await;
    let parts = "SELECT count(DISTINCT tableoid) FROM idempotency_records";
    assert_eq!(number(&options, parts).await, 8);
    execute(
        &options,
        "UPDATE idempotency_records SET seen = 0, expires = 1 WHERE kind = 2",
    )
    .await;
    assert_eq!(store.sweep().await.expect("a sweep"), 107);
    let left = "SELECT count(*) FROM idempotency_records_view";
    assert_eq!(number(&options, left).await, 0);
    let report = store.check().await.expect("a report").to_string();
    assert!(!report.contains("table"), "{report}");
}

#[actix_web::test]
async fn a_copy_of_a_sqlite_file_in_use_has_the_records_of_its_moment() {
    let folder = TempDir::with_prefix("sqlite-").expect("a folder for temporary files");
    let store = |name: &str| {
        let options = SqliteConnectOptions::new().filename(folder.path().join(name));
        let pool = SqlitePoolOptions::new().connect_lazy_with(options.create_if_missing(true));
        (SqliteStore::new(pool.clone()), pool)
    };
    let (original, pool) = store("records.db");
    original.migrate().await.expect("a table");
    let before = run(&original, DAY).await;
    let seen = pool.fetch_all(block("The table")).await;
    assert_eq!(seen.expect("what the view shows").len(), 1);
    let path = folder.path().join("backup.db").display().to_string();
    let copy = block("Backups").replace("backup.db", &path);
    pool.execute(raw_sql(AssertSqlSafe(copy)))
        .await
        .expect("a copy");
    let after = run(&original, DAY).await;
    let (copied, _) = store("backup.db");
    assert!(is_replayed(&copied, &before).await);
    assert!(is_granted(&copied, &after, &claim()).await);
}
