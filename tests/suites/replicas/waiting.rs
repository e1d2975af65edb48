//! Retries at one replica that wait for a first request at another.

use std::time::{Duration, Instant};

use idempotency_actix_tests::assert_problem;
use idempotency_actix_tests::redis::RedisServer;

use crate::contest::{DUPLICATES, contest, first_of, keys, send};
use crate::site::{
    Site, assert_first, assert_replay, assert_replayed, eventually, gated, gated_by,
};

#[test]
fn a_waiter_is_answered_when_another_replica_completes() {
    for site in [
        Site::on(RedisServer::shared()).told(),
        Site::on(RedisServer::shared()).polling(),
    ] {
        let [owner, other] = site.pair();
        let mut client = site.start(&owner, &gated("k"));
        let mut waiter = other.ask(&gated("k"));
        let own_waiter = owner.ask(&gated("k"));
        site.open("gate");
        let first = client.receive();
        assert_first(&first);
        for waiter in [&mut waiter, &mut { own_waiter }] {
            assert_replay(&waiter.receive(), &first);
        }
        assert_replayed(&site, &[owner, other], &gated("k"), &first);
    }
}

/// What a notification is for: polls are a second or two apart by then, and half of the waiters would
/// not be answered in a fifth of one.
#[test]
fn half_of_the_waiters_are_answered_within_moments_of_a_completion_elsewhere() {
    const OPERATIONS: usize = 50;
    let redis = RedisServer::start(&[]);
    let site = Site::on(&redis).told();
    let [owner, other] = site.pair();
    let keys: Vec<_> = (0..OPERATIONS).map(|n| format!("k{n}")).collect();
    let request = |key: &str| gated_by(&format!("gate-{key}"), key);
    let owners: Vec<_> = keys.iter().map(|key| owner.ask(&request(key))).collect();
    site.wait_for("start", OPERATIONS);
    let waiters: Vec<_> = keys.iter().map(|key| other.ask(&request(key))).collect();
    let asked = OPERATIONS as u64 * (1 + 1 + 7);
    eventually("seven polls of each waiter", || {
        site.claims_asked() >= asked
    });
    let clients = keys.iter().zip(owners.into_iter().zip(waiters));
    let mut delays: Vec<_> = clients
        .map(|(key, (mut owner, mut waiter))| {
            site.open(&format!("gate-{key}"));
            let first = owner.receive();
            let completed = Instant::now();
            let replay = waiter.receive();
            let delay = completed.elapsed();
            assert_first(&first);
            assert_replay(&replay, &first);
            delay
        })
        .collect();
    delays.sort_unstable();
    let median = delays[OPERATIONS / 2];
    println!(
        "answered after {median:?} at the median, {:?} at most",
        delays[OPERATIONS - 1]
    );
    assert!(median < Duration::from_millis(200), "{delays:?}");
    assert_eq!(site.events("start").len(), OPERATIONS);
}

#[test]
fn each_worker_has_one_subscription_for_all_its_waiters() {
    let site = Site::on(RedisServer::shared()).told();
    let replicas = site.pair();
    let mut clients = vec![];
    for key in ["a", "b", "c"] {
        clients.push(site.start(&replicas[0], &gated(key)));
        for replica in &replicas {
            clients.extend((0..8).map(|_| replica.ask(&gated(key))));
        }
    }
    // Two replicas of two workers each.
    eventually("subscribers", || site.subscribers() > 0);
    site.open("gate");
    for mut client in clients {
        assert_eq!(client.receive().status, 201);
    }
    let subscribers = site.subscribers();
    assert!((1..=4).contains(&subscribers), "{subscribers}");
    assert_eq!(site.events("start").len(), 3);
}

#[test]
fn a_waiter_for_a_replica_that_is_killed_is_told_that_nobody_knows() {
    let site = Site::with_short_lease(RedisServer::shared()).told();
    let [owner, other] = site.pair();
    let client = site.start(&owner, &gated("k"));
    let mut waiter = other.ask(&gated("k"));
    owner.kill();
    assert_problem(&waiter.receive(), 500, "outcome-unknown");
    assert_eq!(site.runs("k"), 1);
    drop(client);
}

#[test]
fn all_duplicates_of_a_hundred_contested_keys_get_the_one_answer() {
    for site in [
        Site::on(RedisServer::shared()).told(),
        Site::on(RedisServer::shared()).polling(),
    ] {
        let replicas = site.pair();
        let answers = contest(&replicas, send, || {});
        for (key, answers) in keys().zip(answers) {
            assert_eq!(answers.len(), DUPLICATES);
            assert!(answers.iter().all(|answer| answer.status == 201));
            first_of(&answers);
            assert_eq!(site.runs(&key), 1, "{key}");
        }
    }
}

#[test]
fn a_stopped_replica_answers_its_waiters() {
    let site = Site::on(RedisServer::shared()).told();
    let [owner, mut stopped] = site.pair();
    let mut client = site.start(&owner, &gated("k"));
    let mut waiter = stopped.ask(&gated("k"));
    eventually("a waiter", || site.subscribers() == 1);
    stopped.stop();
    site.open("gate");
    let first = client.receive();
    assert_replay(&waiter.receive(), &first);
    stopped.wait();
    assert_eq!(site.runs("k"), 1);
}
