//! Retries that wait for a first request: what they cost the server, and what wakes them when it fails.

use std::time::{Duration, Instant};

use idempotency_actix::deadpool_redis::redis::Client;
use idempotency_actix_tests::app::Mode;
use idempotency_actix_tests::redis::{Proxy, RedisServer};
use idempotency_actix_tests::{PATIENCE, assert_problem, eventually};

use crate::site::{Setup, Site, assert_first, assert_refused, assert_replay};

fn setup(mode: Mode) -> Setup {
    Setup {
        wait: Duration::from_secs(300),
        ..Setup::new().mode(mode)
    }
}

/// A site whose retries wait, and whose subscriptions go through a proxy of their own.
fn told(setup: &Setup) -> (Site, Proxy) {
    let server = RedisServer::shared();
    let proxy = Proxy::to(server.addr());
    let client = Client::open(proxy.url()).expect("an address");
    let site = setup.with(server, |store| store.notifications(client));
    site.gate.close();
    (site, proxy)
}

fn subscribers(setup: &Setup) -> i64 {
    let channel = format!("{}changed", setup.prefix);
    let subscribers = RedisServer::shared().command(&["PUBSUB", "NUMSUB", &channel]);
    subscribers.items()[1].clone().int()
}

/// How often the site asked for a claim: a SET each.
fn looks(site: &Site) -> usize {
    site.proxy.commands("SET")
}

/// How many pauses of 50 ms, 100 ms and so on to one second are over after that time, at most.
fn pauses_within(time: Duration) -> usize {
    let pauses =
        (0..).map(|n: u32| Duration::from_millis(50 << n.min(5)).min(Duration::from_secs(1)));
    let mut end = Duration::ZERO;
    let ends = pauses.map(|pause| {
        end += pause;
        end
    });
    ends.take_while(|end| *end <= time).count()
}

fn assert_costs_its_polls(mode: Mode) {
    let setup = setup(mode);
    let (site, _subscriptions) = told(&setup);
    let mut owner = site.start("k");
    let before = looks(&site);
    let start = Instant::now();
    let mut waiter = site.ask("k");
    eventually("eight looks", || looks(&site) >= before + 8);
    let (looks, time) = (looks(&site) - before, start.elapsed());
    // One when it comes, one when the subscription stands; the pauses start anew with that.
    let allowed = 2 + 2 * pauses_within(time);
    assert!(looks <= allowed, "{looks} looks in {time:?}, of {allowed}");
    let traffic = site.proxy.traffic().into_iter();
    let commands: Vec<_> = traffic.flat_map(|one| one.commands).collect();
    let scripts = commands.iter().filter(|name| *name == "EVALSHA").count();
    assert!(scripts <= looks + 2, "{commands:?}");
    let unknown =
        |name: &&String| !["SET", "EVALSHA", "CLIENT", "EVAL", "SCRIPT"].contains(&&***name);
    assert_eq!(commands.iter().find(unknown), None);
    site.gate.open();
    assert_first(&owner.receive(), 1);
    assert_replay(&waiter.receive(), 1);
    assert_eq!(site.runs.count(), 1);
}

#[test]
fn a_waiter_costs_nothing_but_its_polls() {
    assert_costs_its_polls(Mode::Marked);
    assert_costs_its_polls(Mode::AllRoutes);
}

fn assert_share(mode: Mode) {
    let setup = setup(mode);
    let (site, subscriptions) = told(&setup);
    let keys: Vec<_> = (0..10).map(|n| n.to_string()).collect();
    let mut clients: Vec<_> = keys.iter().map(|key| site.start(key)).collect();
    assert_eq!(subscriptions.connections(), 0);
    for key in &keys {
        clients.extend((0..5).map(|_| site.ask(key)));
    }
    let asked = keys.len() * (1 + 5 * 3);
    eventually("three looks of each waiter", || looks(&site) >= asked);
    // Two workers.
    let subscribers = subscribers(&setup);
    assert!((1..=2).contains(&subscribers), "{subscribers}");
    assert_eq!(subscriptions.connections(), subscribers as usize);
    site.gate.open();
    for mut client in clients {
        assert_eq!(client.receive().status, 201);
    }
    assert_eq!(subscriptions.connections(), subscribers as usize);
    assert_eq!(site.runs.count(), keys.len());
}

#[test]
fn the_waiters_of_a_worker_share_one_subscription() {
    assert_share(Mode::Marked);
    assert_share(Mode::AllRoutes);
}

#[test]
fn who_does_not_wait_has_no_subscription() {
    let setup = setup(Mode::Marked);
    let (site, subscriptions) = told(&setup);
    site.gate.open();
    site.assert_serves("k");
    assert_eq!(subscriptions.connections(), 0);
}

/// Two sites with the same records: a waiter at the first for an owner at the second.
fn elsewhere(setup: &Setup) -> (Site, Proxy, Site) {
    let (here, subscriptions) = told(setup);
    let there = setup.on(RedisServer::shared());
    there.gate.close();
    (here, subscriptions, there)
}

#[test]
fn a_waiter_whose_subscription_was_cut_polls() {
    for mode in [Mode::Marked, Mode::AllRoutes] {
        let setup = setup(mode);
        let (here, subscriptions, there) = elsewhere(&setup);
        let mut owner = there.start("k");
        let mut waiter = here.ask("k");
        eventually("a subscription", || subscribers(&setup) == 1);
        subscriptions.refuse_connections();
        subscriptions.sever();
        eventually("no subscription", || subscribers(&setup) == 0);
        there.gate.open();
        assert_first(&owner.receive(), 1);
        assert_replay(&waiter.receive(), 1);
        assert_eq!((here.runs.count(), there.runs.count()), (0, 1));
    }
}

#[test]
fn a_waiter_that_cannot_subscribe_polls() {
    let setup = setup(Mode::Marked);
    let (here, subscriptions, there) = elsewhere(&setup);
    subscriptions.refuse_connections();
    let mut owner = there.start("k");
    let mut waiter = here.ask("k");
    eventually("a waiter", || looks(&here) >= 3);
    there.gate.open();
    assert_first(&owner.receive(), 1);
    assert_replay(&waiter.receive(), 1);
    assert_eq!(here.runs.count(), 0);
}

#[test]
fn a_waiter_whose_store_is_gone_is_refused() {
    for mode in [Mode::Marked, Mode::AllRoutes] {
        let setup = Setup {
            wait: PATIENCE,
            ..Setup::impatient().mode(mode)
        };
        let (here, _subscriptions, there) = elsewhere(&setup);
        let mut owner = there.start("k");
        let mut waiter = here.ask("k");
        eventually("a waiter", || looks(&here) >= 2);
        here.proxy.refuse_connections();
        here.proxy.sever();
        assert_refused(&waiter.receive());
        here.proxy.accept();
        there.gate.open();
        assert_first(&owner.receive(), 1);
        assert_replay(&here.settle(&here.request("k")), 1);
        assert_eq!(here.runs.count(), 0);
    }
}

#[test]
fn an_operation_released_elsewhere_is_run_by_one_waiter() {
    let setup = setup(Mode::Marked);
    let (here, _subscriptions, there) = elsewhere(&setup);
    let refused = there.request("k").header("x-status", "429");
    let mut owner = there.connect();
    owner.send(&refused);
    there.runs.wait_for(1);
    let waiters: Vec<_> = (0..5).map(|_| here.ask("k")).collect();
    eventually("five waiters", || looks(&here) >= 10);
    there.gate.open();
    assert_eq!(owner.receive().status, 429);
    here.runs.wait_for(1);
    let before = looks(&here);
    eventually("looks meanwhile", || looks(&here) >= before + 8);
    assert_eq!(here.runs.count(), 1);
    here.gate.open();
    let answers: Vec<_> = waiters.into_iter().map(|mut w| w.receive()).collect();
    assert!(answers.iter().all(|answer| answer.status == 201));
    let replays = answers.iter().filter(|answer| answer.is_replay());
    assert_eq!(replays.count(), 4);
    assert_eq!(here.runs.count(), 1);
}

#[test]
fn another_body_is_refused_at_once() {
    let setup = setup(Mode::Marked);
    let (site, subscriptions) = told(&setup);
    let mut owner = site.start("k");
    let other = site.send_request(&site.request("k").body("200 EUR"));
    assert_problem(&other, 422, "key-reused");
    assert_eq!(subscriptions.connections(), 0);
    site.gate.open();
    assert_first(&owner.receive(), 1);
}
