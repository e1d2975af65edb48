//! Who waits for a record of another replica is woken by what that tells.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::poll_immediate;
use idempotency_actix::store::Store;
use idempotency_actix_sqlx::PgStore;
use idempotency_actix_tests::fresh_id;
use idempotency_actix_tests::postgres::PgServer;
use tokio::time::timeout;

use super::{builder, store};
use crate::records::{AMPLE, DAY, answer, claim, is_granted};

fn listening(table: &str) -> String {
    let named = format!("query LIKE 'LISTEN%{table}:changed%'");
    format!("SELECT count(*) FROM pg_stat_activity WHERE {named}")
}

async fn listens(server: &PgServer, table: &str) {
    let sql = listening(table);
    idempotency_actix_tests::eventually_async("a connection that listens", async || {
        server.number(&sql).await > 0
    })
    .await;
}

/// Whether a completion by the one wakes who waits with the other.
async fn wakes(one: &PgStore, other: &PgStore) {
    let (id, held) = (fresh_id(), claim());
    assert!(is_granted(one, &id, &held).await);
    let mut changed = pin!(other.changed(&id));
    // The first poll takes the place; one wake-up may be about what happened before it was there.
    if poll_immediate(&mut changed).await.is_some() {
        changed.set(other.changed(&id));
        assert!(poll_immediate(&mut changed).await.is_none());
    }
    let done = one.complete(&id, &held, &answer("first"), DAY).await;
    done.expect("an answer");
    timeout(AMPLE, changed).await.expect("a wake-up");
}

#[actix_web::test]
async fn another_replica_is_woken_by_a_completion() {
    let (one, table) = store().await;
    let server = PgServer::shared();
    let other = builder(server, &table).build().expect("options that hold");
    let waiting = tokio::spawn({
        let other = other.clone();
        async move { other.changed(&fresh_id()).await }
    });
    listens(server, &table).await;
    wakes(&one, &other).await;
    waiting.abort();
}

#[actix_web::test]
async fn a_connection_that_breaks_is_made_anew_and_hears_again() {
    let (one, table) = store().await;
    let server = PgServer::shared();
    let other = builder(server, &table).build().expect("options that hold");
    _ = poll_immediate(pin!(other.changed(&fresh_id()))).await;
    listens(server, &table).await;
    let kill = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%{table}:changed%'"
    );
    server.execute(&kill).await;
    listens(server, &table).await;
    wakes(&one, &other).await;
}

#[actix_web::test]
async fn who_waits_is_woken_when_something_may_have_been_missed() {
    let (_, table) = store().await;
    let server = PgServer::shared();
    let store = builder(server, &table).build().expect("options that hold");
    _ = poll_immediate(pin!(store.changed(&fresh_id()))).await;
    listens(server, &table).await;
    let id = fresh_id();
    let changed = store.changed(&id);
    let kill = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%{table}:changed%'"
    );
    let (woken, ()) = tokio::join!(timeout(AMPLE, changed), server.execute(&kill));
    woken.expect("a wake-up");
}

#[actix_web::test]
async fn the_own_store_wakes_without_the_server() {
    let (_, table) = store().await;
    let store = builder(PgServer::shared(), &table).notifications(false);
    let store = store.build().expect("options that hold");
    let (id, held) = (fresh_id(), claim());
    assert!(is_granted(&store, &id, &held).await);
    let mut changed = pin!(store.changed(&id));
    assert!(poll_immediate(&mut changed).await.is_none());
    store.release(&id, &held).await.expect("a release");
    timeout(Duration::from_secs(5), changed)
        .await
        .expect("a wake-up");
}
