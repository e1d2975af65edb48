//! On SQLite files.

use std::path::PathBuf;
use std::pin::pin;
use std::time::{Duration, Instant};

use futures_util::future::{join_all, poll_immediate};
use idempotency_actix::store::{AttemptId, Begun, Resolved, Store, StoreErrorKind, Verdict};
use idempotency_actix_sqlx::sqlx::sqlite::{
    SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous,
};
use idempotency_actix_sqlx::sqlx::{AssertSqlSafe, Executor, Row, SqlitePool, raw_sql};
use idempotency_actix_sqlx::{SqlSeverity, SqliteFinding, SqliteStore, SqliteStoreBuilder};
use idempotency_actix_tests::{eventually_async, fresh_id};
use tempfile::TempDir;

use crate::records::{AMPLE, DAY, answer, claim, is_granted, is_replayed, run, told};

/// A folder with a database, which goes with the test.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(TempDir::with_prefix("sqlite-").expect("a folder for temporary files"))
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("records.db")
    }

    /// The length of the file, or of what goes with it.
    fn octets(&self, suffix: &str) -> u64 {
        let path = self.0.path().join(format!("records.db{suffix}"));
        std::fs::metadata(path).expect("a file").len()
    }

    fn options(&self) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .filename(self.file())
            .create_if_missing(true)
    }

    fn pool(&self) -> SqlitePool {
        SqlitePoolOptions::new().connect_lazy_with(self.options())
    }

    fn builder(&self) -> SqliteStoreBuilder {
        SqliteStore::builder(self.pool()).timeout(AMPLE)
    }

    async fn store(&self) -> SqliteStore {
        let store = self.builder().build().expect("options that hold");
        store.migrate().await.expect("a table");
        store
    }

    async fn execute(&self, sql: &str) {
        let done = self.pool().execute(raw_sql(AssertSqlSafe(sql))).await;
        done.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    async fn number(&self, sql: &str) -> i64 {
        let row = self.pool().fetch_one(raw_sql(AssertSqlSafe(sql))).await;
        row.unwrap_or_else(|error| panic!("{sql}: {error}")).get(0)
    }

    async fn rows(&self) -> i64 {
        self.number("SELECT count(*) FROM idempotency_records")
            .await
    }

    /// Lets all rows be over.
    async fn age(&self) {
        let sql = "UPDATE idempotency_records SET seen = 0, expires = 1";
        self.execute(sql).await;
    }
}

#[actix_web::test]
async fn records_outlive_the_store() {
    let place = Place::new();
    let id = run(&place.store().await, DAY).await;
    assert!(is_replayed(&place.store().await, &id).await);
}

#[actix_web::test]
async fn sixteen_clients_queue_for_one_writer() {
    let place = Place::new();
    let pool = SqlitePoolOptions::new().max_connections(4);
    let pool = pool.connect_lazy_with(place.options());
    let store = SqliteStore::builder(pool).timeout(AMPLE).build();
    let store = store.expect("options that hold");
    store.migrate().await.expect("a table");
    let clients = (0..16).map(|_| async {
        let mut slowest = Duration::ZERO;
        for _ in 0..20 {
            let asked = Instant::now();
            let id = run(&store, DAY).await;
            slowest = slowest.max(asked.elapsed());
            assert!(is_replayed(&store, &id).await);
        }
        slowest
    });
    let slowest = join_all(clients).await.into_iter().max();
    println!("the slowest of 320 first runs took {slowest:?}");
    assert_eq!(place.rows().await, 320);
}

/// By a pool that leaves the log alone: whatever copies it is the store.
fn unhurried(place: &Place) -> SqliteStoreBuilder {
    let options = place.options().synchronous(SqliteSynchronous::Normal);
    let options = options.pragma("wal_autocheckpoint", "0");
    let pool = SqlitePoolOptions::new().connect_lazy_with(options);
    SqliteStore::builder(pool).timeout(AMPLE).sweep_every(None)
}

async fn after_runs(builder: SqliteStoreBuilder, runs: usize) -> SqliteStore {
    let store = builder.build().expect("options that hold");
    store.migrate().await.expect("a table");
    for _ in 0..runs {
        run(&store, DAY).await;
    }
    store
}

/// More than a file has before anything was copied into it.
const COPIED: u64 = 100_000;

/// Fewer pages than those at which a commit of the store's copies them.
#[actix_web::test]
async fn the_log_is_copied_beside_the_requests() {
    let place = Place::new();
    let _store = after_runs(unhurried(&place), 600).await;
    eventually_async("a copy", async || place.octets("") > COPIED).await;
}

#[actix_web::test]
async fn the_log_is_left_to_the_pools_options_where_that_is_chosen() {
    let place = Place::new();
    let builder = unhurried(&place).background_checkpoints(false);
    let _store = after_runs(builder, 2_500).await;
    assert!(place.octets("") < COPIED, "{}", place.octets(""));
    assert!(place.octets("-wal") > MOST, "{}", place.octets("-wal"));
}

/// 8,000 pages with their heads, and some that are written meanwhile.
const MOST: u64 = 10_000 * 4_120;

#[actix_web::test]
async fn the_log_starts_over() {
    let place = Place::new();
    let _store = after_runs(unhurried(&place), 2_500).await;
    assert!(place.octets("-wal") < MOST, "{}", place.octets("-wal"));
}

#[actix_web::test]
async fn of_two_stores_on_a_file_one_is_granted_and_both_replay() {
    let place = Place::new();
    let (one, other) = (place.store().await, place.store().await);
    for _ in 0..50 {
        let id = fresh_id();
        let (first, second) = (claim(), claim());
        let begun = tokio::join!(one.begin(&id, &first), other.begin(&id, &second));
        let granted = |begun: &Begun| matches!(begun, Begun::Claimed { .. });
        let begun = [begun.0.expect("an answer"), begun.1.expect("an answer")];
        assert_eq!(begun.iter().filter(|it| granted(it)).count(), 1);
    }
    let id = run(&one, DAY).await;
    assert!(is_replayed(&other, &id).await);
}

#[actix_web::test]
async fn of_many_who_migrate_at_once_all_succeed() {
    // They meet at whichever step, so each of many files is a chance to meet at another.
    for _ in 0..30 {
        let place = Place::new();
        let stores: Vec<_> = (0..4)
            .map(|_| place.builder().build().expect("options that hold"))
            .collect();
        for done in join_all(stores.iter().map(SqliteStore::migrate)).await {
            done.expect("a table");
        }
        let id = run(&stores[0], DAY).await;
        assert!(is_replayed(&stores[3], &id).await);
    }
}

#[actix_web::test]
async fn a_table_that_is_missing_is_refused_with_what_makes_it() {
    let place = Place::new();
    let store = place.builder().build().expect("options that hold");
    let error = store
        .begin(&fresh_id(), &claim())
        .await
        .expect_err("no table");
    assert_eq!(error.kind(), StoreErrorKind::Refused);
    assert!(
        told(&error).contains("SqliteStore::migrate"),
        "{}",
        told(&error)
    );
    let report = store.check().await.expect("a report");
    assert_eq!(report.findings(), [SqliteFinding::NoTable]);
}

#[actix_web::test]
async fn what_is_over_is_swept_and_nothing_else_is() {
    let place = Place::new();
    let store = place.store().await;
    for _ in 0..3 {
        run(&store, DAY).await;
    }
    place.age().await;
    let (id, held) = (fresh_id(), claim());
    assert!(is_granted(&store, &id, &held).await);
    place
        .execute("UPDATE idempotency_records SET expires = 1")
        .await;
    let kept = run(&store, DAY).await;
    assert_eq!(store.sweep().await.expect("a sweep"), 3);
    assert_eq!(place.rows().await, 2);
    assert!(is_replayed(&store, &kept).await);
    assert!(!is_granted(&store, &id, &claim()).await);
    let due = "SELECT count(*) FROM idempotency_records WHERE expires = 1";
    assert_eq!(place.number(due).await, 0);
}

#[actix_web::test]
async fn the_store_sweeps_by_itself() {
    let place = Place::new();
    let store = place.builder().sweep_every(Duration::from_millis(20));
    let store = store.build().expect("options that hold");
    store.migrate().await.expect("a table");
    run(&store, DAY).await;
    place.age().await;
    eventually_async("an empty table", async || place.rows().await == 0).await;
}

#[actix_web::test]
async fn a_row_that_cannot_be_read_is_no_absent_one_and_can_be_forgotten() {
    let place = Place::new();
    let store = place.store().await;
    for damage in [
        "answer = x'09'",
        "answer = NULL",
        "kind = 9",
        "token = x'00'",
        "fingerprint = x''",
        "generation = 7",
    ] {
        let id = run(&store, DAY).await;
        let sql = format!("UPDATE idempotency_records SET {damage} WHERE id = x'{id}'");
        place.execute(&sql).await;
        let error = store.begin(&id, &claim()).await.expect_err(damage);
        assert_eq!(error.kind(), StoreErrorKind::Unreadable, "{damage}");
        let forgotten = store.resolve(&id, &AttemptId::UNREADABLE, &Verdict::Forget);
        assert_eq!(forgotten.await.expect(damage), Resolved::Done, "{damage}");
        assert!(is_granted(&store, &id, &claim()).await, "{damage}");
    }
}

#[actix_web::test]
async fn who_waits_is_woken_by_the_same_store() {
    let place = Place::new();
    let store = place.store().await;
    let (id, held) = (fresh_id(), claim());
    assert!(is_granted(&store, &id, &held).await);
    let mut changed = pin!(store.changed(&id));
    assert!(poll_immediate(&mut changed).await.is_none());
    let done = store.complete(&id, &held, &answer("first"), DAY).await;
    done.expect("an answer");
    tokio::time::timeout(AMPLE, changed)
        .await
        .expect("a wake-up");
}

#[actix_web::test]
async fn another_writer_that_stays_is_waited_for_within_bounds() {
    let place = Place::new();
    let store = place.store().await;
    let id = run(&store, DAY).await;
    let impatient = place.builder().timeout(Duration::from_millis(300)).build();
    let impatient = impatient.expect("options that hold");
    let mut other = place.pool().acquire().await.expect("a connection");
    other.execute("BEGIN IMMEDIATE").await.expect("the lock");
    impatient
        .begin(&fresh_id(), &claim())
        .await
        .expect_err("no lock");
    // Who reads waits for nobody.
    assert!(is_replayed(&impatient, &id).await);
    other.execute("ROLLBACK").await.expect("no lock");
    eventually_async("the writer is back", async || {
        impatient.begin(&fresh_id(), &claim()).await.is_ok()
    })
    .await;
}

#[actix_web::test]
async fn a_file_that_takes_no_writes_is_refused_and_ill() {
    let place = Place::new();
    let id = run(&place.store().await, DAY).await;
    let pool = SqlitePoolOptions::new().connect_lazy_with(place.options().read_only(true));
    let store = SqliteStore::builder(pool).timeout(AMPLE).build();
    let store = store.expect("options that hold");
    let error = store
        .begin(&fresh_id(), &claim())
        .await
        .expect_err("no writes");
    assert_eq!(error.kind(), StoreErrorKind::Refused);
    let error = store.health().await.expect_err("illness");
    assert_eq!(error.kind(), StoreErrorKind::Refused);
    assert!(is_replayed(&store, &id).await);
    let report = store.check().await.expect("a report");
    assert!(
        report.findings().contains(&SqliteFinding::ReadOnly),
        "{report}"
    );
}

#[actix_web::test]
async fn a_folder_that_is_not_there_is_refused() {
    let options = SqliteConnectOptions::new().filename("/nonexistent/records.db");
    let pool = SqlitePoolOptions::new().connect_lazy_with(options);
    let store = SqliteStore::new(pool);
    let error = store.migrate().await.expect_err("no folder");
    assert_eq!(error.kind(), StoreErrorKind::Refused);
}

#[actix_web::test]
async fn a_pool_that_was_closed_is_refused() {
    let place = Place::new();
    let pool = place.pool();
    let store = SqliteStore::new(pool.clone());
    store.migrate().await.expect("a table");
    pool.close().await;
    let error = store.health().await.expect_err("illness");
    assert_eq!(error.kind(), StoreErrorKind::Refused);
}

#[actix_web::test]
async fn a_file_as_it_is_opened_is_safe() {
    let place = Place::new();
    let report = place.store().await.check().await.expect("a report");
    assert_eq!(report.findings(), []);
    assert!(report.is_safe());
    assert_eq!(report.database(), place.file().display().to_string());
}

#[actix_web::test]
async fn what_a_power_loss_would_lose_is_found() {
    let place = Place::new();
    for (synchronous, level, severity) in [
        (SqliteSynchronous::Normal, "NORMAL", SqlSeverity::Warning),
        (SqliteSynchronous::Off, "OFF", SqlSeverity::Fatal),
    ] {
        let options = place.options().synchronous(synchronous);
        let pool = SqlitePoolOptions::new().connect_lazy_with(options);
        let store = SqliteStore::new(pool);
        store.migrate().await.expect("a table");
        let report = store.check().await.expect("a report");
        assert_eq!(report.findings(), [SqliteFinding::Synchronous { level }]);
        assert_eq!(report.worst(), Some(severity));
        assert!(!report.is_safe());
    }
}

#[actix_web::test]
async fn a_file_that_keeps_its_journal_and_one_in_memory_are_found() {
    let place = Place::new();
    let store = place
        .builder()
        .wal(false)
        .build()
        .expect("options that hold");
    store.migrate().await.expect("a table");
    let report = store.check().await.expect("a report");
    let mode = "delete".to_owned();
    assert_eq!(report.findings(), [SqliteFinding::NotWal { mode }]);

    let pool = SqlitePool::connect_lazy("sqlite::memory:").expect("a pool");
    let store = SqliteStore::new(pool);
    store.migrate().await.expect("a table");
    let id = run(&store, DAY).await;
    assert!(is_replayed(&store, &id).await);
    let report = store.check().await.expect("a report");
    assert_eq!(report.findings(), [SqliteFinding::InMemory]);
    assert_eq!(report.worst(), Some(SqlSeverity::Fatal));
}

#[actix_web::test]
async fn the_view_tells_operators_states_and_no_secrets() {
    let place = Place::new();
    let store = place.store().await;
    let id = run(&store, DAY).await;
    assert!(is_granted(&store, &fresh_id(), &claim()).await);
    let of = |state: &str| {
        format!("SELECT count(*) FROM idempotency_records_view WHERE state = '{state}'")
    };
    assert_eq!(place.number(&of("completed")).await, 1);
    assert_eq!(place.number(&of("in flight")).await, 1);
    let shown = format!(
        "SELECT count(*) FROM idempotency_records_view WHERE id = '{id}' AND generation = 1 \
         AND octets > 0 AND begun LIKE '2%Z' AND expires > last_seen \
         AND method = 'POST' AND route = '/charges/{{id}}' AND label = 'order ''7'''"
    );
    assert_eq!(place.number(&shown).await, 1);
}
