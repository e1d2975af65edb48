//! `on_store_failure = "run"`: what may run while the server is no help, and what may not.

use idempotency_actix::OnStoreFailure;
use idempotency_actix_tests::redis::{RedisServer, Reply};

use crate::site::{Setup, Site, assert_first, assert_refused, assert_replay, own_server};

fn site(server: &'static RedisServer) -> Site {
    let on_store_failure = OnStoreFailure::Run;
    let setup = Setup::new();
    Setup {
        on_store_failure,
        ..setup
    }
    .on(server)
}

fn set_replicas(server: &RedisServer, number: &str) {
    let reply = server.command(&["CONFIG", "SET", "min-replicas-to-write", number]);
    assert_eq!(reply, Reply::Simple("OK".to_owned()));
}

#[test]
fn a_handler_runs_while_the_server_is_down_and_is_recorded_once_it_is_back() {
    let server = own_server(&[("appendonly", "yes")]);
    let site = site(server);
    site.assert_serves("before");
    server.kill();
    let first = site.send("k");
    assert_eq!((first.status, site.runs.count()), (201, 2));
    assert_eq!(first.header("idempotency-status"), Some("unstored"));
    server.restart();
    site.wait_for_keys(2);
    assert_replay(&site.settle(&site.request("k")), 2);
    assert_eq!(site.runs.count(), 2);
}

#[test]
fn a_handler_runs_on_a_server_that_takes_no_writes_where_there_is_no_record() {
    let server = own_server(&[]);
    let site = site(server);
    set_replicas(server, "1");
    assert_eq!(site.send("k").status, 201);
    set_replicas(server, "0");
    site.wait_for_keys(1);
    assert_replay(&site.settle(&site.request("k")), 1);
    assert_eq!(site.runs.count(), 1);
}

#[test]
fn a_claim_that_can_only_be_read_is_never_run_over() {
    let server = own_server(&[]);
    let site = site(server);
    site.gate.close();
    let mut owner = site.start("k");
    set_replicas(server, "1");
    assert_refused(&site.send("k"));
    set_replicas(server, "0");
    site.gate.open();
    assert_first(&owner.receive(), 1);
    assert_eq!(site.runs.count(), 1);
}

#[test]
fn an_answer_that_can_only_be_read_is_replayed() {
    let server = own_server(&[]);
    let site = site(server);
    assert_first(&site.send("k"), 1);
    set_replicas(server, "1");
    site.assert_replays("k", 1);
}

#[test]
fn a_foreign_value_is_never_run_over() {
    let server = own_server(&[]);
    let site = site(server);
    assert_first(&site.send("k"), 1);
    server.command(&["SET", &site.key(), "somebody else's"]);
    assert_refused(&site.send("k"));
    assert_eq!(site.runs.count(), 1);
}

#[test]
fn a_server_without_room_is_not_run_without() {
    let server = own_server(&[]);
    let site = site(server);
    server.command(&["CONFIG", "SET", "maxmemory", "1"]);
    assert_refused(&site.send("k"));
    assert_eq!(site.runs.count(), 0);
}
