//! Servers that refuse, hang, or are away, and what that means for the claim that was asked for.

use std::time::Duration;

use idempotency_actix::store::{Completion, Store, StoreErrorKind};
use idempotency_actix_sqlx::sqlx::{AssertSqlSafe, Executor, raw_sql};
use idempotency_actix_sqlx::{PgFinding, PgStore};
use idempotency_actix_tests::postgres::PgServer;
use idempotency_actix_tests::{eventually_async, fresh_id};

use super::{builder, own, store};
use crate::records::{AMPLE, DAY, answer, claim, is_granted, is_replayed, run, told};

/// A store whose sessions have these settings, in a table that is there.
async fn with(settings: &[(&str, &str)], table: &str) -> PgStore {
    let server = PgServer::shared();
    let options = server.options().options(settings.iter().copied());
    let store = PgStore::builder(server.pool_with(2, options)).table(table);
    store.timeout(AMPLE).build().expect("options that hold")
}

#[actix_web::test]
async fn a_server_that_takes_no_writes_refuses_and_is_ill() {
    let (writable, table) = store().await;
    let id = run(&writable, DAY).await;
    let store = with(&[("default_transaction_read_only", "on")], &table).await;
    for asked in [fresh_id(), id] {
        let error = store.begin(&asked, &claim()).await.expect_err("no writes");
        assert_eq!(error.kind(), StoreErrorKind::Refused);
        assert!(told(&error).contains("takes no writes"), "{}", told(&error));
    }
    let error = store.health().await.expect_err("illness");
    assert_eq!(error.kind(), StoreErrorKind::Refused);
    writable.health().await.expect("health");
    let report = store.check().await.expect("a report");
    assert!(report.findings().contains(&PgFinding::ReadOnly), "{report}");
    assert!(!report.is_safe());
}

#[actix_web::test]
async fn a_lock_that_is_not_given_in_time_is_refused() {
    let (_, table) = store().await;
    let store = with(&[("lock_timeout", "50ms")], &table).await;
    let mut other = PgServer::shared().connection().await;
    let lock = format!("BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE");
    other
        .execute(raw_sql(AssertSqlSafe(lock)))
        .await
        .expect("a lock");
    let error = store
        .begin(&fresh_id(), &claim())
        .await
        .expect_err("a lock");
    assert_eq!(error.kind(), StoreErrorKind::Refused);
    assert!(told(&error).contains("lock"), "{}", told(&error));
}

#[actix_web::test]
async fn connections_that_are_all_in_use_are_waited_for_within_bounds() {
    let (_, table) = store().await;
    let server = PgServer::shared();
    let store = PgStore::builder(server.pool(4))
        .table(&table)
        .connections(1);
    let store = store.timeout(Duration::from_millis(400)).build();
    let store = store.expect("options that hold");
    let id = fresh_id();
    let held = claim();
    let mut other = server.connection().await;
    let lock = format!("BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE");
    other
        .execute(raw_sql(AssertSqlSafe(lock)))
        .await
        .expect("a lock");
    // It may still be carried out.
    let error = store.begin(&id, &held).await.expect_err("no answer");
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    // The one connection waits for what it asked, and nothing piles up on the server.
    let error = store
        .begin(&fresh_id(), &claim())
        .await
        .expect_err("no connection");
    assert_eq!(error.kind(), StoreErrorKind::Refused);
    assert!(told(&error).contains("in use"), "{}", told(&error));
    other.execute("ROLLBACK").await.expect("no lock");
    eventually_async("the connection is back", async || {
        store.begin(&id, &held).await.is_ok()
    })
    .await;
    assert!(is_granted(&store, &fresh_id(), &claim()).await);
}

#[actix_web::test]
async fn a_pool_that_was_closed_is_refused() {
    let (_, table) = store().await;
    let pool = PgServer::shared().pool(2);
    let store = PgStore::builder(pool.clone()).table(&table).build();
    let store = store.expect("options that hold");
    store.health().await.expect("health");
    pool.close().await;
    let error = store.health().await.expect_err("illness");
    assert_eq!(error.kind(), StoreErrorKind::Refused);
}

#[actix_web::test]
async fn a_server_that_has_no_connection_left_refuses() {
    let (_, table) = store().await;
    let server = PgServer::shared();
    let role = format!("{table}_role");
    server
        .execute(&format!(
            "CREATE ROLE {role} LOGIN CONNECTION LIMIT 0; GRANT ALL ON {table} TO {role}"
        ))
        .await;
    let pool = server.pool_with(2, server.options().username(&role));
    let store = PgStore::builder(pool).table(&table).timeout(AMPLE).build();
    let store = store.expect("options that hold");
    let error = store
        .begin(&fresh_id(), &claim())
        .await
        .expect_err("no room");
    assert_eq!(error.kind(), StoreErrorKind::Refused);
}

#[actix_web::test]
async fn a_server_that_was_restarted_is_found_again_by_the_first_step() {
    let (server, store) = own(&[("fsync", "on")]).await;
    let id = run(&store, DAY).await;
    let (open, held) = (fresh_id(), claim());
    assert!(is_granted(&store, &open, &held).await);
    server.restart();
    assert!(is_replayed(&store, &id).await);
    let done = store.complete(&open, &held, &answer("first"), DAY).await;
    assert_eq!(done.expect("an answer"), Completion::Recorded);
    store.renew(&open, &held).await.expect("an answer");
}

#[actix_web::test]
async fn a_server_that_is_away_refuses_what_it_was_not_asked() {
    let (server, store) = own(&[]).await;
    server.crash();
    let error = store.begin(&fresh_id(), &claim()).await.expect_err("away");
    // Over a connection that broke before nobody knows; without any, nothing was asked.
    assert!(matches!(
        error.kind(),
        StoreErrorKind::Unavailable | StoreErrorKind::Refused
    ));
    let error = store.begin(&fresh_id(), &claim()).await.expect_err("away");
    assert_eq!(error.kind(), StoreErrorKind::Refused);
    server.start_again();
    assert!(is_granted(&store, &fresh_id(), &claim()).await);
}

#[actix_web::test]
async fn a_standby_is_ill_and_asked_for_nothing_until_it_is_promoted() {
    let (primary, store) = own(&[]).await;
    let id = run(&store, DAY).await;
    let standby = primary.standby();
    let there = builder(&standby, "records")
        .build()
        .expect("options that hold");
    // A retry of what it has is refused too: it may be behind.
    for asked in [id, fresh_id()] {
        let error = there.begin(&asked, &claim()).await.expect_err("a standby");
        assert_eq!(error.kind(), StoreErrorKind::Refused);
    }
    there.health().await.expect_err("illness");
    let report = there.check().await.expect("a report");
    assert!(report.findings().contains(&PgFinding::Standby), "{report}");
    standby.execute("SELECT pg_promote()").await;
    there.health().await.expect("health");
    assert!(is_replayed(&there, &id).await);
    assert!(is_granted(&there, &fresh_id(), &claim()).await);
}
