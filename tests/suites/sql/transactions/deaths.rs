//! Owners that die, stand still or end in mid-run: processes of their own, on one database. The trial in small numbers.

use std::time::{Duration, Instant};

use idempotency_actix_tests::postgres::{Cut, PgServer, Wire};
use idempotency_actix_tests::trial::{
    At, Guard, Place, SHORT, Verdict, crashes, cuts, duplicates, kills, stops,
};
use idempotency_actix_tests::{assert_replay, eventually, until};

const TELLER: &str = env!("CARGO_BIN_EXE_teller");

fn on_server(guard: Guard) -> Place<'static> {
    Place::on(PgServer::shared(), TELLER, guard)
}

fn in_file(guard: Guard) -> Place<'static> {
    Place::file(TELLER, guard)
}

#[track_caller]
fn assert_as_it_should_be(verdict: &Verdict) {
    let complaints: Vec<_> = verdict.complaints().collect();
    assert!(verdict.is_as_it_should_be(), "{verdict} {complaints:#?}");
}

/// Killed in mid-run: nothing is left, nothing is unknown, and the retry runs without waiting for any lease.
fn a_process_that_is_killed_leaves_nothing(place: &Place<'_>) {
    let paused = place.request("k").header("x-pause-ms", "600000");
    let (owner, other) = (place.teller(), place.teller());
    let mut client = owner.ask(&paused);
    owner.wait_for_writes(1);
    owner.process.kill();
    assert!(client.try_receive().is_err(), "no answer");
    assert_eq!(place.count(), (0, 0));
    let killed = Instant::now();
    let mut answer = other.ask(&place.request("k")).receive();
    eventually("a run of the retry", || {
        if answer.status == 409 {
            answer = other.ask(&place.request("k")).receive();
        }
        answer.status != 409
    });
    assert_eq!(
        (answer.status, answer.is_replay()),
        (201, false),
        "{answer:?}"
    );
    // A third of the lease.
    assert!(
        killed.elapsed() < Duration::from_secs(20),
        "{:?}",
        killed.elapsed()
    );
    assert_eq!(place.count(), (1, 1));
    let retry = other.ask(&place.request("k")).receive();
    assert_replay(&retry, 201, &answer.text());
}

#[test]
fn a_process_that_is_killed_leaves_nothing_on_postgres() {
    a_process_that_is_killed_leaves_nothing(&on_server(Guard::Layer));
}

#[test]
fn a_process_that_is_killed_leaves_nothing_in_a_file() {
    a_process_that_is_killed_leaves_nothing(&in_file(Guard::Layer));
}

#[test]
fn kills_at_any_time_leave_one_effect_and_one_answer_a_key() {
    for place in [on_server(Guard::Layer), in_file(Guard::Layer)] {
        let verdict = kills(&place, 10);
        assert_as_it_should_be(&verdict);
        assert!(verdict.in_midst() > 0, "the first kill met no transaction");
    }
}

#[test]
fn crashes_of_the_server_leave_one_effect_and_one_answer_a_key() {
    let server = PgServer::start(&[]);
    let place = Place::on(&server, TELLER, Guard::Layer);
    assert_as_it_should_be(&crashes(&place, 2));
}

#[test]
fn cuts_at_any_message_leave_one_effect_and_one_answer_a_key() {
    let wire = Wire::to(PgServer::shared().addr());
    for &at in At::of(Guard::Layer) {
        for cut in [Cut::Before, Cut::After, Cut::MidReply] {
            let place = on_server(Guard::Layer).behind(&wire);
            assert_as_it_should_be(&cuts(&place, &wire, at, cut, 2));
        }
    }
}

#[test]
fn copies_at_once_have_one_effect_and_one_answer() {
    for place in [on_server(Guard::Layer), in_file(Guard::Layer)] {
        assert_as_it_should_be(&duplicates(&place, 3, 20));
    }
}

#[test]
fn a_process_that_stood_still_past_its_idle_limit_tells_the_other_attempts_answer() {
    for place in [on_server(Guard::Layer), in_file(Guard::Layer)] {
        assert_as_it_should_be(&stops(&place.lease(SHORT), 1));
    }
}

/// What the same scenarios find where the layer is missing.
#[test]
fn without_the_layer_the_trial_finds_what_is_wrong() {
    let wire = Wire::to(PgServer::shared().addr());
    let bare = on_server(Guard::Nothing).behind(&wire);
    let lost = cuts(&bare, &wire, At::Commit, Cut::After, 2);
    let copied = duplicates(&in_file(Guard::Nothing), 2, 5);
    let stopped = stops(&on_server(Guard::Nothing).lease(SHORT), 1);
    for verdict in [lost, copied, stopped] {
        assert!(verdict.has_wrong(), "{verdict}");
        assert_as_it_should_be(&verdict);
    }
}

/// The runtime ends under an open transaction: it is rolled back, and nothing panics.
fn a_server_that_stops_in_mid_run_rolls_back_in_peace(place: &Place<'_>) {
    let mut owner = place.teller();
    let mut client = owner.ask(&place.request("k").header("x-pause-ms", "600000"));
    owner.wait_for_writes(1);
    owner.process.quit();
    let ended = until(Duration::from_secs(20), || owner.process.status());
    assert!(ended.expect("an end").success(), "{ended:?}");
    assert!(!owner.errors().contains("panicked"), "{}", owner.errors());
    assert!(client.try_receive().is_err(), "no answer");
    assert_eq!(place.count(), (0, 0));
    let answer = place.teller().ask(&place.request("k")).receive();
    assert_eq!(
        (answer.status, answer.is_replay()),
        (201, false),
        "{answer:?}"
    );
}

#[test]
fn a_server_that_stops_in_mid_run_rolls_back_in_peace_on_postgres() {
    a_server_that_stops_in_mid_run_rolls_back_in_peace(&on_server(Guard::Layer));
}

#[test]
fn a_server_that_stops_in_mid_run_rolls_back_in_peace_in_a_file() {
    a_server_that_stops_in_mid_run_rolls_back_in_peace(&in_file(Guard::Layer));
}
