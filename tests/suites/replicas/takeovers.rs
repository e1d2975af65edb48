//! What the other replicas do about a request whose process died or stands still, where its route lets
//! them decide.

use std::time::{Duration, Instant};

use idempotency_actix_tests::redis::RedisServer;
use idempotency_actix_tests::{Request, Response, assert_in_flight, assert_problem};

use crate::site::{Replica, Site, assert_first, assert_replay, eventually, gated};

fn site(on_unknown: &'static str) -> Site<'static> {
    Site::with_short_lease(RedisServer::shared()).on_unknown(on_unknown)
}

/// Retries until the claim is no longer in flight; every answer until then is a whole 409.
fn insist(replica: &Replica, request: &Request) -> Response {
    let mut answer = replica.send(request);
    assert_in_flight(&answer);
    eventually("a decision", || {
        answer = replica.send(request);
        if answer.status == 409 {
            assert_in_flight(&answer);
        }
        answer.status != 409
    });
    answer
}

/// The time since the only claim's last sign of life, after which it is kept for a day.
fn age(site: &Site) -> Duration {
    let left = u64::try_from(site.time_to_live()).expect("a claim that expires");
    Duration::from_secs(24 * 60 * 60) - Duration::from_millis(left)
}

fn assert_replayed_by(replicas: &[&Replica], first: &Response) {
    for replica in replicas {
        assert_replay(&replica.settle(&gated("k")), first);
    }
}

#[test]
fn a_killed_owner_is_taken_over_once_and_one_generation_higher() {
    let site = site("rerun");
    let [owner, other] = site.pair();
    let mut client = site.start(&owner, &gated("k"));
    owner.kill();
    client.try_receive().expect_err("a cut connection");
    site.open("gate");
    let first = insist(&other, &gated("k"));
    assert_first(&first);
    assert_replayed_by(&[&other, &site.replica()], &first);
    assert_eq!(site.runs("k"), 2);
    assert_eq!(site.events("generation-1").len(), 1);
    assert_eq!(site.events("generation-2").len(), 1);
}

#[test]
fn a_killed_owner_is_in_flight_for_half_a_lease_after_it_was_first_seen_lapsed() {
    let site = site("rerun");
    let [owner, other] = site.pair();
    site.start(&owner, &gated("k"));
    owner.kill();
    site.open("gate");
    let mut last_live = Instant::now();
    eventually("a takeover", || {
        let answer = other.send(&gated("k"));
        let taken_over = answer.status == 201;
        if !taken_over && age(&site) < site.lease() {
            last_live = Instant::now();
        }
        taken_over
    });
    let watched = last_live.elapsed();
    assert!(watched >= site.lease() / 2, "{watched:?}");
    assert_eq!(site.runs("k"), 2);
}

#[test]
fn a_paused_owner_that_was_taken_over_does_not_give_its_own_answer() {
    let site = site("rerun");
    let [mut owner, other] = site.pair();
    let mut client = site.start(&owner, &gated("k"));
    owner.pause();
    site.open("gate");
    let first = insist(&other, &gated("k"));
    assert_first(&first);
    owner.resume();
    assert_replay(&client.receive(), &first);
    assert_replayed_by(&[&owner, &other], &first);
    assert_eq!(site.events("end").len(), 2);
    assert_eq!(site.runs("k"), 2);
}

#[test]
fn a_paused_owner_that_goes_on_in_time_keeps_its_claim() {
    let site = site("rerun");
    let [mut owner, other] = site.pair();
    let mut client = site.start(&owner, &gated("k"));
    owner.pause();
    eventually("the end of the lease", || age(&site) >= site.lease());
    assert_in_flight(&other.send(&gated("k")));
    owner.resume();
    eventually("a sign of life", || age(&site) < site.lease());
    for _ in 0..3 {
        assert_in_flight(&other.send(&gated("k")));
    }
    site.open("gate");
    let first = client.receive();
    assert_first(&first);
    assert_replayed_by(&[&owner, &other], &first);
    assert_eq!(site.runs("k"), 1);
}

#[test]
fn retries_at_several_replicas_are_one_rerun() {
    let site = site("rerun");
    let [owner, other] = site.pair();
    let third = site.replica();
    site.start(&owner, &gated("k"));
    owner.kill();
    site.open("gate");
    let answers = std::thread::scope(|scope| {
        let retries = [&other, &third, &other, &third]
            .map(|replica| scope.spawn(|| replica.settle(&gated("k"))));
        retries.map(|retry| retry.join().expect("an answer"))
    });
    let (replays, firsts): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.is_replay());
    assert_eq!(firsts.len(), 1, "{answers:?}");
    assert_first(firsts[0]);
    for replay in replays {
        assert_replay(replay, firsts[0]);
    }
    assert_eq!(site.runs("k"), 2);
}

#[test]
fn what_was_found_out_about_a_killed_owner_is_replayed_by_all() {
    let site = site("recover");
    let [owner, other] = site.pair();
    site.start(&owner, &gated("k"));
    owner.kill();
    let found = insist(&other, &gated("k"));
    assert_eq!((found.status, found.text().as_str()), (201, "found"));
    assert!(found.is_replay(), "{found:?}");
    assert_replayed_by(&[&other, &site.replica()], &found);
    assert_eq!(site.runs("k"), 1);
    assert_eq!(site.events("recovery-2").len(), 1);
}

#[test]
fn a_paused_owner_gives_its_client_what_was_found_out_about_it() {
    let site = site("recover");
    let [mut owner, other] = site.pair();
    let mut client = site.start(&owner, &gated("k"));
    owner.pause();
    let found = insist(&other, &gated("k"));
    site.open("gate");
    owner.resume();
    assert_replay(&client.receive(), &found);
    assert_eq!(site.runs("k"), 1);
}

#[test]
fn an_owner_that_answers_while_it_is_asked_about_wins() {
    let site = site("recover");
    let [mut owner, other] = site.pair();
    let request = gated("k").header("X-Recovery-Gate", "found");
    let mut client = site.start(&owner, &request);
    owner.pause();
    let asked = std::thread::scope(|scope| {
        let retry = scope.spawn(|| insist(&other, &request));
        site.wait_for("recovery-2", 1);
        site.open("gate");
        owner.resume();
        let first = client.receive();
        assert_first(&first);
        site.open("found");
        (retry.join().expect("an answer"), first)
    });
    assert_replay(&asked.0, &asked.1);
    assert_eq!(site.runs("k"), 1);
}

/// The right to ask goes with the process that had it, one lease later.
#[test]
fn a_replica_that_is_killed_while_it_asks_is_followed_by_another() {
    let site = site("recover");
    let [owner, asking] = site.pair();
    let other = site.replica();
    let request = gated("k").header("X-Recovery-Gate", "found");
    site.start(&owner, &request);
    owner.kill();
    std::thread::scope(|scope| {
        let retry = scope.spawn(|| {
            eventually("a question", || {
                let mut client = asking.ask(&request);
                client.try_receive().is_err()
            });
        });
        site.wait_for("recovery-2", 1);
        asking.kill();
        retry.join().expect("a cut connection");
    });
    site.open("found");
    let found = insist(&other, &request);
    assert_eq!((found.status, found.text().as_str()), (201, "found"));
    assert!(site.events("recovery-2").len() >= 2);
    assert_eq!(site.runs("k"), 1);
}

#[test]
fn a_killed_owner_is_left_alone_where_nobody_may_decide() {
    let site = site("reject");
    let [owner, other] = site.pair();
    site.start(&owner, &gated("k"));
    owner.kill();
    site.open("gate");
    assert_problem(&insist(&other, &gated("k")), 500, "outcome-unknown");
    assert_eq!(site.runs("k"), 1);
}
