//! Values under a record's key that are not its record: 503, never a run, never overwritten.

use idempotency_actix_tests::app::Mode;
use idempotency_actix_tests::redis::{RedisServer, Reply};

use crate::site::{Setup, Site, assert_first, assert_refused};

/// Makes a record, lets the test put something else in its place, and retries.
fn assert_is_unreadable(replace: impl Fn(&Site, &str)) {
    for mode in [Mode::Marked, Mode::AllRoutes] {
        let site = Setup::new().mode(mode).on(RedisServer::shared());
        assert_first(&site.send("k"), 1);
        let key = site.key();
        replace(&site, &key);
        let dump = dump(&site, &key);
        let left = site.redis.command(&["PEXPIRETIME", &key]);
        for _ in 0..2 {
            assert_refused(&site.send("k"));
        }
        let other = site.request("k").body("200 EUR");
        assert_refused(&site.send_request(&other));
        assert_eq!(site.runs.count(), 1);
        assert_eq!(self::dump(&site, &key), dump);
        assert_eq!(site.redis.command(&["PEXPIRETIME", &key]), left);
    }
}

fn dump(site: &Site, key: &str) -> Reply {
    let dump = site.redis.command(&["DUMP", key]);
    assert_ne!(dump, Reply::Nil);
    dump
}

fn command(site: &Site, args: &[&str]) {
    let reply = site.redis.command(args);
    assert!(!matches!(reply, Reply::Error(_)), "{reply:?}");
}

/// Changes the value by a Lua expression over itself, `v`.
fn rewrite(site: &Site, key: &str, expression: &str) {
    let script = format!(
        "local v = redis.call('GET', KEYS[1]) \
         return redis.call('SET', KEYS[1], {expression}, 'KEEPTTL')"
    );
    command(site, &["EVAL", &script, "1", key]);
}

#[test]
fn a_plain_string() {
    assert_is_unreadable(|site, key| command(site, &["SET", key, "somebody else's"]));
}

#[test]
fn an_empty_string() {
    assert_is_unreadable(|site, key| command(site, &["SET", key, ""]));
}

#[test]
fn a_list() {
    assert_is_unreadable(|site, key| {
        command(site, &["DEL", key]);
        command(site, &["RPUSH", key, "1"]);
    });
}

#[test]
fn a_hash() {
    assert_is_unreadable(|site, key| {
        command(site, &["DEL", key]);
        command(site, &["HSET", key, "field", "1"]);
    });
}

#[test]
fn a_record_that_is_cut_off_anywhere() {
    for length in [1, 2, 34, 91, 92, 95, 100] {
        assert_is_unreadable(|site, key| rewrite(site, key, &format!("v:sub(1, {length})")));
    }
}

#[test]
fn a_record_with_octets_too_many() {
    let claim = |site: &Site, key: &str| {
        // Kind 1 is a claim: a lease and a time to live, and not one octet more.
        let expression = "v:sub(1, 1) .. '\\1' .. v:sub(3, 92) .. ('\\0'):rep(17)";
        rewrite(site, key, expression);
    };
    assert_is_unreadable(claim);
}

#[test]
fn a_record_of_a_newer_version() {
    assert_is_unreadable(|site, key| rewrite(site, key, "'\\2' .. v:sub(2)"));
}

#[test]
fn a_record_of_an_unknown_kind() {
    assert_is_unreadable(|site, key| rewrite(site, key, "v:sub(1, 1) .. '\\9' .. v:sub(3)"));
}

#[test]
fn a_record_that_says_it_is_sealed() {
    assert_is_unreadable(|site, key| rewrite(site, key, "v:sub(1, 2) .. '\\1' .. v:sub(4)"));
}

#[test]
fn the_record_of_another_key() {
    assert_is_unreadable(|site, key| {
        let setup = Setup::new();
        let other = setup.on(site.redis);
        assert_first(&other.send("other"), 1);
        command(site, &["COPY", &other.key(), key, "REPLACE"]);
    });
}

#[test]
fn a_foreign_value_in_the_place_of_a_claim_costs_the_record_and_nothing_else() {
    let site = Setup::impatient().on(RedisServer::shared());
    site.gate.close();
    let mut owner = site.start("k");
    let key = site.key();
    command(&site, &["SET", &key, "somebody else's"]);
    site.gate.open();
    crate::site::assert_unstored(&owner.receive(), 1);
    assert_refused(&site.send("k"));
    assert_eq!(site.runs.count(), 1);
    let value = site.redis.command(&["GET", &key]).text();
    assert_eq!(value, "somebody else's");
}
