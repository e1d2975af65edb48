//! Duplicates that arrive at all replicas at once.

use std::io::Write;
use std::sync::Barrier;
use std::thread;

use idempotency_actix_tests::redis::RedisServer;
use idempotency_actix_tests::{Client, Request, Response, assert_in_flight, assert_problem, until};

use crate::site::{
    PATIENCE, Replica, Site, assert_first, assert_replay, assert_replayed, essence, gated, request,
};

const KEYS: usize = 100;
pub const DUPLICATES: usize = 40;

pub fn keys() -> impl Iterator<Item = String> {
    (0..KEYS).map(|number| format!("k{number}"))
}

/// Sends all duplicates of a key at once, half of them to each replica, then those of the next. A
/// client that gets no answer asks no more.
pub fn contest(
    replicas: &[Replica; 2],
    ask: impl Fn(&mut Client, &Request) -> Option<Response> + Sync,
    meanwhile: impl FnOnce(),
) -> Vec<Vec<Response>> {
    let barrier = Barrier::new(DUPLICATES);
    let run = |mut client: Client| {
        let mut is_served = true;
        let answers = keys().map(|key| {
            barrier.wait();
            let answer = is_served.then(|| ask(&mut client, &request(&key)))?;
            is_served = answer.is_some();
            answer
        });
        answers.collect::<Vec<_>>()
    };
    let answers: Vec<_> = thread::scope(|scope| {
        let run = &run;
        let clients: Vec<_> = (0..DUPLICATES)
            .map(|number| replicas[number % 2].connect())
            .map(|client| scope.spawn(move || run(client)))
            .collect();
        meanwhile();
        let answers = clients.into_iter().map(|client| client.join());
        answers.map(|answers| answers.expect("answers")).collect()
    });
    let of_key = |key: usize| answers.iter().filter_map(|all| all[key].clone()).collect();
    (0..KEYS).map(of_key).collect()
}

pub fn send(client: &mut Client, request: &Request) -> Option<Response> {
    client.stream().write_all(&request.bytes()).ok()?;
    client.try_receive().ok()
}

/// Retries until the operation has ended and the store can tell.
fn insist(client: &mut Client, request: &Request) -> Option<Response> {
    let answer = until(PATIENCE, || match send(client, request) {
        Some(answer) if answer.status == 409 || answer.status == 503 => None,
        end => Some(end),
    });
    answer.flatten()
}

/// The only first answer among these; all others that the handler gave are equal to it.
pub fn first_of(answers: &[Response]) -> &Response {
    let given = answers.iter().filter(|answer| answer.status == 201);
    let (replays, firsts): (Vec<_>, Vec<_>) = given.partition(|answer| answer.is_replay());
    assert_eq!(firsts.len(), 1, "{firsts:?}");
    for replay in replays {
        assert_replay(replay, firsts[0]);
    }
    firsts[0]
}

#[test]
fn a_hundred_contested_keys_have_one_run_and_one_answer_each() {
    let site = Site::on(RedisServer::shared());
    let replicas = site.pair();
    let answers = contest(&replicas, send, || {});
    for (key, answers) in keys().zip(answers) {
        assert_eq!(answers.len(), DUPLICATES);
        let first = first_of(&answers);
        for other in answers.iter().filter(|answer| answer.status != 201) {
            assert_in_flight(other);
        }
        for replica in &replicas {
            assert_replay(&replica.send(&request(&key)), first);
        }
        assert_eq!(site.runs(&key), 1, "{key}");
    }
}

#[test]
fn contested_keys_have_one_run_and_one_answer_each_while_redis_restarts() {
    let redis = RedisServer::start(&[("appendonly", "yes"), ("appendfsync", "always")]);
    let site = Site::on(&redis);
    let replicas = site.pair();
    let answers = contest(&replicas, insist, || {
        for restart in 1..=4 {
            site.wait_for("start", restart * KEYS / 5);
            redis.restart();
        }
    });
    for (key, answers) in keys().zip(answers) {
        assert_eq!(answers.len(), DUPLICATES);
        let first = first_of(&answers);
        for replica in &replicas {
            assert_replay(&replica.send(&request(&key)), first);
        }
        assert_eq!(site.runs(&key), 1, "{key}");
    }
}

#[test]
fn contested_keys_have_no_second_run_when_a_replica_is_killed() {
    let site = Site::with_short_lease(RedisServer::shared());
    let replicas = site.pair();
    let answers = contest(&replicas, insist, || {
        site.wait_for("start", KEYS / 2);
        replicas[0].kill();
    });
    let [_, survivor] = &replicas;
    let successor = site.replica();
    for (key, answers) in keys().zip(answers) {
        assert!(answers.len() >= DUPLICATES / 2, "{answers:?}");
        for replica in [survivor, &successor] {
            let retry = replica.send(&request(&key));
            match retry.status {
                201 => assert!(retry.is_replay(), "{retry:?}"),
                _ => assert_problem(&retry, 500, "outcome-unknown"),
            }
            for answer in &answers {
                assert_eq!(essence(answer), essence(&retry));
            }
            let runs = site.runs(&key);
            assert!(runs == 1 || runs == 0 && retry.status == 500, "{runs}");
        }
    }
}

#[test]
fn duplicates_of_a_running_request_get_409_from_every_replica() {
    let site = Site::on(RedisServer::shared());
    let replicas = site.pair();
    let mut owner = site.start(&replicas[0], &gated("k"));
    for _ in 0..10 {
        for replica in &replicas {
            assert_in_flight(&replica.send(&gated("k")));
        }
    }
    site.open("gate");
    let first = owner.receive();
    assert_first(&first);
    assert_replayed(&site, &replicas, &gated("k"), &first);
}

#[test]
fn a_client_that_resets_mid_handler_is_answered_by_the_other_replica() {
    let site = Site::on(RedisServer::shared());
    let [owner, other] = site.pair();
    site.start(&owner, &gated("k")).reset();
    site.wait_for("let-go", 1);
    assert_in_flight(&other.send(&gated("k")));
    site.open("gate");
    let replay = other.settle(&gated("k"));
    assert_eq!(replay.status, 201);
    assert_eq!(site.events("end").len(), 1);
    assert_replayed(&site, &[owner, other], &gated("k"), &replay);
}
