//! Claims and their leases on the server's clock. Tests move a claim in time by its time to live.

use std::time::{Duration, Instant};

use idempotency_actix::OnUnknown;
use idempotency_actix::store::{Released, Store};
use idempotency_actix_tests::redis::{Harm, RedisServer, Rule};
use idempotency_actix_tests::{Client, assert_problem, eventually, fresh_claim, incidents};

use crate::site::{Setup, Site, assert_first, assert_replay, assert_unstored};

const LEASE_MS: i64 = 30_000;

fn left(site: &Site, key: &str) -> i64 {
    site.redis.command(&["PTTL", key]).int()
}

/// An owner at its gate, cut off from the server so that nothing renews its claim, and another site
/// with the same records.
fn cut_off() -> (Site, Client, Site) {
    cut_off_from(&Setup::impatient())
}

fn cut_off_from(setup: &Setup) -> (Site, Client, Site) {
    let owners = setup.on(RedisServer::shared());
    owners.gate.close();
    let owner = owners.start("k");
    owners.proxy.refuse_connections();
    owners.proxy.sever();
    let others = setup.on(RedisServer::shared());
    (owners, owner, others)
}

/// Lets the claim's last sign of life be so long ago.
fn age(site: &Site, key: &str, ms: i64) {
    let left = (left(site, key) - ms).to_string();
    assert_eq!(site.redis.command(&["PEXPIRE", key, &left]).int(), 1);
}

#[test]
fn a_claim_without_an_expiry_is_alive_and_gets_it_back() {
    let (owners, _owner, others) = cut_off();
    let key = others.key();
    let before = left(&others, &key);
    assert_eq!(others.redis.command(&["PERSIST", &key]).int(), 1);
    assert_problem(&others.send("k"), 409, "in-flight");
    let after = left(&others, &key);
    assert!(
        before - 1_000 <= after && after <= before + 60_000,
        "{after}"
    );
    assert_eq!(owners.runs.count() + others.runs.count(), 1);
}

#[test]
fn a_claim_is_in_flight_until_its_lease_is_over() {
    let (owners, _owner, others) = cut_off();
    let key = others.key();
    age(&others, &key, LEASE_MS - 10_000);
    assert_problem(&others.send("k"), 409, "in-flight");
    age(&others, &key, 10_000);
    assert_problem(&others.send("k"), 500, "outcome-unknown");
    assert_eq!(owners.runs.count() + others.runs.count(), 1);
}

#[test]
fn a_lapsed_claim_is_unknown_by_reading_and_nothing_is_written() {
    let (owners, _owner, others) = cut_off();
    let key = others.key();
    age(&others, &key, LEASE_MS);
    let seen = || {
        let dump = others.redis.command(&["DUMP", &key]);
        (dump, others.redis.command(&["PEXPIRETIME", &key]))
    };
    let before = seen();
    for _ in 0..3 {
        assert_problem(&others.send("k"), 500, "outcome-unknown");
    }
    assert_eq!(seen(), before);
    assert_eq!(owners.runs.count() + others.runs.count(), 1);
}

#[test]
fn readers_go_by_the_lease_in_the_claim_and_not_by_their_own() {
    let setup = Setup::impatient();
    let owners = setup.on(RedisServer::shared());
    owners.gate.close();
    let _owner = owners.start("k");
    owners.proxy.refuse_connections();
    owners.proxy.sever();
    let others = setup.clone().lease(3 * crate::site::SHORT);
    let others = others.on(RedisServer::shared());
    age(&others, &others.key(), LEASE_MS - 10_000);
    assert_problem(&others.send("k"), 409, "in-flight");
}

#[test]
fn the_late_answer_of_a_lapsed_claim_is_accepted() {
    let (owners, mut owner, others) = cut_off();
    age(&others, &others.key(), LEASE_MS);
    assert_problem(&others.send("k"), 500, "outcome-unknown");
    owners.gate.open();
    assert_unstored(&owner.receive(), 1);
    assert_problem(&others.send("k"), 500, "outcome-unknown");
    owners.proxy.accept();
    eventually("the late answer", || others.send("k").is_replay());
    assert_replay(&others.send("k"), 1);
    assert_eq!(others.runs.count(), 0);
}

#[test]
fn a_claim_that_the_server_lost_is_recorded_and_counted() {
    incidents::start();
    let site = Setup::new().on(RedisServer::shared());
    site.gate.close();
    let mut owner = site.start("k");
    site.redis.command(&["DEL", &site.key()]);
    let before = incidents::count("recorded_absent");
    site.gate.open();
    assert_first(&owner.receive(), 1);
    assert!(incidents::count("recorded_absent") > before);
    site.assert_replays("k", 1);
    let left = left(&site, &site.key());
    assert!(left > 0, "it expires");
}

#[test]
fn a_claim_is_kept_for_a_day_and_an_answer_of_any_size_for_its_ttl() {
    const DAY: i64 = 24 * 60 * 60 * 1000;
    for octets in [10, 20_000] {
        let site = Setup::new().on(RedisServer::shared());
        site.gate.close();
        let mut owner = site.connect();
        owner.send(&site.request("k").body("x".repeat(octets)));
        site.runs.wait_for(1);
        let key = site.key();
        let claim = left(&site, &key);
        assert!((DAY - 60_000..=DAY).contains(&claim), "{claim}");
        age(&site, &key, 5_000_000);
        site.gate.open();
        assert_eq!(owner.receive().status, 201);
        let answer = left(&site, &key);
        assert!((DAY - 60_000..=DAY).contains(&answer), "{answer}");
    }
}

/// What a slow network delivers late must not undo what the owner did since.
#[test]
fn a_release_of_another_token_changes_nothing() {
    let setup = Setup::new();
    let site = setup.on(RedisServer::shared());
    site.gate.close();
    let mut owner = site.start("k");
    let id = site.record_id();
    let claim = fresh_claim(setup.lease, setup.lease);
    let store = setup.store(site.redis);
    let released =
        actix_web::rt::System::new().block_on(async { store.release(&id, &claim).await });
    assert_eq!(released.expect("an answer"), Released::NotOwner);
    assert_problem(&site.send("k"), 409, "in-flight");
    site.gate.open();
    assert_first(&owner.receive(), 1);
    site.assert_replays("k", 1);
}

/// A lease of which half passes in a test.
const BRIEF: Duration = Duration::from_secs(2);

/// An owner that lapsed a second ago, in the eyes of sites that rerun, which have watched it for half a
/// lease.
fn ripe() -> (Site, Client, Site) {
    let setup = Setup {
        on_unknown: OnUnknown::Rerun,
        ..Setup::impatient().lease(BRIEF)
    };
    let (owners, owner, others) = cut_off_from(&setup);
    age(&others, &others.key(), 3_000);
    assert_problem(&others.send("k"), 409, "in-flight");
    std::thread::sleep(BRIEF / 2);
    (owners, owner, others)
}

/// The owner renews so much time before now.
fn renew_ago(site: &Site, key: &str, ms: i64) {
    const DAY: i64 = 24 * 60 * 60 * 1000;
    let left = (DAY - ms).to_string();
    assert_eq!(site.redis.command(&["PEXPIRE", key, &left]).int(), 1);
}

#[test]
fn a_lapsed_claim_is_taken_over_and_its_first_owner_gives_the_answer_of_the_second() {
    let (owners, mut owner, others) = ripe();
    assert_first(&others.send("k"), 1);
    owners.proxy.accept();
    // Both workers have to have a connection again, and take turns.
    let mut replays = 0;
    eventually("a store within reach", || {
        replays = if owners.send("k").is_replay() {
            replays + 1
        } else {
            0
        };
        replays == 8
    });
    owners.gate.open();
    assert_replay(&owner.receive(), 1);
    assert_eq!((owners.runs.count(), others.runs.count()), (1, 1));
    others.assert_replays("k", 1);
}

/// The same octets, and lapsed: only the moment of expiry tells that the owner has lived in between.
#[test]
fn an_owner_that_renewed_since_the_first_look_is_watched_anew() {
    let (_owners, _owner, others) = ripe();
    renew_ago(&others, &others.key(), 2_500);
    let before = Instant::now();
    assert_problem(&others.send("k"), 409, "in-flight");
    assert_eq!(others.runs.count(), 0);
    assert_first(&others.settle(&others.request("k")), 1);
    assert!(before.elapsed() >= BRIEF / 2, "{:?}", before.elapsed());
}

#[test]
fn an_owner_that_renews_at_the_moment_of_takeover_keeps_its_claim() {
    let (_owners, _owner, others) = ripe();
    let (key, redis) = (others.key(), others.redis);
    let renewed = Rule::when(
        move |command| {
            // A step that sets another value is about to arrive.
            if command.iter().any(|argument| argument == b"set") {
                let left = redis.command(&["PTTL", &key]).int() + 50;
                redis.command(&["PEXPIRE", &key, &left.to_string()]);
            }
            false
        },
        Harm::CutBefore,
    );
    others.proxy.arm(renewed);
    assert_problem(&others.send("k"), 409, "in-flight");
    assert_eq!(others.runs.count(), 0);
}
