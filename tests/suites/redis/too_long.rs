//! Answers that the server refuses for their length, by closing the connection of whoever sends them.

use std::thread::sleep;
use std::time::{Duration, Instant};

use actix_web::HttpResponse;
use idempotency_actix::store::RedisPool;
use idempotency_actix::{IdempotencyBuilder, RedisStore, RedisStoreBuilder};
use idempotency_actix_tests::app::{Mode, Rig, Run};
use idempotency_actix_tests::redis::{RedisCluster, RedisServer, Reply, SentinelGroup};
use idempotency_actix_tests::{PATIENCE, Request, assert_in_flight, assert_problem, eventually};

use crate::site::{assert_first, assert_replay, own_server};

/// The least that a server can be told to refuse.
const LIMIT: usize = 1 << 20;

/// An answer that passes, with all that goes with it.
const LEAST: usize = LIMIT - 4096;

/// Just too long, and far.
const LENGTHS: [usize; 3] = [LIMIT, 1_500_000, 3_000_000];

/// How long clients may be told that it is in flight.
const SOON: Duration = Duration::from_secs(8);

/// Short, so that a test sees claims lapse that are not renewed.
const LEASE: Duration = Duration::from_secs(3);

/// A server that takes no longer values.
fn strict_server() -> &'static RedisServer {
    own_server(&[("proto-max-bulk-len", &LIMIT.to_string())])
}

fn rig(server: &RedisServer) -> Rig<RedisStore> {
    rig_on(server.pool(), |store| store)
}

/// A layer with the store's own time-out.
fn rig_on(
    pool: RedisPool,
    options: impl FnOnce(RedisStoreBuilder) -> RedisStoreBuilder,
) -> Rig<RedisStore> {
    let store = options(RedisStore::builder(pool)).build();
    let store = store.expect("options that can hold");
    let options = |layer: IdempotencyBuilder| {
        layer
            .lease(LEASE)
            .max_run(3 * PATIENCE)
            .max_response(4 * LIMIT)
    };
    Rig::new(Mode::Marked, store, options, answer)
}

/// Waits at the gate, unless the request asks for a length.
async fn answer(run: Run) -> HttpResponse {
    let body = String::from_utf8_lossy(&run.body);
    let body = match body.parse() {
        Ok(octets) => "x".repeat(octets),
        Err(_) => {
            run.gate.pass().await;
            match body.strip_prefix("gated ").map(str::parse) {
                Some(Ok(octets)) => "x".repeat(octets),
                _ => format!("run {}: {body}", run.number),
            }
        }
    };
    HttpResponse::build(run.status)
        .insert_header(("x-run", run.number.to_string()))
        .body(body)
}

/// One that is answered at such length.
fn long(rig: &Rig<RedisStore>, key: &str, octets: usize) -> Request {
    rig.request(key).body(octets.to_string())
}

fn assert_unstored(rig: &Rig<RedisStore>, request: &Request, octets: usize) {
    let first = rig.send_request(request);
    assert_eq!((first.status, first.body.len()), (201, octets));
    assert_eq!(first.header("idempotency-status"), Some("unstored"));
}

fn assert_stored(rig: &Rig<RedisStore>, request: &Request, octets: usize) {
    let first = rig.send_request(request);
    assert_eq!((first.status, first.body.len()), (201, octets));
    assert_eq!(first.header("idempotency-status"), None);
    assert_replayed(rig, request, octets);
}

fn assert_replayed(rig: &Rig<RedisStore>, request: &Request, octets: usize) {
    let retry = rig.send_request(request);
    assert_eq!((retry.status, retry.body.len()), (201, octets));
    assert!(retry.is_replay());
}

/// In flight, and soon not kept.
fn assert_becomes_not_kept(rig: &Rig<RedisStore>, request: &Request) {
    let start = Instant::now();
    let mut retry = rig.send_request(request);
    while retry.status == 409 && start.elapsed() < SOON {
        sleep(Duration::from_millis(500));
        retry = rig.send_request(request);
    }
    assert_problem(&retry, 410, "response-not-kept");
}

fn assert_is_not_kept(rig: &Rig<RedisStore>, lengths: &[usize]) {
    for &octets in lengths {
        let request = long(rig, &octets.to_string(), octets);
        assert_unstored(rig, &request, octets);
        assert_becomes_not_kept(rig, &request);
    }
    assert_eq!(rig.runs.count(), lengths.len());
    assert_stored(rig, &long(rig, "long", LEAST), LEAST);
}

#[test]
fn an_answer_that_is_too_long_for_the_server_becomes_not_kept() {
    assert_is_not_kept(&rig(strict_server()), &LENGTHS);
}

#[test]
fn an_answer_that_fills_the_buffer_of_a_query_becomes_not_kept() {
    let server = own_server(&[("client-query-buffer-limit", &LIMIT.to_string())]);
    assert_is_not_kept(&rig(server), &LENGTHS);
}

#[test]
fn an_answer_that_is_too_long_for_a_cluster_becomes_not_kept() {
    let cluster = RedisCluster::start(&[("proto-max-bulk-len", &LIMIT.to_string())]);
    assert_is_not_kept(&rig_on(cluster.pool(), |store| store), &LENGTHS);
}

#[test]
fn an_answer_that_is_too_long_for_a_primary_of_sentinels_becomes_not_kept() {
    let group = SentinelGroup::start(&[("proto-max-bulk-len", &LIMIT.to_string())]);
    assert_is_not_kept(&rig_on(group.pool(), |store| store), &LENGTHS);
}

#[test]
fn an_answer_that_is_too_long_becomes_not_kept_where_replicas_are_waited_for() {
    let server = strict_server();
    own_server(&[("replicaof", &format!("127.0.0.1 {}", server.port()))]);
    eventually("a replica", || {
        let replica = server.info("slave0");
        replica.is_some_and(|replica| replica.contains("state=online"))
    });
    let rig = rig_on(server.pool(), |store| store.wait_replicas(1));
    assert_is_not_kept(&rig, &LENGTHS);
}

/// Several at a time, and for longer than two leases.
fn assert_costs_no_renewals(rig: &Rig<RedisStore>) {
    let mut owner = rig.start("living");
    let start = Instant::now();
    let mut asked = 0;
    while start.elapsed() < 3 * LEASE {
        let before = asked;
        asked += 4;
        for number in before..asked {
            assert_unstored(rig, &long(rig, &number.to_string(), 1_500_000), 1_500_000);
        }
        let pause = Instant::now();
        while pause.elapsed() < LEASE / 4 {
            assert_in_flight(&rig.send("living"));
            sleep(Duration::from_millis(50));
        }
    }
    for number in 0..asked {
        assert_becomes_not_kept(rig, &long(rig, &number.to_string(), 1_500_000));
    }
    assert_in_flight(&rig.send("living"));
    rig.gate.open();
    assert_first(&owner.receive(), 1);
    assert_replay(&rig.send("living"), 1);
    assert_eq!(rig.runs.count(), 1 + asked);
}

#[test]
fn answers_that_are_too_long_cost_no_other_claim_its_renewals() {
    assert_costs_no_renewals(&rig(strict_server()));
}

#[test]
fn answers_that_are_too_long_for_a_cluster_cost_no_other_claim_its_renewals() {
    let cluster = RedisCluster::start(&[("proto-max-bulk-len", &LIMIT.to_string())]);
    assert_costs_no_renewals(&rig_on(cluster.pool(), |store| store));
}

/// On the workers' connections, too.
#[test]
fn answers_that_are_too_long_cost_no_other_request_its_connection() {
    let rig = rig(strict_server());
    rig.gate.open();
    let others = 400;
    std::thread::scope(|scope| {
        let storm = scope.spawn(|| {
            for number in 0..40 {
                let key = format!("long-{number}");
                assert_unstored(&rig, &long(&rig, &key, 1_500_000), 1_500_000);
            }
        });
        for number in 0..others {
            let request = rig.request(&number.to_string()).body("20");
            assert_stored(&rig, &request, 20);
        }
        storm.join().expect("true answers");
    });
}

/// One that the server takes is not given up for its neighbours.
#[test]
fn a_long_answer_is_recorded_among_those_that_are_too_long() {
    let server = strict_server();
    let rig = rig(server);
    std::thread::scope(|scope| {
        for number in 0..8 {
            let rig = &rig;
            scope.spawn(move || {
                let request = long(rig, &format!("long-{number}"), LIMIT);
                assert_unstored(rig, &request, LIMIT);
                assert_becomes_not_kept(rig, &request);
            });
        }
        for number in 0..20 {
            assert_stored(&rig, &long(&rig, &number.to_string(), LEAST), LEAST);
        }
    });
}

/// An outage is not the answer's fault, however long.
#[test]
fn a_long_answer_waits_for_a_server_that_is_down() {
    let server = own_server(&[("appendonly", "yes"), ("appendfsync", "always")]);
    let rig = rig(server);
    let request = rig.request("k").body("gated 1500000");
    let mut owner = rig.connect();
    owner.send(&request);
    rig.runs.wait_for(1);
    server.kill();
    rig.gate.open();
    let first = owner.receive();
    assert_eq!((first.status, first.body.len()), (201, 1_500_000));
    assert_eq!(first.header("idempotency-status"), Some("unstored"));
    // Far longer than a refusal takes.
    sleep(SOON);
    server.restart();
    eventually("an end of the outage", || {
        let retry = rig.send_request(&request);
        retry.status == 201 && retry.is_replay() && retry.body == first.body
    });
    assert_eq!(rig.runs.count(), 1);
}

/// Then it goes the way of all others.
#[test]
fn a_long_answer_is_recorded_where_no_other_connection_is_to_be_had() {
    let server = own_server(&[]);
    let rig = rig(server);
    let request = rig.request("k").body("gated 1500000");
    let mut owner = rig.connect();
    owner.send(&request);
    rig.runs.wait_for(1);
    let reply = server.command(&["CONFIG", "SET", "maxclients", "1"]);
    assert_eq!(reply, Reply::Simple("OK".to_owned()));
    rig.gate.open();
    let first = owner.receive();
    assert_eq!((first.status, first.body.len()), (201, 1_500_000));
    assert_eq!(first.header("idempotency-status"), None);
}
