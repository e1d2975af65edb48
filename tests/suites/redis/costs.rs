//! What a request costs on the wire, by count.

use std::time::Duration;

use idempotency_actix_tests::redis::RedisServer;
use idempotency_actix_tests::{Client, Request, eventually};

use crate::site::{Setup, Site};

/// The commands that a request sends over connections that are there already.
fn cost(site: &Site, client: &mut Client, request: &Request) -> Vec<String> {
    let sent = |site: &Site| {
        let traffic = site.proxy.traffic().into_iter();
        let commands: Vec<_> = traffic.map(|connection| connection.commands).collect();
        commands
    };
    let before = sent(site);
    client.send(request);
    client.receive();
    let after = sent(site);
    assert_eq!(after.len(), before.len(), "a new connection");
    let news = after.into_iter().zip(before);
    news.flat_map(|(after, before)| after[before.len()..].to_vec())
        .collect()
}

/// A client whose worker has its connection, and a store that knows its server.
fn warm(site: &Site) -> Client {
    let mut client = site.connect();
    client.send(&site.request("warm"));
    assert_eq!(client.receive().status, 201);
    client
}

#[test]
fn a_first_run_is_two_commands_and_a_replay_is_one() {
    let site = Setup::new().on(RedisServer::shared());
    let mut client = warm(&site);
    let request = site.request("k");
    assert_eq!(cost(&site, &mut client, &request), ["SET", "EVALSHA"]);
    for _ in 0..3 {
        assert_eq!(cost(&site, &mut client, &request), ["SET"]);
    }
}

#[test]
fn a_first_run_with_a_large_answer_writes_it_beside_the_record() {
    let site = Setup::new().on(RedisServer::shared());
    let mut client = warm(&site);
    let request = site.request("k").body("x".repeat(20_000));
    let first = cost(&site, &mut client, &request);
    assert_eq!(first, ["SET", "SET", "EVALSHA"]);
    assert_eq!(cost(&site, &mut client, &request), ["SET"]);
}

#[test]
fn a_released_run_is_two_commands() {
    let site = Setup::new().on(RedisServer::shared());
    let mut client = warm(&site);
    let request = site.request("k").header("x-status", "429");
    assert_eq!(cost(&site, &mut client, &request), ["SET", "EVALSHA"]);
}

#[test]
fn a_retry_while_the_first_runs_is_two_commands() {
    let site = Setup::new().on(RedisServer::shared());
    let client = warm(&site);
    site.gate.close();
    let mut owner = client;
    owner.send(&site.request("k"));
    site.runs.wait_for(2);
    // Another client of the same worker, or of one that is not warm yet.
    let before = site.proxy.commands("SET") + site.proxy.commands("EVALSHA");
    assert_eq!(site.send("k").status, 409);
    let after = site.proxy.commands("SET") + site.proxy.commands("EVALSHA");
    assert_eq!(after - before, 2);
    site.gate.open();
    owner.receive();
}

#[test]
fn a_server_that_compares_and_sets_is_not_sent_scripts() {
    let site = Setup::new().on(RedisServer::shared_valkey());
    let mut client = warm(&site);
    let request = site.request("k");
    assert_eq!(cost(&site, &mut client, &request), ["SET", "SET"]);
    assert_eq!(cost(&site, &mut client, &request), ["SET"]);
    let large = site.request("large").body("x".repeat(20_000));
    assert_eq!(cost(&site, &mut client, &large), ["SET", "SET"]);
}

#[test]
fn there_is_one_connection_for_each_worker_and_one_that_renews() {
    let lease = Duration::from_secs(3);
    let setup = Setup {
        timeout: lease / 3,
        ..Setup::new().lease(lease)
    };
    let site = setup.on(RedisServer::shared());
    let burst = || {
        let keys = (0..40).map(|n| n.to_string());
        let clients: Vec<_> = keys.map(|key| site.ask(&key)).collect();
        clients.into_iter().for_each(|mut client| {
            client.receive();
        });
    };
    burst();
    assert!(site.proxy.connections() <= 2);
    site.gate.close();
    let mut owner = site.start("k");
    let before = site.proxy.commands("EVALSHA");
    eventually("renewals", || site.proxy.commands("EVALSHA") >= before + 2);
    site.gate.open();
    owner.receive();
    burst();
    assert!(site.proxy.connections() <= 3);
}

#[test]
fn a_request_without_a_key_sends_nothing() {
    let site = Setup::new().on(RedisServer::shared());
    let request = Request::post("/marked").body("100 EUR");
    assert_eq!(site.send_request(&request).status, 201);
    assert_eq!(site.proxy.connections(), 0);
}
