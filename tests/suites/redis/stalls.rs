//! A server or a network that stands still or is slow.

use std::time::{Duration, Instant};

use actix_web::rt::time::timeout;
use idempotency_actix::store::{Store, StoreErrorKind};
use idempotency_actix_tests::redis::{Harm, RedisServer, Rule};
use idempotency_actix_tests::{eventually, fresh_claim, fresh_id};

use crate::site::{
    AMPLE, SHORT, Setup, assert_first, assert_refused, assert_replay, assert_unstored, own_server,
};

/// Claims that were sent and not answered are carried out when the server goes on.
#[test]
fn ghost_claims_of_a_frozen_server_are_released_when_it_thaws() {
    let server = own_server(&[]);
    let site = Setup::impatient().on(server);
    let mut client = site.connect();
    client.send(&site.request("warm"));
    assert_first(&client.receive(), 1);
    let sets = server.calls()["set"];
    server.freeze();
    // The same worker, so its connection is there and the claim goes out.
    let start = Instant::now();
    client.send(&site.request("ghost"));
    assert_refused(&client.receive());
    let took = start.elapsed();
    assert!(took >= SHORT / 2, "not even waited for: {took:?}");
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_eq!(site.runs.count(), 1);
    server.thaw();
    eventually("the ghost", || server.calls()["set"] > sets);
    site.wait_for_keys(1);
    site.assert_recovers("ghost");
    assert_eq!(site.runs.count(), 2);
    assert_eq!(site.keys().len(), 2);
}

#[test]
fn many_requests_on_a_frozen_server_are_503_in_time_and_run_once_afterwards() {
    let server = own_server(&[]);
    let site = Setup::impatient().on(server);
    site.assert_serves("warm");
    server.freeze();
    let start = Instant::now();
    let keys: Vec<String> = (0..50).map(|n| n.to_string()).collect();
    let clients: Vec<_> = keys.iter().map(|key| site.ask(key)).collect();
    for mut client in clients {
        assert_refused(&client.receive());
    }
    let took = start.elapsed();
    assert!(took < Duration::from_secs(15), "{took:?}");
    assert_eq!(site.runs.count(), 1);
    server.thaw();
    for key in &keys {
        assert_eq!(site.settle(&site.request(key)).status, 201);
        assert!(site.send(key).is_replay());
    }
    assert_eq!(site.runs.count(), 51);
    site.wait_for_keys(51);
}

#[test]
fn a_server_that_freezes_while_a_handler_runs_gets_the_answer_when_it_thaws() {
    let server = own_server(&[]);
    let site = Setup::impatient().on(server);
    site.gate.close();
    let mut owner = site.start("k");
    server.freeze();
    site.gate.open();
    assert_unstored(&owner.receive(), 1);
    assert_refused(&site.send("k"));
    server.thaw();
    assert_replay(&site.settle(&site.request("k")), 1);
    assert_eq!(site.runs.count(), 1);
}

/// The first one lies before the frozen server when the connection breaks, and is carried out as well.
#[test]
fn a_claim_that_is_sent_twice_to_a_frozen_server_is_granted_once() {
    let server = own_server(&[]);
    let site = Setup::new().on(server);
    let mut client = site.connect();
    client.send(&site.request("warm"));
    assert_first(&client.receive(), 1);
    server.freeze();
    let sent = site.proxy.commands("SET");
    client.send(&site.request("k"));
    eventually("a claim", || site.proxy.commands("SET") > sent);
    site.proxy.sever();
    server.thaw();
    assert_first(&client.receive(), 2);
    site.assert_replays("k", 2);
    site.wait_for_keys(2);
}

/// Without a layer and its deadline, over a connection that is there already.
#[actix_web::test]
async fn a_store_on_a_frozen_server_gives_up_by_itself() {
    let server = own_server(&[]);
    let store = Setup::impatient().store(server);
    let (id, claim) = (fresh_id(), fresh_claim(AMPLE, AMPLE));
    let there = store.inspect(&id).await.expect("a server");
    assert!(there.is_none());
    server.freeze();
    let start = Instant::now();
    let begun = timeout(AMPLE, store.begin(&id, &claim)).await;
    let error = begun.expect("an end").expect_err("a frozen server");
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(start.elapsed() >= SHORT / 2, "not even waited for");
    server.thaw();
}

#[test]
fn a_slow_reply_below_the_timeout_is_waited_for() {
    let site = Setup::new().on(RedisServer::shared());
    let delay = Duration::from_millis(200);
    site.proxy
        .arm(Rule::when(|_| true, Harm::DelayReply(delay)));
    let start = Instant::now();
    site.assert_serves("k");
    assert!(start.elapsed() >= delay);
}

#[test]
fn a_slow_reply_above_the_timeout_is_503() {
    let site = Setup::impatient().on(RedisServer::shared());
    site.assert_recovers("first");
    let delay = Harm::DelayReply(4 * SHORT);
    site.proxy.arm(Rule::named("SET", delay));
    site.assert_refuses("k");
    site.proxy.disarm();
    site.wait_for_keys(1);
    site.assert_recovers("k");
}

#[test]
fn a_claim_that_arrives_after_its_timeout_is_released() {
    let site = Setup::impatient().on(RedisServer::shared());
    let late = Harm::DelayCommand(3 * SHORT);
    let claims = |command: &[Vec<u8>]| command.iter().any(|word| word == b"NX");
    site.proxy.arm(Rule::when(claims, late).once());
    assert_refused(&site.send("k"));
    assert_eq!(site.runs.count(), 0);
    // It lands, and goes.
    site.wait_for_keys(1);
    site.wait_for_keys(0);
    site.assert_recovers("k");
    assert_eq!(site.runs.count(), 1);
}
