//! What makes two requests with the same key one operation, and what does not.

use std::collections::HashSet;
use std::thread;

use actix_web::http::Method;
use idempotency_actix_tests::redis::RedisServer;
use idempotency_actix_tests::{Request, Response, assert_in_flight, assert_problem};

use crate::site::{Replica, Site, assert_first, assert_replay, at, request};

/// The same key of two callers, at two paths, by four methods: the request and how its answer begins.
fn operations() -> Vec<(Request, String)> {
    let mut operations = Vec::new();
    for caller in ["alice", "bob"] {
        for path in ["/charges/1", "/charges/2"] {
            for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
                let name = format!("{method} {path} {caller} k, run ");
                let request = Request::new(method, path).header("X-Caller", caller);
                operations.push((request.key("k").body("100 EUR"), name));
            }
        }
    }
    operations
}

/// Asks both replicas at once, and returns the first answer.
fn race(replicas: &[Replica; 2], request: &Request) -> Response {
    let answers = thread::scope(|scope| {
        let asked = replicas.each_ref();
        let asked = asked.map(|replica| scope.spawn(|| replica.send(request)));
        asked.map(|answer| answer.join().expect("an answer"))
    });
    let is_first = |answer: &Response| answer.status == 201 && !answer.is_replay();
    let (firsts, others): (Vec<_>, Vec<_>) = answers.into_iter().partition(is_first);
    let [first] = &firsts[..] else {
        panic!("{firsts:?}, {others:?}")
    };
    for other in &others {
        match other.status {
            409 => assert_in_flight(other),
            _ => assert_replay(other, first),
        }
    }
    first.clone()
}

#[test]
fn a_key_of_two_callers_paths_or_methods_never_crosses() {
    let site = Site::on(RedisServer::shared());
    let replicas = site.pair();
    let operations = operations();
    let firsts: Vec<_> = thread::scope(|scope| {
        let replicas = &replicas;
        let races: Vec<_> = operations
            .iter()
            .map(|(request, _)| scope.spawn(move || race(replicas, request)))
            .collect();
        let firsts = races.into_iter().map(|race| race.join());
        firsts.map(|first| first.expect("an answer")).collect()
    });
    for ((request, name), first) in operations.iter().zip(&firsts) {
        assert!(first.text().starts_with(name), "{name}: {first:?}");
        for replica in &replicas {
            assert_replay(&replica.send(request), first);
        }
    }
    let starts = site.events("start");
    let distinct: HashSet<_> = starts.iter().collect();
    assert_eq!((starts.len(), distinct.len()), (16, 16));
}

#[test]
fn a_key_with_another_body_is_refused_by_every_replica() {
    let site = Site::on(RedisServer::shared());
    let replicas = site.pair();
    assert_first(&replicas[0].send(&request("k")));
    for replica in &replicas {
        let other = replica.send(&at("/charges/1", "k").body("900 EUR"));
        assert_problem(&other, 422, "key-reused");
    }
    assert_eq!(site.runs("k"), 1);
}
