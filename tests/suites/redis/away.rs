//! A server that is not there: connects refused or closed, killed and started again.

use std::time::{Duration, Instant};

use idempotency_actix_tests::redis::{Proxy, RedisServer};
use idempotency_actix_tests::{Client, Response};

use crate::site::{Setup, Site, assert_refused, assert_replay, assert_unstored, own_server};

const BURST: usize = 200;

/// That many requests at the same time.
fn burst(site: &Site) -> Vec<Response> {
    let clients: Vec<Client> = (0..BURST).map(|n| site.ask(&n.to_string())).collect();
    let answers = clients.into_iter().map(|mut client| client.receive());
    answers.collect()
}

fn assert_burst_is_refused(away: impl Fn(&Proxy)) {
    let site = Setup::impatient().on(RedisServer::shared());
    away(&site.proxy);
    site.proxy.sever();
    let start = Instant::now();
    burst(&site).iter().for_each(assert_refused);
    let took = start.elapsed();
    // One after the other they would take longer than a minute.
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert_eq!(site.runs.count(), 0);
    let tries = site.proxy.connections();
    assert!(tries <= 40, "{tries} tries to connect");
    site.proxy.accept();
    site.assert_recovers("k");
    assert_eq!(site.runs.count(), 1);
}

#[test]
fn a_burst_on_refused_connects_is_503_in_time() {
    assert_burst_is_refused(Proxy::refuse_connections);
}

#[test]
fn a_burst_on_connections_that_are_closed_at_once_makes_few_of_them() {
    assert_burst_is_refused(Proxy::accept_and_close);
}

#[test]
fn one_request_after_the_other_does_not_try_to_connect_each_time() {
    let site = Setup::impatient().on(RedisServer::shared());
    site.proxy.accept_and_close();
    for n in 0..BURST {
        site.assert_refuses(&n.to_string());
    }
    let tries = site.proxy.connections();
    assert!(tries <= BURST / 2, "{tries} tries to connect");
    site.proxy.accept();
    site.assert_recovers("k");
}

/// Each of them served, so none was a failed try to connect.
#[test]
fn connections_that_are_closed_again_and_again_are_made_anew_at_once() {
    let site = Setup::impatient().on(RedisServer::shared());
    for n in 0..BURST / 8 {
        site.assert_serves(&n.to_string());
        site.proxy.sever();
    }
}

#[test]
fn connections_that_broke_while_idle_are_not_noticed() {
    let site = Setup::new().on(RedisServer::shared());
    site.assert_serves("first");
    site.assert_serves("second");
    site.proxy.sever();
    site.assert_serves("third");
    site.assert_serves("fourth");
    site.assert_replays("first", 1);
}

#[test]
fn a_server_that_goes_away_while_a_handler_runs_gets_the_answer_later() {
    let site = Setup::impatient().on(RedisServer::shared());
    site.gate.close();
    let mut owner = site.start("k");
    site.proxy.refuse_connections();
    site.proxy.sever();
    site.gate.open();
    assert_unstored(&owner.receive(), 1);
    site.assert_refuses("other");
    assert_refused(&site.send("k"));
    site.proxy.accept();
    assert_replay(&site.settle(&site.request("k")), 1);
    assert_eq!(site.runs.count(), 1);
}

#[test]
fn a_killed_server_is_503_and_then_comes_back() {
    let server = own_server(&[]);
    let site = Setup::impatient().on(server);
    site.assert_serves("before");
    server.kill();
    site.assert_refuses("k");
    site.assert_refuses("k");
    server.restart();
    site.assert_recovers("k");
}

#[test]
fn a_server_that_is_down_at_the_start_is_no_obstacle() {
    let server = own_server(&[]);
    server.kill();
    let site = Setup::impatient().on(server);
    site.assert_refuses("k");
    server.restart();
    site.assert_recovers("k");
}

#[test]
fn a_claim_outlives_the_server_where_it_is_on_disk() {
    let server = own_server(&[("appendonly", "yes"), ("appendfsync", "always")]);
    let site = Setup::new().on(server);
    site.gate.close();
    let mut owner = site.start("k");
    let key = site.key();
    server.restart();
    assert_eq!(site.key(), key);
    site.gate.open();
    crate::site::assert_first(&owner.receive(), 1);
    site.assert_replays("k", 1);
}
