//! A primary fails or is replaced: what all replicas had is not lost, and stores go on by themselves.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::{self, Bytes};
use actix_web::{App, HttpResponse};
use futures_util::future::join_all;
use idempotency_actix::store::{
    Begun, Claim, Completion, Finished, Record, RecordId, RedisPool, State, Store, StoreErrorKind,
    StoredResponse,
};
use idempotency_actix::{Idempotency, KeyScope, RedisStore};
use idempotency_actix_tests::redis::{
    Proxy, RedisCluster, RedisServer, Reply, SentinelGroup, pool,
};
use idempotency_actix_tests::{
    PATIENCE, Request, Server, eventually_async, fresh_claim, fresh_id, serve, until,
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Eight requests at a time, so that each may have a connection of its own.
const CLIENTS: usize = 8;

fn waiting_for(replicas: usize, pool: RedisPool) -> RedisStore {
    let builder = RedisStore::builder(pool).wait_replicas(replicas);
    builder.build().expect("a store")
}

/// The key of a record, with the default prefix.
fn key(id: &RecordId) -> String {
    format!("idem:{{{id}}}")
}

fn a_claim() -> Claim {
    fresh_claim(Duration::from_secs(30), DAY)
}

fn answer() -> Finished {
    let body = Bytes::from_static(b"paid");
    Finished::Completed(StoredResponse::new(StatusCode::CREATED, [], Some(body)))
}

async fn is_claimed(store: &RedisStore, id: &RecordId, claim: &Claim) -> bool {
    matches!(store.begin(id, claim).await, Ok(Begun::Claimed { .. }))
}

/// Claims a fresh record and completes it; `None` unless both were acknowledged.
async fn paid(store: &RedisStore) -> Option<RecordId> {
    let (id, claim) = (fresh_id(), a_claim());
    if !is_claimed(store, &id, &claim).await {
        return None;
    }
    let completed = store.complete(&id, &claim, &answer(), DAY).await;
    matches!(completed, Ok(Completion::Recorded)).then_some(id)
}

/// The same once all replicas that are waited for confirm it.
async fn paid_by_all(store: &RedisStore) -> RecordId {
    let mut id = None;
    eventually_async("a record that all have", async || {
        id = paid(store).await;
        id.is_some()
    })
    .await;
    id.expect("a record")
}

fn is_answer(record: &Record) -> bool {
    matches!(&record.state, State::Finished(finished) if *finished == answer())
}

/// Whether a retry gets the answer.
async fn is_replayed(store: &RedisStore, id: &RecordId) -> bool {
    let begun = store.begin(id, &a_claim()).await;
    matches!(&begun, Ok(Begun::Found(record)) if is_answer(record))
}

/// Claims and completes fresh records until `event` is over; returns those that were acknowledged.
fn under_load(store: &RedisStore, event: impl FnOnce()) -> Vec<RecordId> {
    let is_over = AtomicBool::new(false);
    let client = async || {
        let mut acknowledged = Vec::new();
        while !is_over.load(Ordering::Relaxed) {
            acknowledged.extend(paid(store).await);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        acknowledged
    };
    let load = || block_on(join_all((0..CLIENTS).map(|_| client())));
    std::thread::scope(|scope| {
        let load = scope.spawn(load);
        // Also of a test that fails, the load ends.
        let ended = catch_unwind(AssertUnwindSafe(event));
        is_over.store(true, Ordering::Relaxed);
        ended.unwrap_or_else(|panic| resume_unwind(panic));
        load.join().expect("a load that ends").concat()
    })
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    actix_web::rt::System::new().block_on(future)
}

/// By hand, since the old primary is well, and goes on granting claims until somebody tells it.
#[test]
fn a_failover_under_load_loses_nothing_that_all_replicas_have() {
    let group = SentinelGroup::start(&[]);
    let store = waiting_for(2, group.pool_of(2 * CLIENTS));
    block_on(paid_by_all(&waiting_for(2, group.pool_of(2 * CLIENTS))));
    let acknowledged = under_load(&store, || {
        std::thread::sleep(Duration::from_millis(500));
        let old = group.primary();
        fail_over(&group, "1000");
        group.wait_for_failover(old);
    });
    assert!(acknowledged.len() > 100, "{} claims", acknowledged.len());
    block_on(async {
        eventually_async("a claim that all have", async || {
            paid(&store).await.is_some()
        })
        .await;
        let other = RedisStore::new(group.pool_of(2 * CLIENTS));
        for id in &acknowledged {
            let record = other.inspect(id).await.expect("an answer");
            assert!(record.as_ref().is_some_and(is_answer), "{record:?}");
        }
    });
}

/// Four periods later sentinels tell a primary that they take for a replica. Where that is shorter than the
/// failover, one of them demotes the new primary at once.
fn fail_over(group: &SentinelGroup, publish_period: &str) {
    let pace = ["SENTINEL", "DEBUG", "publish-period", publish_period];
    for sentinel in group.sentinels() {
        sentinel.command(&pace).text();
    }
    // A replica counts as fit once its sentinel has heard of it again.
    let order = ["SENTINEL", "FAILOVER", group.service()];
    let obeys = || group.sentinels()[0].command(&order) == Reply::Simple("OK".to_owned());
    until(PATIENCE, || obeys().then_some(())).expect("a replica that is fit");
}

#[actix_web::test]
async fn after_the_death_of_a_primary_the_store_claims_and_replays_by_itself() {
    let group = SentinelGroup::start(&[]);
    let before = paid_by_all(&waiting_for(2, group.pool_of(2 * CLIENTS))).await;
    let store = RedisStore::new(group.pool_of(2 * CLIENTS));
    assert!(is_replayed(&store, &before).await);

    group.wait_for_failover(group.kill_primary());
    eventually_async("a claim", async || paid(&store).await.is_some()).await;
    assert!(is_replayed(&store, &before).await);
}

/// Until sentinels get round to it, the old primary takes writes, and forgets them later.
#[actix_web::test]
async fn a_store_leaves_an_old_primary_that_still_takes_writes() {
    let group = SentinelGroup::start(&[]);
    let old = group.primary();
    let store = RedisStore::new(group.pool_of(2 * CLIENTS));
    assert!(paid(&store).await.is_some());

    fail_over(&group, "10000");
    eventually_async("a claim on the new primary", async || {
        let Some(id) = paid(&store).await else {
            return false;
        };
        let mut servers = group.servers().iter();
        let new = servers.find(|it| it.port() != old.port() && is_primary(it));
        new.is_some_and(|new| new.command(&["EXISTS", &key(&id)]).int() == 1)
    })
    .await;
    assert!(is_primary(old), "the sentinels told it already");
}

fn is_primary(server: &RedisServer) -> bool {
    server.info("role").is_some_and(|role| role == "master")
}

#[actix_web::test]
async fn after_the_death_of_a_primary_the_cluster_replays_and_claims() {
    let cluster = RedisCluster::start(&[]);
    let before = paid_by_all(&waiting_for(1, cluster.pool())).await;
    let store = RedisStore::new(cluster.pool());
    assert!(is_replayed(&store, &before).await);

    let old = cluster.kill_primary_of(&key(&before));
    eventually_async("a replay", async || is_replayed(&store, &before).await).await;
    let promoted = cluster.wait_for_promotion(&key(&before), old).port();
    let is_there = |id: &RecordId| cluster.primary_of(&key(id)).port() == promoted;
    let id = std::iter::repeat_with(fresh_id).find(is_there);
    let (id, claim) = (id.expect("no end"), a_claim());
    assert!(is_claimed(&store, &id, &claim).await);
}

#[actix_web::test]
async fn without_the_replicas_claims_are_refused_and_released_and_replays_go_on() {
    let server = RedisServer::start(&[]);
    let runs = web::Data::new(AtomicUsize::new(0));
    let start = |replicas| {
        let builder = RedisStore::builder(server.pool()).wait_replicas(replicas);
        let store = builder.timeout(Duration::from_millis(300)).build();
        let layer = Idempotency::builder(store.expect("a store"), KeyScope::everyone())
            .lease(Duration::from_secs(1))
            .all_routes()
            .build()
            .expect("a layer");
        let runs = runs.clone();
        serve(move || {
            let handler = async |runs: web::Data<AtomicUsize>| {
                runs.fetch_add(1, Ordering::Relaxed);
                HttpResponse::Created().body("paid")
            };
            let app = App::new().app_data(runs.clone()).wrap(layer.clone());
            app.route("/pay", web::post().to(handler))
        })
    };
    let send = |server: &Server, key| server.send(Request::post("/pay").key(key));
    let (careless, careful) = (start(0), start(1));
    assert_eq!(send(&careless, "before").status, 201);

    let refused = send(&careful, "after");
    assert_eq!(refused.problem().as_deref(), Some("store-unavailable"));
    assert!(send(&careful, "before").is_replay());
    assert_eq!(runs.load(Ordering::Relaxed), 1);
    let records = || server.command(&["DBSIZE"]).int();
    let is_released = until(Duration::from_secs(5), || (records() == 1).then_some(()));
    assert!(is_released.is_some(), "{} records", records());
}

/// Where no sentinel closes its clients' connections, a pool would hand them out for ever.
#[test]
fn a_connection_to_a_demoted_primary_is_not_borrowed_again() {
    let server = RedisServer::start(&[]);
    let proxy = Proxy::to(server.addr());
    let store = waiting_for(1, pool(&proxy.url()).into());
    let demote = ["REPLICAOF", "127.0.0.1", "1"];
    server.command(&demote).text();

    for connections in 1..=3 {
        let begun = block_on(store.begin(&fresh_id(), &a_claim()));
        let error = begun.expect_err("a replica takes no claim");
        assert_eq!(error.kind(), StoreErrorKind::Refused);
        assert_eq!(proxy.connections(), connections);
    }
}

#[actix_web::test]
async fn a_cluster_that_lost_a_shard_claims_nothing_and_replays_until_it_is_whole() {
    let cluster = RedisCluster::start(&[("cluster-allow-reads-when-down", "yes")]);
    let store = RedisStore::new(cluster.pool());
    let before = paid(&store).await.expect("a cluster that serves");
    let holder = cluster.primary_of(&key(&before)).port();
    let primaries = &cluster.nodes()[..3];
    let lost = primaries.iter().position(|node| node.port() != holder);
    let lost = lost.expect("three shards");
    let shard = [lost, lost + 3].map(|node| &cluster.nodes()[node]);

    shard.iter().for_each(|node| node.kill());
    let holder = primaries.iter().find(|node| node.port() == holder);
    let holder = holder.expect("the primary of the record");
    let state = || holder.command(&["CLUSTER", "INFO"]).text();
    let down = until(PATIENCE, || {
        state().contains("cluster_state:fail").then_some(())
    });
    down.expect("a cluster that is down");
    assert!(store.begin(&fresh_id(), &a_claim()).await.is_err());
    eventually_async("a replay", async || is_replayed(&store, &before).await).await;

    shard.iter().for_each(|node| node.restart());
    eventually_async("a claim", async || paid(&store).await.is_some()).await;
    assert!(is_replayed(&store, &before).await);
}
