//! A server that answers, and does not do as it is told.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use idempotency_actix_tests::redis::{Connection, Harm, RedisServer, Reply, Rule};
use idempotency_actix_tests::{assert_problem, eventually};

use crate::site::{
    Setup, Site, assert_first, assert_refused, assert_replay, assert_unstored, own_server,
};

fn set(server: &RedisServer, option: &str, value: &str) {
    let reply = server.command(&["CONFIG", "SET", option, value]);
    assert_eq!(reply, Reply::Simple("OK".to_owned()));
}

/// The state takes no claims and can be read from: answers are replayed, however many ask, and
/// nothing new runs. Over again, all is well again.
fn assert_only_replays(server: &'static RedisServer, enter: impl Fn(), leave: impl Fn()) {
    let site = Setup::new().on(server);
    assert_first(&site.send("done"), 1);
    enter();
    for _ in 0..20 {
        site.assert_replays("done", 1);
    }
    site.assert_refuses("new");
    assert_eq!(site.keys().len(), 1);
    leave();
    site.assert_recovers("new");
    site.assert_replays("done", 1);
}

/// An answer that is ready while the server takes no writes is true, and recorded once it does.
fn assert_delivers_later(server: &'static RedisServer, enter: impl Fn(), leave: impl Fn()) {
    let site = Setup::new().on(server);
    site.gate.close();
    let mut owner = site.start("k");
    enter();
    // What it knows of a claim may be over: nothing but a finished record counts.
    assert_refused(&site.send("k"));
    site.gate.open();
    assert_unstored(&owner.receive(), 1);
    assert_refused(&site.send("k"));
    leave();
    assert_replay(&site.settle(&site.request("k")), 1);
    assert_eq!(site.runs.count(), 1);
}

mod out_of_memory {
    use super::*;

    fn full(site: &Site) {
        set(site.redis, "maxmemory", "1");
    }

    fn roomy(site: &Site) {
        set(site.redis, "maxmemory", "0");
    }

    #[test]
    fn replays_go_on_and_claims_are_503() {
        let server = own_server(&[]);
        assert_only_replays(
            server,
            || set(server, "maxmemory", "1"),
            || set(server, "maxmemory", "0"),
        );
    }

    fn assert_completes(body: &str) {
        let site = Setup::new().on(own_server(&[]));
        site.gate.close();
        let request = site.request("k").body(body);
        let mut owner = site.connect();
        owner.send(&request);
        site.runs.wait_for(1);
        full(&site);
        site.gate.open();
        let first = owner.receive();
        assert_eq!(first.status, 201);
        assert_eq!(first.header("idempotency-status"), None);
        let replay = site.send_request(&request);
        assert!(replay.is_replay());
        assert_eq!(replay.body, first.body);
        roomy(&site);
        assert_eq!(site.send_request(&request).body, first.body);
        assert_eq!(site.runs.count(), 1);
    }

    #[test]
    fn a_claim_that_was_granted_before_is_completed() {
        assert_completes("100 EUR");
    }

    #[test]
    fn a_large_answer_is_recorded_too() {
        assert_completes(&"x".repeat(50_000));
    }

    #[test]
    fn a_claim_that_was_granted_before_is_released() {
        let site = Setup::new().on(own_server(&[]));
        site.gate.close();
        let mut owner = site.connect();
        owner.send(&site.request("k").header("x-status", "429"));
        site.runs.wait_for(1);
        full(&site);
        site.gate.open();
        assert_eq!(owner.receive().status, 429);
        assert!(site.keys().is_empty());
        roomy(&site);
        assert_first(&site.send("k"), 2);
    }

    #[test]
    fn a_retry_while_the_first_runs_is_503() {
        let site = Setup::new().on(own_server(&[]));
        site.gate.close();
        let mut owner = site.start("k");
        full(&site);
        assert_refused(&site.send("k"));
        site.gate.open();
        assert_first(&owner.receive(), 1);
        site.assert_replays("k", 1);
    }

    /// What the server says of the repetition does not tell what became of the first.
    #[test]
    fn a_claim_that_landed_and_whose_repetition_is_refused_is_released() {
        let server = own_server(&[]);
        let site = Setup::new().on(server);
        let addr = server.addr();
        let mut claims = 0;
        let first = move |command: &[Vec<u8>]| {
            let is_claim = command[0] == b"SET";
            claims += usize::from(is_claim);
            if is_claim && claims == 2 {
                let mut connection = Connection::open(addr).expect("a running server");
                let full = connection.command(&["CONFIG", "SET", "maxmemory", "1"]);
                full.expect("a reply");
            }
            is_claim && claims == 1
        };
        site.proxy.arm(Rule::when(first, Harm::CutAfter));
        assert_refused(&site.send("k"));
        assert_eq!(site.proxy.commands("SET"), 2);
        site.proxy.disarm();
        assert_eq!(site.runs.count(), 0);
        site.wait_for_keys(0);
        roomy(&site);
        site.assert_recovers("k");
    }

    #[test]
    fn a_claim_goes_on_being_renewed() {
        let lease = std::time::Duration::from_secs(3);
        let setup = Setup {
            timeout: lease / 3,
            ..Setup::new().lease(lease)
        };
        let site = setup.on(own_server(&[]));
        site.gate.close();
        let mut owner = site.start("k");
        full(&site);
        let left = site.redis.command(&["PEXPIRETIME", &site.key()]).int();
        eventually("a renewal", || {
            site.redis.command(&["PEXPIRETIME", &site.key()]).int() > left
        });
        site.gate.open();
        assert_first(&owner.receive(), 1);
    }
}

mod demoted {
    use super::*;

    fn demote(server: &RedisServer) {
        // Nothing listens there, so it keeps what it has.
        server.command(&["REPLICAOF", "127.0.0.1", "1"]);
    }

    fn promote(server: &RedisServer) {
        server.command(&["REPLICAOF", "NO", "ONE"]);
    }

    #[test]
    fn replays_go_on_and_claims_are_503() {
        let server = own_server(&[]);
        assert_only_replays(server, || demote(server), || promote(server));
    }

    #[test]
    fn an_answer_is_recorded_after_the_promotion() {
        let server = own_server(&[]);
        assert_delivers_later(server, || demote(server), || promote(server));
    }

    /// Its name may lead to another server by then, but most are asked for replays meanwhile.
    #[test]
    fn a_new_connection_is_made_at_a_bounded_rate() {
        let server = own_server(&[]);
        let site = Setup::new().on(server);
        assert_first(&site.send("k"), 1);
        demote(server);
        let before = site.proxy.connections();
        eventually("a new connection for a server that may be another", || {
            site.assert_replays("k", 1);
            site.proxy.connections() >= before + 3
        });
        let (before, start) = (site.proxy.connections(), Instant::now());
        for _ in 0..100 {
            site.assert_replays("k", 1);
        }
        let made = site.proxy.connections() - before;
        let seconds = usize::try_from(start.elapsed().as_secs()).expect("few");
        // Two workers, once a second.
        assert!(
            made <= 2 * (seconds + 2),
            "{made} connections in {seconds} s"
        );
        assert!(seconds < 20, "replays of a replica wait: {seconds} s");
    }

    #[test]
    fn without_its_primary_and_stale_data_it_is_503() {
        let server = own_server(&[("replica-serve-stale-data", "no")]);
        let site = Setup::new().on(server);
        assert_first(&site.send("done"), 1);
        demote(server);
        assert_refused(&site.send("done"));
        site.assert_refuses("new");
        promote(server);
        assert_replay(&site.settle(&site.request("done")), 1);
        site.assert_recovers("new");
    }
}

mod without_replicas {
    use super::*;

    fn ask(server: &RedisServer, replicas: &str) {
        set(server, "min-replicas-to-write", replicas);
    }

    #[test]
    fn replays_go_on_and_claims_are_503() {
        let server = own_server(&[]);
        assert_only_replays(server, || ask(server, "1"), || ask(server, "0"));
    }

    #[test]
    fn an_answer_is_recorded_once_there_are_enough() {
        let server = own_server(&[]);
        assert_delivers_later(server, || ask(server, "1"), || ask(server, "0"));
    }
}

mod unable_to_save {
    use super::*;

    fn obstacle(server: &RedisServer) -> PathBuf {
        let dir = server.command(&["CONFIG", "GET", "dir"]).items();
        let dir = dir.into_iter().nth(1).expect("a value").text();
        PathBuf::from(dir).join("dump.rdb")
    }

    /// A folder where the snapshot should be.
    fn break_saving(server: &RedisServer) {
        fs::create_dir(obstacle(server)).expect("a writable folder");
        set(server, "save", "3600 1000000");
        save(server, "err");
    }

    fn mend_saving(server: &RedisServer) {
        fs::remove_dir(obstacle(server)).expect("a folder of ours");
        save(server, "ok");
    }

    fn save(server: &RedisServer, outcome: &str) {
        server.command(&["BGSAVE"]);
        eventually("the snapshot's end", || {
            server.info("rdb_last_bgsave_status").as_deref() == Some(outcome)
        });
    }

    #[test]
    fn replays_go_on_and_claims_are_503() {
        let server = own_server(&[]);
        assert_only_replays(server, || break_saving(server), || mend_saving(server));
    }

    #[test]
    fn an_answer_is_recorded_once_it_can_save() {
        let server = own_server(&[]);
        assert_delivers_later(server, || break_saving(server), || mend_saving(server));
    }
}

/// Reads its file again, for as long as the test wants it to.
#[test]
fn a_loading_server_is_503_and_then_goes_on() {
    let server = own_server(&[("loading-process-events-interval-bytes", "1024")]);
    let site = Setup::new().on(server);
    assert_first(&site.send("done"), 1);
    server.command(&["DEBUG", "POPULATE", "5000", "filler", "1024"]);
    set(server, "key-load-delay", "10000");
    let mut reload = Connection::open(server.addr()).expect("a running server");
    reload
        .send(&[&["DEBUG", "RELOAD"]])
        .expect("a running server");
    eventually("loading", || server.info("loading").as_deref() == Some("1"));
    site.assert_refuses("new");
    assert_refused(&site.send("done"));
    assert_eq!(server.info("loading").as_deref(), Some("1"), "too fast");
    set(server, "key-load-delay", "0");
    assert_replay(&site.settle(&site.request("done")), 1);
    site.assert_recovers("new");
}

#[test]
fn a_busy_server_is_503_and_then_goes_on() {
    let server = own_server(&[("busy-reply-threshold", "1")]);
    let site = Setup::new().on(server);
    assert_first(&site.send("done"), 1);
    let mut script = Connection::open(server.addr()).expect("a running server");
    let endless = "while true do end";
    script
        .send(&[&["EVAL", endless, "0"]])
        .expect("a running server");
    eventually("a busy server", || {
        let pong = server.try_command(&["PING"]);
        pong.is_ok_and(|reply| matches!(reply, Reply::Error(text) if text.starts_with("BUSY")))
    });
    site.assert_refuses("new");
    assert_refused(&site.send("done"));
    server.command(&["SCRIPT", "KILL"]);
    assert_replay(&site.settle(&site.request("done")), 1);
    site.assert_recovers("new");
}

/// Before every command, so between any two.
#[test]
fn a_script_cache_that_is_flushed_all_the_time_is_not_noticed() {
    let server = own_server(&[]);
    let site = Setup::new().on(server);
    let addr = server.addr();
    let flush = move |_: &[Vec<u8>]| {
        let mut connection = Connection::open(addr).expect("a running server");
        let flushed = connection.command(&["SCRIPT", "FLUSH"]);
        flushed.expect("a reply");
        false
    };
    site.proxy.arm(Rule::when(flush, Harm::CutBefore));
    for key in ["first", "second", "third"] {
        site.assert_serves(key);
    }
    let large = site.request("large").body("x".repeat(20_000));
    let first = site.send_request(&large);
    assert_eq!(
        (first.status, first.header("idempotency-status")),
        (201, None)
    );
    assert_eq!(site.send_request(&large).body, first.body);
    let refused = site.request("refused").header("x-status", "429");
    assert_eq!(site.send_request(&refused).status, 429);
    assert_first(&site.send("refused"), 6);
    site.gate.close();
    let mut owner = site.start("held");
    assert_problem(&site.send("held"), 409, "in-flight");
    site.gate.open();
    assert_first(&owner.receive(), 7);
    assert!(site.proxy.commands("EVAL") > 0);
}

#[test]
fn a_server_with_too_many_clients_is_503_and_then_goes_on() {
    let server = own_server(&[]);
    let site = Setup::new().on(server);
    let mut only = Connection::open(server.addr()).expect("a running server");
    let one = only.command(&["CONFIG", "SET", "maxclients", "1"]);
    assert_eq!(one.expect("a reply"), Reply::Simple("OK".to_owned()));
    site.assert_refuses("k");
    let many = only.command(&["CONFIG", "SET", "maxclients", "100"]);
    many.expect("a reply");
    site.assert_recovers("k");
}
