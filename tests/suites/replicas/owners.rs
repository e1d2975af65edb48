//! The process that runs the handler is killed, paused or busy.

use idempotency_actix_tests::redis::RedisServer;
use idempotency_actix_tests::{assert_in_flight, assert_problem};

use crate::site::{Replica, Site, assert_first, assert_replayed, at, eventually, gated};

/// The claim of a process without a sign of life: 409 until its lease is over.
fn wait_until_unknown(replica: &Replica) {
    let mut answer = replica.send(&gated("k"));
    assert_in_flight(&answer);
    eventually("the end of the lease", || {
        answer = replica.send(&gated("k"));
        if answer.status == 409 {
            assert_in_flight(&answer);
        }
        answer.status != 409
    });
    assert_problem(&answer, 500, "outcome-unknown");
}

#[test]
fn a_killed_owner_leaves_a_record_of_unknown_outcome_and_no_second_run() {
    let site = Site::with_short_lease(RedisServer::shared());
    let [owner, other] = site.pair();
    let mut client = site.start(&owner, &gated("k"));
    owner.kill();
    client.try_receive().expect_err("a cut connection");
    wait_until_unknown(&other);
    site.open("gate");
    for _ in 0..3 {
        assert_problem(&other.send(&gated("k")), 500, "outcome-unknown");
    }
    assert!(site.record().is_some());
    let successor = site.replica();
    assert_problem(&successor.send(&gated("k")), 500, "outcome-unknown");
    assert_eq!(site.runs("k"), 1);
}

#[test]
fn a_paused_owner_is_called_unknown_until_its_late_answer_is_accepted() {
    let site = Site::with_short_lease(RedisServer::shared());
    let [mut owner, other] = site.pair();
    let mut client = site.start(&owner, &gated("k"));
    owner.pause();
    wait_until_unknown(&other);
    site.open("gate");
    assert_problem(&other.send(&gated("k")), 500, "outcome-unknown");
    owner.resume();
    let first = client.receive();
    assert_first(&first);
    assert_eq!(first.header("idempotency-status"), None);
    assert_replayed(&site, &[owner, other], &gated("k"), &first);
}

#[test]
fn a_handler_that_blocks_its_worker_longer_than_the_lease_stays_in_flight() {
    let site = Site::with_short_lease(RedisServer::shared());
    let [owner, other] = site.pair();
    let request = at("/blocking", "k").header("X-Gate", "gate");
    let mut client = site.start(&owner, &request);
    // A renewal comes every third of the lease, so the fourth one comes after its end.
    let (mut renewals, mut left) = (0, site.time_to_live());
    eventually("four renewals", || {
        assert_in_flight(&other.send(&request));
        let before = std::mem::replace(&mut left, site.time_to_live());
        renewals += usize::from(left > before);
        renewals == 4
    });
    assert_in_flight(&other.send(&request));
    site.open("gate");
    let first = client.receive();
    assert_first(&first);
    assert_replayed(&site, &[owner, other], &request, &first);
}
