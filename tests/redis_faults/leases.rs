//! Claims and their leases on the server's clock. Tests move a claim in time by its time to live.

use idempotency_actix_tests::redis::RedisServer;

use crate::counted;
use crate::site::{Setup, Site, assert_first, assert_problem, assert_replay, assert_unstored};

const LEASE_MS: i64 = 30_000;

fn left(site: &Site, key: &str) -> i64 {
    site.redis.command(&["PTTL", key]).int()
}

/// An owner at its gate, cut off from the server so that nothing renews its claim, and another site
/// with the same records.
fn cut_off() -> (Site, idempotency_actix_tests::Client, Site) {
    let setup = Setup::impatient();
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
    owners.gate.let_through();
    assert_unstored(&owner.receive(), 1);
    assert_problem(&others.send("k"), 500, "outcome-unknown");
    owners.proxy.accept();
    crate::site::eventually("the late answer", || others.send("k").is_replay());
    assert_replay(&others.send("k"), 1);
    assert_eq!(others.runs.count(), 0);
}

#[test]
fn a_claim_that_the_server_lost_is_recorded_and_counted() {
    counted::start();
    let site = Setup::new().on(RedisServer::shared());
    site.gate.close();
    let mut owner = site.start("k");
    site.redis.command(&["DEL", &site.key()]);
    let before = counted::incidents("recorded_absent");
    site.gate.let_through();
    assert_first(&owner.receive(), 1);
    assert!(counted::incidents("recorded_absent") > before);
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
        let mut owner = site.client();
        owner.send(&site.request("k").body("x".repeat(octets)));
        site.runs.wait_for(1);
        let key = site.key();
        let claim = left(&site, &key);
        assert!((DAY - 60_000..=DAY).contains(&claim), "{claim}");
        age(&site, &key, 5_000_000);
        site.gate.let_through();
        assert_eq!(owner.receive().status, 201);
        let answer = left(&site, &key);
        assert!((DAY - 60_000..=DAY).contains(&answer), "{answer}");
    }
}

/// What a slow network delivers late must not undo what the owner did since.
#[test]
fn a_release_of_another_token_changes_nothing() {
    use idempotency_actix::store::{Claim, Fingerprint, Released, Store, Token};

    let setup = Setup::new();
    let site = setup.on(RedisServer::shared());
    site.gate.close();
    let mut owner = site.start("k");
    let id = site.record_id();
    let fingerprint = Fingerprint::new(Fingerprint::BYTES, [0; 32]);
    let lease = setup.lease;
    let claim = Claim::new(Token::random(), fingerprint, lease, lease);
    let store = setup.store(site.redis);
    let released =
        actix_web::rt::System::new().block_on(async { store.release(&id, &claim).await });
    assert_eq!(released.expect("an answer"), Released::NotOwner);
    assert_problem(&site.send("k"), 409, "in-flight");
    site.gate.let_through();
    assert_first(&owner.receive(), 1);
    site.assert_replays("k", 1);
}
