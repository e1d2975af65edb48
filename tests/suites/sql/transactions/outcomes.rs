//! What each answer makes of the transaction, on both databases.

use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use actix_web::http::Method;
use actix_web::rt::System;
use idempotency_actix::Caller;
use idempotency_actix::store::RecordId;
use idempotency_actix_tests::{
    Client, PATIENCE, Request, assert_first, assert_in_flight, assert_problem, assert_replay,
    eventually, incidents, log,
};

use super::bank::{Bank, asking, request};
use crate::http::now;

/// One test of each function for each database.
macro_rules! on_both {
    ($($name:ident)*) => {
        mod on_postgres {
            $(#[test] fn $name() { super::$name(&super::super::postgres::bank()); })*
        }
        mod on_sqlite {
            $(#[test] fn $name() { super::$name(&super::super::sqlite::bank()); })*
        }
    };
}

on_both! {
    an_answer_below_400_commits_with_its_effect
    a_4xx_is_rolled_back_and_binds
    a_5xx_is_rolled_back_and_the_retry_runs
    a_panic_is_rolled_back_and_the_retry_runs
    what_was_not_executed_or_is_released_is_rolled_back_and_the_retry_runs
    a_4xx_that_is_marked_to_commit_commits
    an_answer_over_the_limit_is_rolled_back_and_never_told
    a_stream_is_read_to_its_end_and_replayed
    a_transaction_that_left_its_handler_commits_nothing
    a_handler_that_ends_its_transaction_is_counted_and_its_answer_recorded
    what_is_undone_is_run_again_in_place
    what_is_undone_again_and_again_is_503_and_the_retry_runs
    a_route_says_how_often_it_is_run
    a_commit_that_is_refused_for_good_is_500_without_retry_after
    a_client_that_leaves_mid_run_does_not_stop_it
    a_layer_that_drains_commits_what_runs_and_opens_nothing_new
    what_a_drain_gives_up_is_named
    forty_duplicates_make_one_run
    a_retry_waits_for_the_first_request
    another_request_under_the_key_is_409_while_it_runs_and_422_after
    without_a_key_it_is_a_plain_transaction
    what_is_recorded_tells_for_how_long
    what_comes_out_of_inner_middleware_decides
    a_caller_has_no_more_in_flight_than_it_may
    what_a_handler_begins_is_a_savepoint_in_every_run
    a_savepoint_that_is_left_open_is_committed_with_the_rest
}

fn an_answer_below_400_commits_with_its_effect(bank: &Bank) {
    for status in [200, 201, 204, 303] {
        let key = status.to_string();
        let asked = request(&key).header("x-status", &key);
        let first = bank.send(&asked);
        assert_eq!((first.status, first.is_replay()), (status, false));
        assert_eq!(bank.effects(&key), 1);
        let retry = bank.send(&asked);
        assert_replay(&retry, status, &first.text());
        assert_eq!(bank.effects(&key), 1);
    }
    assert_eq!(bank.site.runs.count(), 4);
}

fn a_4xx_is_rolled_back_and_binds(bank: &Bank) {
    let asked = request("k").header("x-status", "422");
    assert_first(&bank.send(&asked), 422, "run 1");
    bank.assert_left("k", 1, 0, 1);
    assert_replay(&bank.send(&asked), 422, "run 1");
    bank.assert_left("k", 1, 0, 1);
}

/// Whatever asks for it: nothing is left, and the next one runs.
fn assert_released(bank: &Bank, asked: &Request, status: u16) {
    let runs = bank.site.runs.count();
    let first = bank.send(asked);
    assert_eq!(
        (first.status, first.is_replay()),
        (status, false),
        "{first:?}"
    );
    bank.assert_left("k", runs + 1, 0, 0);
    let retry = bank.send(asked);
    assert_eq!(
        (retry.status, retry.is_replay()),
        (status, false),
        "{retry:?}"
    );
    bank.assert_left("k", runs + 2, 0, 0);
}

fn a_5xx_is_rolled_back_and_the_retry_runs(bank: &Bank) {
    assert_released(bank, &request("k").header("x-status", "500"), 500);
    assert_released(bank, &request("k").header("x-status", "503"), 503);
}

fn a_panic_is_rolled_back_and_the_retry_runs(bank: &Bank) {
    assert_released(bank, &asking("k", "panic"), 500);
}

fn what_was_not_executed_or_is_released_is_rolled_back_and_the_retry_runs(bank: &Bank) {
    assert_released(bank, &asking("k", "not-executed"), 201);
    assert_released(bank, &request("k").header("x-status", "429"), 429);
}

fn a_4xx_that_is_marked_to_commit_commits(bank: &Bank) {
    let asked = asking("k", "commit").header("x-status", "402");
    assert_first(&bank.send(&asked), 402, "run 1");
    bank.assert_left("k", 1, 1, 1);
    assert_replay(&bank.send(&asked), 402, "run 1");
}

fn an_answer_over_the_limit_is_rolled_back_and_never_told(bank: &Bank) {
    log::listen();
    assert_released(bank, &asking("k", "large"), 500);
    assert!(!log::lines_with(&["max_response", "rolled back"]).is_empty());
}

fn a_stream_is_read_to_its_end_and_replayed(bank: &Bank) {
    let asked = asking("k", "stream");
    assert_first(&bank.send(&asked), 201, "run 1");
    bank.assert_left("k", 1, 1, 1);
    assert_replay(&bank.send(&asked), 201, "run 1");
}

fn a_transaction_that_left_its_handler_commits_nothing(bank: &Bank) {
    log::listen();
    let mut client = bank.site.connect();
    client.send(&asking("k", "keep"));
    let answer = client.receive();
    assert_eq!((answer.status, answer.header("retry-after")), (500, None));
    assert!(!log::lines_with(&["has left its handler", "/charges"]).is_empty());
    bank.assert_left("k", 1, 0, 0);
    // Once it is let go, the key is free, and still nothing is there.
    client.send(&Request::post("/let-go"));
    assert_eq!(client.receive().status, 200);
    eventually("a run of the retry", || {
        bank.send(&request("k")).status == 201
    });
    assert_eq!(bank.effects("k"), 1);
}

fn a_handler_that_ends_its_transaction_is_counted_and_its_answer_recorded(bank: &Bank) {
    incidents::start();
    for status in [201, 404, 500] {
        assert_ended(bank, "COMMIT", status);
        assert_ended(bank, "COMMIT; BEGIN", status);
    }
}

/// What the handler committed by itself stays, and its answer binds.
pub(super) fn assert_ended(bank: &Bank, sql: &str, status: u16) {
    let before = incidents::count("transaction_ended");
    let runs = bank.site.runs.count();
    let key = format!("{}-{status}", sql.len());
    let asked = executing(&key, sql).header("x-status", &status.to_string());
    let first = bank.send(&asked);
    assert_eq!((first.status, first.is_replay()), (status, false), "{sql}");
    assert!(incidents::count("transaction_ended") > before, "{sql}");
    assert_eq!(bank.effects(&key), 1, "{sql}");
    assert_replay(&bank.send(&asked), status, &first.text());
    assert_eq!(bank.effects(&key), 1, "{sql}");
    assert_eq!(bank.site.runs.count(), runs + 1, "{sql}");
}

/// Has the handler carry out this after its effect.
pub(super) fn executing(key: &str, sql: &str) -> Request {
    asking(key, "execute").header("x-sql", sql)
}

fn what_is_undone_is_run_again_in_place(bank: &Bank) {
    let asked = asking("k", "undone").header("x-until", "2");
    assert_first(&bank.send(&asked), 201, "run 3");
    bank.assert_left("k", 3, 1, 1);
    assert_replay(&bank.send(&asked), 201, "run 3");
}

fn what_is_undone_again_and_again_is_503_and_the_retry_runs(bank: &Bank) {
    let asked = asking("k", "undone").header("x-until", "3");
    let first = bank.send(&asked);
    assert_problem(&first, 503, "store-unavailable");
    assert_eq!(first.header("retry-after"), Some("1"));
    bank.assert_left("k", 3, 0, 0);
    assert_first(&bank.send(&asked), 201, "run 4");
    bank.assert_left("k", 4, 1, 1);
}

fn a_route_says_how_often_it_is_run(bank: &Bank) {
    let asked = Request::post("/once")
        .key("k")
        .header("x-note", "k")
        .header("x-act", "undone")
        .header("x-until", "1");
    assert_problem(&bank.send(&asked), 503, "store-unavailable");
    bank.assert_left("k", 1, 0, 0);
    assert_first(&bank.send(&asked), 201, "run 2");
    bank.assert_left("k", 2, 1, 1);
}

fn a_commit_that_is_refused_for_good_is_500_without_retry_after(bank: &Bank) {
    let asked = request("k")
        .header("x-trap", "23514")
        .header("x-until", "1");
    let first = bank.send(&asked);
    assert_eq!((first.status, first.header("retry-after")), (500, None));
    bank.assert_left("k", 1, 0, 0);
    assert_first(&bank.send(&asked), 201, "run 2");
    bank.assert_left("k", 2, 1, 1);
}

fn a_client_that_leaves_mid_run_does_not_stop_it(bank: &Bank) {
    let client = bank.ask(&asking("k", "wait"));
    bank.gate.wait();
    client.reset();
    bank.gate.open();
    let asked = asking("k", "wait");
    let mut answer = bank.send(&asked);
    eventually("an end of the first request", || {
        if answer.status == 409 {
            answer = bank.send(&asked);
        }
        answer.status != 409
    });
    assert_replay(&answer, 201, "run 1");
    bank.assert_left("k", 1, 1, 1);
}

fn a_layer_that_drains_commits_what_runs_and_opens_nothing_new(bank: &Bank) {
    let client = bank.ask(&asking("k", "wait"));
    bank.gate.wait();
    client.reset();
    let layer = bank.layer.clone();
    let drain = thread::spawn(move || System::new().block_on(layer.drain(PATIENCE)));
    eventually("a layer that drains", || now(bank.layer.health()).is_err());
    assert_problem(&bank.send(&request("new")), 503, "draining");
    assert!(!drain.is_finished());
    bank.gate.open();
    let drained = drain.join().expect("a drain that ends");
    assert_eq!((drained.finished, drained.abandoned), (1, 0));
    assert_replay(&bank.send(&asking("k", "wait")), 201, "run 1");
    bank.assert_left("k", 1, 1, 1);
}

fn what_a_drain_gives_up_is_named(bank: &Bank) {
    log::listen();
    let client = bank.ask(&asking("k", "wait"));
    bank.gate.wait();
    let in_flight = bank.layer.in_flight();
    assert_eq!(in_flight.runs, 1);
    let drained = now(bank.layer.drain(Duration::ZERO));
    assert_eq!((drained.finished, drained.abandoned), (0, 1));
    let id = RecordId::of(&Caller::everyone(), &Method::POST, "/charges", "k");
    assert!(!log::lines_with(&["abandoned", &format!("{id:?}")]).is_empty());
    drop(client);
    bank.gate.open();
}

fn forty_duplicates_make_one_run(bank: &Bank) {
    let start = Arc::new(Barrier::new(40));
    let addr = bank.site.addr();
    let duplicates: Vec<_> = (0..40)
        .map(|_| {
            let start = Arc::clone(&start);
            std::thread::spawn(move || {
                let mut client = Client::connect(addr);
                start.wait();
                client.send(&request("k"));
                client.receive()
            })
        })
        .collect();
    for duplicate in duplicates {
        let answer = duplicate.join().expect("an answer");
        match answer.status {
            409 => assert_in_flight(&answer),
            _ => assert_eq!((answer.status, answer.text().as_str()), (201, "run 1")),
        }
    }
    assert_replay(&bank.send(&request("k")), 201, "run 1");
    bank.assert_left("k", 1, 1, 1);
}

fn a_retry_waits_for_the_first_request(bank: &Bank) {
    let waiting = Request::post("/waiting/charges")
        .key("w")
        .header("x-note", "w")
        .header("x-act", "wait");
    let mut first = bank.ask(&waiting);
    bank.gate.wait();
    let mut retry = bank.ask(&waiting);
    retry.assert_silent(1);
    bank.gate.open();
    assert_first(&first.receive(), 201, "run 1");
    assert_replay(&retry.receive(), 201, "run 1");
    bank.assert_left("w", 1, 1, 1);
}

fn another_request_under_the_key_is_409_while_it_runs_and_422_after(bank: &Bank) {
    let mut first = bank.ask(&asking("k", "wait").body("one"));
    bank.gate.wait();
    let other = asking("k", "wait").body("other");
    assert_in_flight(&bank.send(&other));
    bank.gate.open();
    assert_first(&first.receive(), 201, "run 1");
    assert_problem(&bank.send(&other), 422, "key-reused");
    bank.assert_left("k", 1, 1, 1);
}

fn what_is_recorded_tells_for_how_long(bank: &Bank) {
    let windows = |asked: &Request| {
        [bank.send(asked), bank.send(asked)].map(|it| it.header("x-window").map(str::to_owned))
    };
    let day = Some("86400".to_owned());
    for (status, told) in [("201", &day), ("404", &day), ("500", &None)] {
        let asked = request(status).header("x-status", status);
        assert_eq!(windows(&asked), [told.clone(), told.clone()], "{status}");
        let plain = Request::post("/charges").header("x-note", "none");
        assert_eq!(windows(&plain.header("x-status", status)), [None, None]);
    }
}

fn without_a_key_it_is_a_plain_transaction(bank: &Bank) {
    let plain = |act: &str, status: &str| {
        Request::post("/charges")
            .header("x-note", "none")
            .header("x-act", act)
            .header("x-status", status)
    };
    assert_first(&bank.send(&plain("answer", "201")), 201, "run 1");
    assert_first(&bank.send(&plain("answer", "201")), 201, "run 2");
    bank.assert_left("none", 2, 2, 0);
    for (act, status, told) in [
        ("answer", "404", 404),
        ("answer", "500", 500),
        ("panic", "201", 500),
        ("large", "201", 500),
        ("undone", "201", 503),
    ] {
        assert_eq!(
            bank.send(&plain(act, status)).status,
            told,
            "{act} {status}"
        );
    }
    let trapped = plain("answer", "201").header("x-trap", "23514");
    assert_eq!(bank.send(&trapped).status, 500);
    assert_eq!(bank.effects("none"), 2);
    assert_eq!((bank.records)(), 0);
}

fn what_comes_out_of_inner_middleware_decides(bank: &Bank) {
    let failed = request("k").header("x-turned", "500");
    assert_first(&bank.send(&failed), 500, "run 1");
    bank.assert_left("k", 1, 0, 0);
    let refused = request("k").header("x-turned", "409");
    assert_first(&bank.send(&refused), 409, "run 2");
    bank.assert_left("k", 2, 0, 1);
    let accepted = request("l").header("x-turned", "202");
    assert_first(&bank.send(&accepted), 202, "run 3");
    bank.assert_left("l", 3, 1, 2);
    assert_replay(&bank.send(&request("l")), 202, "run 3");
}

fn a_caller_has_no_more_in_flight_than_it_may(bank: &Bank) {
    let single = |key: &str, act: &str| {
        Request::post("/single/charges")
            .key(key)
            .header("x-note", key)
            .header("x-act", act)
    };
    let mut first = bank.ask(&single("a", "wait"));
    bank.gate.wait();
    assert_problem(&bank.send(&single("b", "answer")), 429, "quota-exceeded");
    bank.gate.open();
    assert_first(&first.receive(), 201, "run 1");
    assert_first(&bank.send(&single("b", "answer")), 201, "run 2");
    assert_first(&bank.send(&single("c", "answer")), 201, "run 3");
}

/// Also in the second run of a connection, and in those after one that was rolled back.
fn what_a_handler_begins_is_a_savepoint_in_every_run(bank: &Bank) {
    let mut client = bank.site.connect();
    for (key, status) in [201, 500, 201, 422, 201].into_iter().enumerate() {
        let request = asking(&key.to_string(), "nest");
        client.send(&request.header("x-status", &status.to_string()));
        assert_eq!(client.receive().status, status);
    }
    assert_eq!((bank.effects("kept"), bank.effects("undone")), (3, 0));
}

/// And is gone with its connection: the next run begins anew.
fn a_savepoint_that_is_left_open_is_committed_with_the_rest(bank: &Bank) {
    for (key, status) in [201, 500, 422, 201].into_iter().enumerate() {
        let asked = asking(&key.to_string(), "leave").header("x-status", &status.to_string());
        assert_eq!(bank.send(&asked).status, status);
    }
    assert_eq!(
        (bank.effects("0"), bank.effects("3"), bank.effects("left")),
        (1, 1, 2)
    );
    let nested = asking("nested", "nest");
    assert_eq!(bank.send(&nested).status, 201);
    assert_eq!((bank.effects("nested"), bank.effects("undone")), (1, 0));
    assert!(bank.send(&nested).is_replay());
}
