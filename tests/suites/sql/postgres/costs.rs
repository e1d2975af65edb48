//! What a step costs on the wire and in the table.

use idempotency_actix::store::{Renewed, Store};
use idempotency_actix_sqlx::PgStore;
use idempotency_actix_tests::postgres::{PgServer, Wire};
use idempotency_actix_tests::{eventually_async, fresh_id};

use super::store;
use crate::records::{AMPLE, DAY, claim, is_granted, is_replayed, run};

#[actix_web::test]
async fn a_first_run_takes_two_round_trips_and_a_replay_one() {
    let server = PgServer::shared();
    let wire = Wire::to(server.addr());
    let pool = server.pool_with(2, server.options().port(wire.port()));
    let table = server.fresh_name();
    let store = PgStore::builder(pool).table(&table).timeout(AMPLE);
    // What is told to other replicas goes over another connection, and is not counted here.
    let store = store
        .notifications(false)
        .build()
        .expect("options that hold");
    store.migrate().await.expect("a table");
    // A statement is prepared once for each connection.
    let warm = run(&store, DAY).await;
    assert!(is_replayed(&store, &warm).await);

    let before = wire.trips();
    let (id, claim) = (fresh_id(), claim());
    assert!(is_granted(&store, &id, &claim).await);
    assert_eq!(wire.trips() - before, 1, "begin");
    let finished = crate::records::answer("first");
    let done = store.complete(&id, &claim, &finished, DAY).await;
    done.expect("an answer");
    assert_eq!(wire.trips() - before, 2, "complete");
    assert!(is_replayed(&store, &id).await);
    assert_eq!(wire.trips() - before, 3, "replay");
}

#[actix_web::test]
async fn a_replay_writes_nothing() {
    let (store, table) = store().await;
    let id = run(&store, DAY).await;
    let server = PgServer::shared();
    let locked = format!("SELECT count(*) FROM {table} WHERE xmax <> 0");
    let before = server.number(&locked).await;
    assert!(is_replayed(&store, &id).await);
    assert_eq!(server.number(&locked).await, before);
    // A retry of what is in flight writes nothing either.
    let (id, held) = (fresh_id(), claim());
    assert!(is_granted(&store, &id, &held).await);
    assert!(!is_granted(&store, &id, &claim()).await);
    let is_locked = format!("SELECT count(*) FROM {table} WHERE xmax <> 0 AND kind = 1");
    assert_eq!(server.number(&is_locked).await, 0);
}

#[actix_web::test]
async fn a_renewal_touches_no_index() {
    let (store, table) = store().await;
    let (id, claim) = (fresh_id(), claim());
    assert!(is_granted(&store, &id, &claim).await);
    for _ in 0..20 {
        let renewed = store.renew(&id, &claim).await.expect("an answer");
        assert_eq!(renewed, Renewed::Alive);
    }
    let server = PgServer::shared();
    let updates = |which: &str| {
        format!(
            "SELECT coalesce(sum({which}), 0)::bigint FROM pg_stat_user_tables WHERE relname = '{table}'"
        )
    };
    // Told by the server's processes now and then.
    drop(store);
    let (all, hot) = (updates("n_tup_upd"), updates("n_tup_hot_upd"));
    eventually_async("20 updates", async || server.number(&all).await == 20).await;
    assert_eq!(server.number(&hot).await, 20);
}
