//! Duplicates that arrive at all replicas at once.

use std::sync::Barrier;
use std::thread;

use idempotency_actix_tests::Response;
use idempotency_actix_tests::redis::RedisServer;

use crate::site::{
    Replica, Site, assert_first, assert_in_flight, assert_replay, assert_replayed, essence, gated,
    request,
};

const KEYS: usize = 100;
const DUPLICATES: usize = 40;

fn key(number: usize) -> String {
    format!("k{number}")
}

/// Sends every key's duplicates at once, half of them to each replica; the answers by key.
fn contest(replicas: &[Replica; 2]) -> Vec<Vec<Response>> {
    let barrier = Barrier::new(DUPLICATES);
    let client = |number: usize| {
        let mut client = replicas[number % 2].connect();
        let ask = |key_number| {
            barrier.wait();
            client.send(&request(&key(key_number)));
            client.receive()
        };
        (0..KEYS).map(ask).collect::<Vec<_>>()
    };
    let answers: Vec<_> = thread::scope(|scope| {
        let client = &client;
        let clients: Vec<_> = (0..DUPLICATES)
            .map(|number| scope.spawn(move || client(number)))
            .collect();
        let answers = clients.into_iter().map(|client| client.join());
        answers.map(|answers| answers.expect("answers")).collect()
    });
    let of_key = |key: usize| answers.iter().map(|all| all[key].clone()).collect();
    (0..KEYS).map(of_key).collect()
}

#[test]
fn a_hundred_contested_keys_have_one_run_and_one_answer_each() {
    let site = Site::on(RedisServer::shared());
    let replicas = site.pair();
    for (number, answers) in contest(&replicas).into_iter().enumerate() {
        let key = key(number);
        assert_eq!(site.runs(&key), 1, "{key}");
        let is_handlers = |answer: &&Response| answer.status == 201;
        let first = answers
            .iter()
            .find(|answer| answer.status == 201 && !answer.is_replay())
            .expect("a first answer");
        for answer in answers.iter().filter(is_handlers) {
            assert_eq!(essence(answer), essence(first));
        }
        let firsts = answers.iter().filter(is_handlers);
        assert_eq!(firsts.filter(|answer| !answer.is_replay()).count(), 1);
        for answer in answers.iter().filter(|answer| !is_handlers(answer)) {
            assert_in_flight(answer);
        }
        for replica in &replicas {
            assert_replay(&replica.send(&request(&key)), first);
        }
        assert_eq!(site.runs(&key), 1, "{key}");
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
