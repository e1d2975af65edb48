//! What stands in the table, and what goes from it.

use std::time::Duration;

use idempotency_actix::store::{AttemptId, Resolved, Store, StoreErrorKind, Verdict};
use idempotency_actix_tests::postgres::PgServer;
use idempotency_actix_tests::{eventually_async, fresh_id};

use super::{builder, store};
use crate::records::{DAY, claim, is_granted, is_replayed, run};

/// Lets all the table's rows be over.
async fn age(table: &str) {
    let sql = format!("UPDATE {table} SET seen = 0, expires = 1");
    PgServer::shared().execute(&sql).await;
}

async fn rows(table: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {table}");
    PgServer::shared().number(&sql).await
}

#[actix_web::test]
async fn what_is_over_is_swept_and_nothing_else_is() {
    let (store, table) = store().await;
    for _ in 0..3 {
        run(&store, DAY).await;
    }
    age(&table).await;
    let kept = run(&store, DAY).await;
    assert_eq!(store.sweep().await.expect("a sweep"), 3);
    assert_eq!(rows(&table).await, 1);
    assert!(is_replayed(&store, &kept).await);
    assert_eq!(store.sweep().await.expect("a sweep"), 0);
}

#[actix_web::test]
async fn a_sweep_takes_as_many_batches_as_there_are() {
    let (store, table) = store().await;
    let many = format!(
        "INSERT INTO {table} (id, kind, token, generation, fingerprint, begun, seen, expires) \
         SELECT int4send(n), 4, ''::bytea, 1, ''::bytea, 0, 0, n FROM generate_series(1, 1200) AS n"
    );
    PgServer::shared().execute(&many).await;
    assert_eq!(store.sweep().await.expect("a sweep"), 1200);
    assert_eq!(rows(&table).await, 0);
}

#[actix_web::test]
async fn a_sweep_reads_nothing_of_what_is_not_due() {
    let (store, table) = store().await;
    let server = PgServer::shared();
    let many = format!(
        "INSERT INTO {table} (id, kind, token, generation, fingerprint, begun, seen, expires) \
         SELECT int4send(n), 4, ''::bytea, 1, ''::bytea, 0, 0, 9000000000000000 + n \
         FROM generate_series(1, 20000) AS n; ANALYZE {table}"
    );
    server.execute(&many).await;
    assert_eq!(store.sweep().await.expect("a sweep"), 0);
    // Told by the server's processes now and then.
    drop(store);
    let of = |what: &str| {
        let index = format!("pg_stat_user_indexes WHERE indexrelname = '{table}_expires'");
        format!("SELECT {what} FROM {index}")
    };
    let (scans, read) = (of("idx_scan"), of("idx_tup_read"));
    eventually_async("a look into the index", async || {
        server.number(&scans).await > 0
    })
    .await;
    assert_eq!(server.number(&read).await, 0);
}

#[actix_web::test]
async fn a_claim_that_is_renewed_outlives_its_place_in_the_index() {
    let (store, table) = store().await;
    let (id, held) = (fresh_id(), claim());
    assert!(is_granted(&store, &id, &held).await);
    let sql = format!("UPDATE {table} SET expires = 1");
    PgServer::shared().execute(&sql).await;
    assert_eq!(store.sweep().await.expect("a sweep"), 0);
    assert!(!is_granted(&store, &id, &claim()).await);
    let moved = format!("SELECT count(*) FROM {table} WHERE expires > seen");
    assert_eq!(PgServer::shared().number(&moved).await, 1);
}

#[actix_web::test]
async fn a_row_that_somebody_holds_is_left_for_the_next_sweep() {
    let (store, table) = store().await;
    run(&store, DAY).await;
    run(&store, DAY).await;
    age(&table).await;
    let mut other = PgServer::shared().connection().await;
    use idempotency_actix_sqlx::sqlx::{AssertSqlSafe, Executor, raw_sql};
    let lock = format!("BEGIN; SELECT 1 FROM {table} LIMIT 1 FOR UPDATE");
    other
        .execute(raw_sql(AssertSqlSafe(lock)))
        .await
        .expect("a lock");
    assert_eq!(store.sweep().await.expect("a sweep"), 1);
    other.execute("ROLLBACK").await.expect("no lock");
    assert_eq!(store.sweep().await.expect("a sweep"), 1);
}

#[actix_web::test]
async fn the_store_sweeps_by_itself_until_it_is_dropped() {
    let server = PgServer::shared();
    let table = server.fresh_name();
    let store = builder(server, &table).sweep_every(Duration::from_millis(20));
    let store = store.build().expect("options that hold");
    store.migrate().await.expect("a table");
    run(&store, DAY).await;
    age(&table).await;
    eventually_async("an empty table", async || rows(&table).await == 0).await;
    drop(store);
    let listening =
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND query LIKE ";
    let listening = format!("{listening}'%{table}:changed%'");
    eventually_async("no connection that listens", async || {
        server.number(&listening).await == 0
    })
    .await;
}

#[actix_web::test]
async fn a_row_that_cannot_be_read_is_no_absent_one_and_can_be_forgotten() {
    let (store, table) = store().await;
    for damage in [
        "answer = '\\x09'",
        "answer = NULL",
        "kind = 9",
        "token = '\\x00'",
        "fingerprint = ''",
        "generation = 7",
    ] {
        let id = run(&store, DAY).await;
        let sql = format!("UPDATE {table} SET {damage} WHERE id = '\\x{id}'");
        PgServer::shared().execute(&sql).await;
        let error = store.begin(&id, &claim()).await.expect_err(damage);
        assert_eq!(error.kind(), StoreErrorKind::Unreadable, "{damage}");
        let error = store.inspect(&id).await.expect_err(damage);
        assert_eq!(error.kind(), StoreErrorKind::Unreadable, "{damage}");
        let forgotten = store.resolve(&id, &AttemptId::UNREADABLE, &Verdict::Forget);
        assert_eq!(forgotten.await.expect(damage), Resolved::Done, "{damage}");
        assert!(store.inspect(&id).await.expect(damage).is_none());
        assert!(is_granted(&store, &id, &claim()).await, "{damage}");
    }
}

#[actix_web::test]
async fn an_answer_of_another_record_is_not_given() {
    let (store, table) = store().await;
    let (one, two) = (run(&store, DAY).await, run(&store, DAY).await);
    let sql = format!(
        "UPDATE {table} AS r SET answer = o.answer, token = o.token FROM {table} AS o \
         WHERE r.id = '\\x{one}' AND o.id = '\\x{two}'"
    );
    PgServer::shared().execute(&sql).await;
    let error = store.begin(&one, &claim()).await.expect_err("another's");
    assert_eq!(error.kind(), StoreErrorKind::Unreadable);
    assert!(is_replayed(&store, &two).await);
}

#[actix_web::test]
async fn the_view_tells_operators_states_and_no_secrets() {
    let (store, table) = store().await;
    let id = run(&store, DAY).await;
    assert!(is_granted(&store, &fresh_id(), &claim()).await);
    let server = PgServer::shared();
    let of = |state: &str| format!("SELECT count(*) FROM {table}_view WHERE state = '{state}'");
    assert_eq!(server.number(&of("completed")).await, 1);
    assert_eq!(server.number(&of("in flight")).await, 1);
    let lapsed = format!("UPDATE {table} SET seen = seen - lease WHERE kind = 1");
    server.execute(&lapsed).await;
    assert_eq!(server.number(&of("unknown")).await, 1);
    let shown = format!(
        "SELECT count(*) FROM {table}_view WHERE id = '{id}' AND generation = 1 AND octets > 0 \
         AND begun <= last_seen AND expires > now() + interval '23 hours' \
         AND method = 'POST' AND route = '/charges/{{id}}' AND label = 'order ''7'''"
    );
    assert_eq!(server.number(&shown).await, 1);
}
