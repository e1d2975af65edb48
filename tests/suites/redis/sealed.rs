//! Answers that are sealed on the server.

use idempotency_actix::store::Keyring;
use idempotency_actix_tests::redis::RedisServer;

use crate::site::{Setup, Site, assert_first, assert_refused, assert_replay};

const OLD: [u8; 32] = [1; 32];
const NEW: [u8; 32] = [2; 32];

fn sealed(setup: &Setup, keyring: Keyring) -> Site {
    setup.with(RedisServer::shared(), |store| store.encryption(keyring))
}

fn contains(site: &Site, key: &str, text: &str) -> bool {
    let script = "return redis.call('GET', KEYS[1]):find(ARGV[1], 1, true) and 1 or 0";
    let found = site.redis.command(&["EVAL", script, "1", key, text]);
    found.int() == 1
}

#[test]
fn a_sealed_answer_is_replayed_and_is_not_on_the_server_in_plain() {
    let site = sealed(&Setup::new(), Keyring::new(1, OLD));
    site.assert_serves("k");
    assert!(!contains(&site, &site.key(), "100 EUR"));
    assert!(!contains(&site, &site.key(), "x-run"));
    let plain = Setup::new().on(RedisServer::shared());
    plain.assert_serves("k");
    assert!(contains(&plain, &plain.key(), "100 EUR"));
}

#[test]
fn a_large_sealed_answer_is_replayed() {
    let site = sealed(&Setup::new(), Keyring::new(1, OLD));
    let request = site.request("k").body("secret ".repeat(5_000));
    let first = site.send_request(&request);
    assert_eq!(
        (first.status, first.header("idempotency-status")),
        (201, None)
    );
    let replay = site.send_request(&request);
    assert!(replay.is_replay());
    assert_eq!(replay.body, first.body);
    assert!(!contains(&site, &site.key(), "secret"));
}

#[test]
fn an_answer_that_was_changed_is_503_wherever_the_change_is() {
    let site = sealed(&Setup::new(), Keyring::new(1, OLD));
    assert_first(&site.send("k"), 1);
    let key = site.key();
    let length = site.redis.command(&["STRLEN", &key]).int();
    let script = "local v = redis.call('GETRANGE', KEYS[1], ARGV[1], ARGV[1]):byte() \
        return redis.call('SETRANGE', KEYS[1], ARGV[1], string.char((v + 1) % 256))";
    let undo = script.replace("v + 1", "v + 255");
    // From the owner's token on: what is before is the record's own name and form.
    for at in (35..length).step_by(3).chain([length - 1]) {
        let at = at.to_string();
        site.redis.command(&["EVAL", script, "1", &key, &at]);
        let answer = site.send("k");
        assert_eq!(answer.status, 503, "octet {at}: {answer:?}");
        site.redis.command(&["EVAL", &undo, "1", &key, &at]);
    }
    site.assert_replays("k", 1);
    assert_eq!(site.runs.count(), 1);
}

#[test]
fn an_answer_that_an_unknown_key_sealed_is_503() {
    let setup = Setup::new();
    assert_first(&sealed(&setup, Keyring::new(1, OLD)).send("k"), 1);
    let site = sealed(&setup, Keyring::new(2, NEW));
    assert_refused(&site.send("k"));
    let same_id = sealed(&setup, Keyring::new(1, NEW));
    assert_refused(&same_id.send("k"));
    let without = setup.on(RedisServer::shared());
    assert_refused(&without.send("k"));
    assert_eq!(
        site.runs.count() + same_id.runs.count() + without.runs.count(),
        0
    );
}

#[test]
fn an_answer_is_replayed_across_the_rotation_of_keys() {
    let setup = Setup::new();
    let before = sealed(&setup, Keyring::new(1, OLD));
    assert_first(&before.send("old"), 1);
    let prepared = Keyring::new(1, OLD).with_old(2, NEW).expect("two ids");
    let prepared = sealed(&setup, prepared);
    let rotated = Keyring::new(2, NEW).with_old(1, OLD).expect("two ids");
    let rotated = sealed(&setup, rotated);
    assert_replay(&rotated.send("old"), 1);
    assert_first(&rotated.send("new"), 1);
    assert_replay(&prepared.send("new"), 1);
    let after = sealed(&setup, Keyring::new(2, NEW));
    assert_replay(&after.send("new"), 1);
    assert_refused(&after.send("old"));
    assert_eq!(after.runs.count() + prepared.runs.count(), 0);
}

#[test]
fn a_plain_answer_is_503_unless_the_keyring_accepts_it() {
    let setup = Setup::new();
    assert_first(&setup.on(RedisServer::shared()).send("k"), 1);
    let strict = sealed(&setup, Keyring::new(1, OLD));
    assert_refused(&strict.send("k"));
    let lenient = sealed(&setup, Keyring::new(1, OLD).accept_unsealed(true));
    assert_replay(&lenient.send("k"), 1);
    assert_eq!(strict.runs.count() + lenient.runs.count(), 0);
}
