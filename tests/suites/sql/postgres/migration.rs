//! How the table comes to be.

use futures_util::future::join_all;
use idempotency_actix::store::StoreErrorKind;
use idempotency_actix_sqlx::{PgStore, SqlConfigError, sqlx};
use idempotency_actix_tests::postgres::PgServer;

use super::{builder, store};
use crate::records::{DAY, is_replayed, run, told};

#[actix_web::test]
async fn of_many_who_migrate_at_once_all_succeed() {
    let server = PgServer::shared();
    let table = server.fresh_name();
    let stores: Vec<_> = (0..8)
        .map(|_| builder(server, &table).build().expect("options that hold"))
        .collect();
    for done in join_all(stores.iter().map(PgStore::migrate)).await {
        done.expect("a table");
    }
    let id = run(&stores[0], DAY).await;
    assert!(is_replayed(&stores[7], &id).await);
}

#[actix_web::test]
async fn a_second_migration_waits_for_nobody() {
    let (store, table) = store().await;
    let mut other = PgServer::shared().connection().await;
    let lock = format!("BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE");
    let locked = sqlx::raw_sql(sqlx::AssertSqlSafe(lock)).execute(&mut other);
    locked.await.expect("a lock");
    store.migrate().await.expect("nothing to do");
}

#[actix_web::test]
async fn the_table_may_be_in_a_schema_of_choice() {
    let server = PgServer::shared();
    server.execute("CREATE SCHEMA IF NOT EXISTS shop").await;
    let store = builder(server, "order").schema("shop").build();
    let store = store.expect("options that hold");
    store.migrate().await.expect("a table");
    store.migrate().await.expect("nothing to do");
    let id = run(&store, DAY).await;
    assert!(is_replayed(&store, &id).await);
    let rows = "SELECT count(*) FROM shop.\"order\"";
    assert_eq!(server.number(rows).await, 1);
}

#[actix_web::test]
async fn a_table_that_is_missing_is_refused_with_what_makes_it() {
    let server = PgServer::shared();
    let table = server.fresh_name();
    let store = builder(server, &table).build().expect("options that hold");
    let error = idempotency_actix::store::Store::health(&store).await;
    let error = error.expect_err("no table");
    assert_eq!(error.kind(), StoreErrorKind::Refused);
    assert!(
        told(&error).contains("PgStore::migrate"),
        "{}",
        told(&error)
    );
}

#[actix_web::test]
async fn a_name_that_is_no_identifier_is_refused() {
    let builder = builder(PgServer::shared(), "records; drop table x");
    let error = builder.build().expect_err("a mistake");
    assert!(matches!(
        error,
        SqlConfigError::Name {
            option: "table",
            ..
        }
    ));
}
