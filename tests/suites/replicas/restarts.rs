//! Replicas that are stopped and replaced, as in every deployment.

use idempotency_actix_tests::assert_in_flight;
use idempotency_actix_tests::redis::RedisServer;

use crate::site::{Site, assert_first, assert_replay, assert_replayed, essence, gated, request};

#[test]
fn a_stopped_replica_answers_and_records_what_it_has_begun() {
    let site = Site::on(RedisServer::shared());
    let [mut stopped, other] = site.pair();
    let mut client = site.start(&stopped, &gated("k"));
    stopped.stop();
    assert_in_flight(&other.send(&gated("k")));
    site.open("gate");
    let first = client.receive();
    assert_first(&first);
    assert_eq!(first.header("idempotency-status"), None);
    stopped.wait();
    assert_replayed(&site, &[other], &gated("k"), &first);
}

#[test]
fn a_new_replica_replays_the_records_of_the_one_before() {
    let site = Site::on(RedisServer::shared());
    let mut old = site.replica();
    let first = old.send(&request("k"));
    assert_first(&first);
    old.stop();
    old.wait();
    assert_replayed(&site, &[site.replica()], &request("k"), &first);
}

#[test]
fn another_prefix_forgets_all_records() {
    let site = Site::on(RedisServer::shared());
    let old = site.replica();
    let first = old.send(&request("k"));
    let new = site.replica_with_prefix("other:");
    let second = new.send(&request("k"));
    assert_first(&second);
    assert_ne!(essence(&second), essence(&first));
    assert_replay(&new.send(&request("k")), &second);
    assert_replay(&old.send(&request("k")), &first);
    assert_eq!(site.runs("k"), 2);
}
