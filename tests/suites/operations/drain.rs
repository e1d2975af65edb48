//! A stop that loses nothing: what is in flight is finished, or named.

use std::thread::{self, JoinHandle};
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::rt::System;
use futures_util::stream;
use idempotency_actix::{Drained, Idempotency, OnDrain, OnUnknown};
use idempotency_actix_tests::app::{
    Call, DOWN, Fault, FaultyStore, Gate, Mode, Rig, answer, created, wait_at_gate,
};
use idempotency_actix_tests::{
    Request, Response, assert_first, assert_problem, eventually, in_both_modes, incidents, log,
};

in_both_modes! {
    a_drain_waits_for_a_handler_whose_client_has_left
    a_drain_waits_for_a_claim_that_is_asked_for
    a_drain_waits_for_the_end_of_a_stream
    a_drain_waits_for_answers_that_the_store_does_not_take
    a_drain_waits_for_claims_that_are_not_given_back
    what_a_drain_gives_up_is_said_once
    what_begins_after_a_drain_and_is_cut_off_is_said
    while_a_layer_drains_it_starts_nothing_new
    a_layer_that_drains_runs_no_unknown_outcome_again
    a_layer_may_serve_new_keys_while_it_drains
    waiters_are_counted_and_answered_while_a_layer_drains
    a_layer_at_rest_is_drained_at_once
}

/// Longer than any test.
const PATIENT: Duration = Duration::from_secs(300);

/// Drains on a thread of its own, from before this returns.
fn drain(layer: &Idempotency, timeout: Duration) -> JoinHandle<Drained> {
    let draining = layer.clone();
    let drain = thread::spawn(move || System::new().block_on(draining.drain(timeout)));
    eventually("a layer that drains", || !is_healthy(layer));
    drain
}

fn is_healthy(layer: &Idempotency) -> bool {
    System::new().block_on(layer.health()).is_ok()
}

#[track_caller]
fn assert_draining(refused: &Response) {
    assert_problem(refused, 503, "draining");
    assert_eq!(refused.header("retry-after"), Some("1"));
}

#[track_caller]
fn assert_drained(drain: JoinHandle<Drained>, finished: usize, abandoned: usize) {
    let drained = drain.join().expect("a drain that ends");
    assert_eq!((drained.finished, drained.abandoned), (finished, abandoned));
}

fn a_drain_waits_for_a_handler_whose_client_has_left(mode: Mode) {
    let rig = Rig::gated(mode, FaultyStore::default());
    rig.start("k").reset();
    rig.let_go.wait_for(1);
    let in_flight = rig.layer.in_flight();
    assert_eq!((in_flight.runs, in_flight.detached), (1, 1));
    let drain = drain(&rig.layer, PATIENT);
    assert_draining(&rig.send("new"));
    rig.assert_in_flight("k");
    assert!(!drain.is_finished());
    rig.gate.open();
    assert_drained(drain, 1, 0);
    rig.assert_replayed("k", 201, "run 1");
    assert_eq!(rig.runs.count(), 1);
    let in_flight = rig.layer.in_flight();
    assert_eq!((in_flight.runs, in_flight.detached), (0, 0));
}

/// A claim that is granted after the drain began starts its handler, and is waited for.
fn a_drain_waits_for_a_claim_that_is_asked_for(mode: Mode) {
    let rig = Rig::gated(mode, FaultyStore::default());
    let hold = Gate::closed();
    rig.store.next(Call::Begin, Fault::Hold(hold.clone()));
    let client = rig.ask("k");
    rig.store.entered(Call::Begin).wait_for(1);
    let drain = drain(&rig.layer, PATIENT);
    client.reset();
    hold.open();
    rig.runs.wait_for(1);
    assert!(!drain.is_finished());
    rig.gate.open();
    // It had no claim yet when the drain began.
    assert_drained(drain, 0, 0);
    rig.assert_replayed("k", 201, "run 1");
}

fn a_drain_waits_for_the_end_of_a_stream(mode: Mode) {
    let rig = Rig::new(
        mode,
        FaultyStore::default(),
        |layer| layer,
        |run| async move {
            let gate = run.gate.clone();
            HttpResponse::Created().streaming(stream::once(async move {
                gate.pass().await;
                Ok::<_, actix_web::Error>("late".into())
            }))
        },
    );
    let mut client = rig.start("k");
    assert_eq!(client.receive_head().unwrap().status, 201);
    client.reset();
    let drain = drain(&rig.layer, PATIENT);
    assert!(!drain.is_finished());
    rig.gate.open();
    assert_drained(drain, 1, 0);
    rig.assert_replayed("k", 201, "late");
}

fn a_drain_waits_for_answers_that_the_store_does_not_take(mode: Mode) {
    let rig = Rig::prompt(mode, FaultyStore::default());
    rig.store.always(Call::Complete, DOWN);
    assert_eq!(rig.send("k").status, 201);
    assert_eq!(rig.layer.in_flight().waiting_answers, 1);
    let drain = drain(&rig.layer, PATIENT);
    rig.store.entered(Call::Complete).wait_for(4);
    assert!(!drain.is_finished());
    rig.store.heal(Call::Complete);
    assert_drained(drain, 1, 0);
    rig.assert_replayed("k", 201, "run 1");
    assert_eq!(rig.layer.in_flight().waiting_answers, 0);
}

fn a_drain_waits_for_claims_that_are_not_given_back(mode: Mode) {
    let rig = Rig::new(
        mode,
        FaultyStore::default(),
        |layer| layer,
        |_| async { HttpResponse::TooManyRequests().finish() },
    );
    rig.store.always(Call::Release, DOWN);
    assert_eq!(rig.send("k").status, 429);
    assert_eq!(rig.layer.in_flight().waiting_releases, 1);
    let drain = drain(&rig.layer, PATIENT);
    rig.store.entered(Call::Release).wait_for(3);
    assert!(!drain.is_finished());
    rig.store.heal(Call::Release);
    assert_drained(drain, 1, 0);
    assert_eq!(rig.store.records(), 0);
}

fn what_a_drain_gives_up_is_said_once(mode: Mode) {
    log::listen();
    incidents::start();
    let rig = Rig::gated(mode, FaultyStore::default());
    let key = format!("{mode:?}");
    rig.start(&key).reset();
    rig.let_go.wait_for(1);
    assert_drained(drain(&rig.layer, Duration::ZERO), 0, 1);
    let id = format!("{:?}", rig.store.id());
    let lines = || log::lines_with(&["abandoned", &id]).len();
    assert_eq!(lines(), 1);
    assert!(incidents::count("abandoned") >= 1);
    let store = rig.store.watch();
    rig.stop();
    eventually("an end of the worker", || !store());
    assert_eq!(lines(), 1);
    assert!(log::lines_with(&["cut_off", &id]).is_empty());
}

fn what_begins_after_a_drain_and_is_cut_off_is_said(mode: Mode) {
    log::listen();
    let serving = |layer: idempotency_actix::IdempotencyBuilder| layer.on_drain(OnDrain::Serve);
    let rig = Rig::new(mode, FaultyStore::default(), serving, wait_at_gate);
    rig.start("before").reset();
    rig.let_go.wait_for(1);
    assert_drained(drain(&rig.layer, Duration::ZERO), 0, 1);
    rig.start("after").reset();
    rig.let_go.wait_for(2);
    let begun = rig.store.calls(Call::Begin);
    let ids = begun.iter().map(|(id, _)| format!("{id:?}"));
    let [before, after] = <[String; 2]>::try_from(ids.collect::<Vec<_>>()).expect("two claims");
    let store = rig.store.watch();
    rig.stop();
    eventually("an end of the worker", || !store());
    let said = |id: &str| log::lines_with(&["cut_off", id]).len();
    assert_eq!((said(&before), said(&after)), (0, 1));
}

fn while_a_layer_drains_it_starts_nothing_new(mode: Mode) {
    let rig = Rig::prompt(mode, FaultyStore::default());
    assert_first(&rig.send("old"), 201, "run 1");
    assert_drained(drain(&rig.layer, PATIENT), 0, 0);
    assert_draining(&rig.send("new"));
    rig.assert_replayed("old", 201, "run 1");
    let other = rig.request("old").body("200 EUR");
    assert_problem(&rig.send_request(&other), 422, "key-reused");
    let mut client = rig.connect();
    client.send(&Request::post(rig.path()).body("no key"));
    assert_first(&client.receive(), 201, "run 2");
    assert_eq!((rig.store.records(), rig.runs.count()), (1, 2));
}

fn a_layer_that_drains_runs_no_unknown_outcome_again(mode: Mode) {
    let (store, clock) = FaultyStore::and_clock();
    let lease = Duration::from_millis(200);
    let rig = Rig::new(
        mode,
        store,
        |layer| layer.lease(lease).on_unknown(OnUnknown::Rerun),
        |run| async move { created(&run) },
    );
    rig.store.always(Call::Complete, DOWN);
    rig.store.always(Call::Renew, DOWN);
    assert_eq!(rig.send("k").status, 201);
    clock.advance(lease * 2);
    let drain = drain(&rig.layer, Duration::from_millis(1));
    assert_drained(drain, 0, 1);
    for _ in 0..2 {
        assert_draining(&rig.send("k"));
    }
    assert_eq!(rig.runs.count(), 1);
}

fn a_layer_may_serve_new_keys_while_it_drains(mode: Mode) {
    let serving = |layer: idempotency_actix::IdempotencyBuilder| layer.on_drain(OnDrain::Serve);
    let rig = Rig::new(mode, FaultyStore::default(), serving, answer);
    assert_drained(drain(&rig.layer, PATIENT), 0, 0);
    assert_first(&rig.send("new"), 201, "run 1");
    rig.assert_replayed("new", 201, "run 1");
    assert!(!is_healthy(&rig.layer));
}

fn waiters_are_counted_and_answered_while_a_layer_drains(mode: Mode) {
    let rig = Rig::new(
        mode,
        FaultyStore::default(),
        |layer| layer.wait(Duration::from_secs(60)),
        wait_at_gate,
    );
    let mut first = rig.start("k");
    let mut waiter = rig.ask("k");
    eventually("a waiter", || rig.layer.in_flight().waiters == 1);
    let drain = drain(&rig.layer, PATIENT);
    rig.gate.open();
    assert_first(&first.receive(), 201, "run 1");
    let replay = waiter.receive();
    assert!(replay.is_replay(), "{replay:?}");
    assert_drained(drain, 1, 0);
    eventually("no waiter", || rig.layer.in_flight().waiters == 0);
}

fn a_layer_at_rest_is_drained_at_once(mode: Mode) {
    let rig = Rig::prompt(mode, FaultyStore::default());
    assert!(is_healthy(&rig.layer));
    assert_drained(drain(&rig.layer, PATIENT), 0, 0);
    assert_drained(drain(&rig.layer, PATIENT), 0, 0);
}
