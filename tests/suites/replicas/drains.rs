//! Replicas that end what is in flight before they stop, as a deployment wants it.

use idempotency_actix_tests::HalfClosed;
use idempotency_actix_tests::redis::RedisServer;

use crate::site::{Site, assert_replay, gated};

/// A handler runs whose client has left, and its store stands still when the answer is to be recorded.
fn assert_finished_before_the_end(half_closed: HalfClosed) {
    let redis = RedisServer::start(&[]);
    let site = Site::on(&redis).drained(half_closed);
    let mut stopped = site.replica();
    let client = site.start(&stopped, &gated("k"));
    match half_closed {
        HalfClosed::Served => client.reset(),
        HalfClosed::Gone => drop(client),
    }
    site.wait_for("let-go", 1);
    stopped.drain();
    redis.freeze();
    site.open("gate");
    site.wait_for("end", 1);
    assert!(stopped.is_running());
    redis.thaw();
    assert_eq!(stopped.line(), "1 0");
    stopped.wait();
    let [one, other] = site.pair();
    let replay = one.send(&gated("k"));
    assert!(replay.status == 201 && replay.is_replay(), "{replay:?}");
    assert_replay(&other.send(&gated("k")), &replay);
    assert_eq!(site.runs("k"), 1);
}

#[test]
fn a_drained_replica_records_what_runs_without_its_client() {
    assert_finished_before_the_end(HalfClosed::Served);
}

#[test]
fn a_drained_replica_that_takes_half_closed_clients_for_gone_records_what_runs_without_them() {
    assert_finished_before_the_end(HalfClosed::Gone);
}
