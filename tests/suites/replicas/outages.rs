//! The Redis server is killed while a handler runs.

use idempotency_actix_tests::assert_problem;
use idempotency_actix_tests::redis::RedisServer;

use crate::site::{Site, assert_first, assert_replayed, gated};

/// Keeps on disk what it has confirmed.
const DURABLE: [(&str, &str); 2] = [("appendonly", "yes"), ("appendfsync", "always")];

#[test]
fn an_answer_that_finds_redis_down_is_marked_and_recorded_once_redis_is_back() {
    let redis = RedisServer::start(&DURABLE);
    let site = Site::on(&redis);
    let replicas = site.pair();
    let mut client = site.start(&replicas[0], &gated("k"));
    redis.kill();
    site.open("gate");
    let first = client.receive();
    assert_first(&first);
    assert_eq!(first.header("idempotency-status"), Some("unstored"));
    for replica in &replicas {
        assert_problem(&replica.send(&gated("k")), 503, "store-unavailable");
    }
    redis.restart();
    assert_replayed(&site, &replicas, &gated("k"), &first);
}

#[test]
fn a_claim_outlives_a_restart_of_a_redis_that_keeps_it_on_disk() {
    let redis = RedisServer::start(&DURABLE);
    let site = Site::on(&redis);
    let replicas = site.pair();
    let mut client = site.start(&replicas[0], &gated("k"));
    let record = site.record();
    redis.restart();
    assert_eq!((record.is_some(), site.record()), (true, record));
    site.open("gate");
    let first = client.receive();
    assert_first(&first);
    assert_eq!(first.header("idempotency-status"), None);
    assert_replayed(&site, &replicas, &gated("k"), &first);
}

#[test]
fn an_answer_whose_claim_redis_has_lost_is_recorded_all_the_same() {
    let redis = RedisServer::start(&[]);
    let site = Site::on(&redis);
    let replicas = site.pair();
    let mut client = site.start(&replicas[0], &gated("k"));
    assert!(site.record().is_some());
    redis.restart();
    assert_eq!(site.record(), None);
    site.open("gate");
    let first = client.receive();
    assert_first(&first);
    assert_eq!(first.header("idempotency-status"), None);
    assert_replayed(&site, &replicas, &gated("k"), &first);
}
