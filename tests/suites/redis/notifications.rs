//! Wake-ups from one replica to another.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::rt::time::timeout;
use actix_web::web::Bytes;
use futures_util::FutureExt;
use futures_util::future::{LocalBoxFuture, join_all};
use idempotency_actix::RedisStore;
use idempotency_actix::deadpool_redis::redis::Client;
use idempotency_actix::store::{
    Begun, Claim, Completion, Finished, RecordId, Released, Renewed, Store, StoredResponse,
};
use idempotency_actix_tests::redis::{Proxy, RedisServer};
use idempotency_actix_tests::{PATIENCE, eventually, fresh_claim, fresh_id};

use crate::site::{Setup, own_server};

const LEASE: Duration = Duration::from_secs(30);

/// A replica's store, whose subscription goes through a proxy.
struct Replica {
    store: RedisStore,
    proxy: Proxy,
}

fn replica(setup: &Setup, server: &RedisServer) -> Replica {
    let proxy = Proxy::to(server.addr());
    let client = Client::open(proxy.url()).expect("an address");
    let store = setup.store_builder(&server.url()).notifications(client);
    let store = store.build().expect("options that can hold");
    Replica { store, proxy }
}

fn claim() -> (RecordId, Claim) {
    (fresh_id(), fresh_claim(LEASE, LEASE))
}

async fn begin(replica: &Replica, id: &RecordId, claim: &Claim) {
    let begun = replica.store.begin(id, claim).await.expect("an answer");
    assert!(matches!(begun, Begun::Claimed { .. }), "{begun:?}");
}

async fn complete(replica: &Replica, id: &RecordId, claim: &Claim, body: Vec<u8>) {
    let body = Some(Bytes::from(body));
    let answer = Finished::Completed(StoredResponse::new(StatusCode::OK, [], body));
    let completed = replica.store.complete(id, claim, &answer, LEASE).await;
    assert_eq!(completed.expect("an answer"), Completion::Recorded);
}

/// Waiters that hear: a new subscription wakes all, since it may have missed something.
async fn listen<'a>(
    replica: &'a Replica,
    id: &'a RecordId,
    count: usize,
) -> Vec<LocalBoxFuture<'a, ()>> {
    awake(replica.store.changed(id)).await;
    let waiters = (0..count).map(|_| replica.store.changed(id).boxed_local());
    let mut waiters: Vec<_> = waiters.collect();
    for waiter in &mut waiters {
        assert_eq!(waiter.now_or_never(), None, "woken by nothing");
    }
    waiters
}

async fn awake(waiter: impl Future<Output = ()>) {
    timeout(PATIENCE, waiter).await.expect("a wake-up");
}

/// What is told comes in order, so that a renewal would have been heard before what comes after it.
#[actix_web::test]
async fn a_renewal_wakes_nobody() {
    let (setup, server) = (Setup::new(), RedisServer::shared());
    let replica = replica(&setup, server);
    let ((id, own), (other, another)) = (claim(), claim());
    begin(&replica, &id, &own).await;
    begin(&replica, &other, &another).await;
    let waiters = listen(&replica, &id, 1).await;
    let mut after = replica.store.changed(&other).boxed_local();
    assert_eq!((&mut after).now_or_never(), None, "woken by nothing");
    let renewed = replica.store.renew(&id, &own).await;
    assert_eq!(renewed.expect("an answer"), Renewed::Alive);
    complete(&replica, &other, &another, vec![1]).await;
    awake(after).await;
    for waiter in waiters {
        assert_eq!(waiter.now_or_never(), None, "woken by a renewal");
    }
}

#[actix_web::test]
async fn a_completion_elsewhere_wakes_all_who_wait_for_it() {
    for octets in [10, 20_000] {
        let setup = Setup::new();
        let server = RedisServer::shared();
        let (here, there) = (replica(&setup, server), replica(&setup, server));
        let (id, claim) = claim();
        begin(&there, &id, &claim).await;
        let waiters = listen(&here, &id, 20).await;
        complete(&there, &id, &claim, vec![0; octets]).await;
        awake(join_all(waiters).map(drop)).await;
    }
}

#[actix_web::test]
async fn a_release_elsewhere_wakes_those_who_wait() {
    let setup = Setup::new();
    let server = RedisServer::shared();
    let (here, there) = (replica(&setup, server), replica(&setup, server));
    let (id, claim) = claim();
    begin(&there, &id, &claim).await;
    let waiters = listen(&here, &id, 1).await;
    let released = there.store.release(&id, &claim).await;
    assert_eq!(released.expect("an answer"), Released::Released);
    awake(join_all(waiters).map(drop)).await;
}

#[actix_web::test]
async fn a_change_on_a_server_that_compares_and_sets_is_told_too() {
    let setup = Setup::new();
    let server = RedisServer::shared_valkey();
    let (here, there) = (replica(&setup, server), replica(&setup, server));
    let (id, claim) = claim();
    begin(&there, &id, &claim).await;
    let waiters = listen(&here, &id, 1).await;
    complete(&there, &id, &claim, vec![0; 10]).await;
    awake(join_all(waiters).map(drop)).await;
}

#[actix_web::test]
async fn another_record_wakes_nobody() {
    let setup = Setup::new();
    let here = replica(&setup, RedisServer::shared());
    let ((id, mine), (other, others)) = (claim(), claim());
    begin(&here, &id, &mine).await;
    begin(&here, &other, &others).await;
    let mut mine = listen(&here, &id, 1).await.remove(0);
    let others_waiter = here.store.changed(&other).boxed_local();
    let mut others_waiter = others_waiter;
    assert_eq!((&mut others_waiter).now_or_never(), None);
    complete(&here, &other, &others, Vec::new()).await;
    awake(others_waiter).await;
    assert_eq!((&mut mine).now_or_never(), None);
}

#[actix_web::test]
async fn many_waiters_of_a_runtime_share_one_subscription() {
    let setup = Setup::new();
    let server = RedisServer::shared();
    let here = replica(&setup, server);
    let ids: Vec<_> = (0..50).map(|_| claim().0).collect();
    let mut waiters: Vec<_> = ids
        .iter()
        .map(|id| here.store.changed(id).boxed_local())
        .collect();
    // The first subscription wakes them all.
    awake(join_all(&mut waiters).map(drop)).await;
    let mut waiters: Vec<_> = ids
        .iter()
        .map(|id| here.store.changed(id).boxed_local())
        .collect();
    for waiter in &mut waiters {
        assert_eq!(waiter.now_or_never(), None);
    }
    let channel = format!("{}changed", setup.prefix);
    let subscribers = server.command(&["PUBSUB", "NUMSUB", &channel]).items();
    assert_eq!(subscribers[1].clone().int(), 1);
    assert_eq!(here.proxy.connections(), 1);
}

#[actix_web::test]
async fn a_subscription_that_broke_is_made_again_and_wakes_those_who_may_have_missed_something() {
    let setup = Setup::new();
    let server = own_server(&[]);
    let (here, there) = (replica(&setup, server), replica(&setup, server));
    let (id, claim) = claim();
    let waiters = listen(&here, &id, 5).await;
    server.restart();
    awake(join_all(waiters).map(drop)).await;
    let waiter = here.store.changed(&id).boxed_local();
    let mut waiter = waiter;
    assert_eq!((&mut waiter).now_or_never(), None);
    let begun = async { while there.store.begin(&id, &claim).await.is_err() {} };
    awake(begun).await;
    complete(&there, &id, &claim, Vec::new()).await;
    awake(waiter).await;
}

#[actix_web::test]
async fn a_dropped_store_ends_its_subscription() {
    let setup = Setup::new();
    let server = RedisServer::shared();
    let here = replica(&setup, server);
    let (id, _) = claim();
    awake(here.store.changed(&id)).await;
    let Replica { store, proxy } = here;
    drop(store);
    let channel = format!("{}changed", setup.prefix);
    // The runtime has to go on for the task to end.
    actix_web::rt::task::yield_now().await;
    eventually("no subscriber", || {
        let subscribers = server.command(&["PUBSUB", "NUMSUB", &channel]).items();
        subscribers[1].clone().int() == 0
    });
    drop(proxy);
}
