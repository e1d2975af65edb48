//! What is finished when the store does not answer in time: late answers, given-up claims, and their log.

use std::time::{Duration, Instant};

use actix_web::HttpResponse;
use futures_util::FutureExt;
use idempotency_actix::store::{State, Store};
use idempotency_actix_tests::app::{
    Call, DOWN, Fault, FaultyStore, Gate, Mode, Rig, answer, created, wait_at_gate,
};
use idempotency_actix_tests::{
    assert_first, assert_problem, eventually, in_both_modes, incidents, log,
};

use crate::picky::{self, Picky};

in_both_modes! {
    an_answer_outlives_its_layer
    an_answer_is_recorded_when_the_attempt_in_its_way_gives_up
    an_answer_is_given_up_when_the_attempt_in_its_way_has_answered
    answers_that_wait_go_at_once_when_the_store_returns
    an_answer_that_the_store_refuses_for_what_it_is_becomes_not_kept
    an_answer_whose_location_is_refused_too_is_not_kept_without_it
    an_outage_is_counted_by_request_and_logged_once
    claims_that_the_store_lost_are_counted_and_logged_once
}

fn is_finished(store: &FaultyStore) -> bool {
    let record = store.record(&store.id());
    record.is_some_and(|record| matches!(record.state, State::Finished(_)))
}

fn an_answer_outlives_its_layer(mode: Mode) {
    let store = FaultyStore::default();
    store.always(Call::Complete, DOWN);
    let rig = Rig::prompt(mode, store.clone());
    assert_eq!(rig.send("k").header("idempotency-status"), Some("unstored"));
    drop(rig);
    let tries = store.answered(Call::Complete).count();
    store.answered(Call::Complete).wait_for(tries + 3);
    assert!(!is_finished(&store));
    store.heal(Call::Complete);
    eventually("the answer's record", || is_finished(&store));
    // A layer of later replays it, and the one that is gone holds nothing any more.
    let later = Rig::prompt(mode, store.clone());
    later.assert_replayed("k", 201, "run 1");
    assert_eq!(later.runs.count(), 0);
    let is_held = store.watch();
    drop((later, store));
    eventually("an end of all that holds the store", || !is_held());
}

/// The first attempt waits at its gate and creates; the second waits at another one and does what it is told.
fn lost_claim(mode: Mode, store: &FaultyStore, second: &Gate, status: u16) -> Rig {
    let second = second.clone();
    Rig::new(
        mode,
        store.clone(),
        |layer| layer,
        move |run| {
            let gate = match run.number {
                1 => run.gate.clone(),
                _ => second.clone(),
            };
            async move {
                gate.pass().await;
                match run.number {
                    1 => created(&run),
                    _ => HttpResponse::build(
                        actix_web::http::StatusCode::from_u16(status).expect("a status"),
                    )
                    .body("second"),
                }
            }
        },
    )
}

fn lose(store: &FaultyStore) {
    let (id, claim) = store.calls(Call::Begin).remove(0);
    let lost = store.memory().release(&id, &claim).now_or_never();
    lost.expect("memory does not wait").unwrap();
}

fn an_answer_is_recorded_when_the_attempt_in_its_way_gives_up(mode: Mode) {
    let (store, second) = (FaultyStore::default(), Gate::closed());
    let rig = lost_claim(mode, &store, &second, 429);
    let mut first = rig.start("k");
    lose(&store);
    let mut other = rig.ask("k");
    rig.runs.wait_for(2);
    rig.gate.open();
    assert_problem(&first.receive(), 409, "in-flight");
    // It is tried again meanwhile, and the other attempt's claim stands.
    let tries = store.answered(Call::Complete).count();
    store.answered(Call::Complete).wait_for(tries + 1);
    rig.assert_in_flight("k");
    second.open();
    assert_first(&other.receive(), 429, "second");
    let third = rig.send("k");
    assert!(third.is_replay(), "{third:?}");
    assert_eq!((third.status, third.text().as_str()), (201, "run 1"));
    assert_eq!(rig.runs.count(), 2);
}

fn an_answer_is_given_up_when_the_attempt_in_its_way_has_answered(mode: Mode) {
    let (store, second) = (FaultyStore::default(), Gate::closed());
    let rig = lost_claim(mode, &store, &second, 200);
    let mut first = rig.start("k");
    lose(&store);
    let mut other = rig.ask("k");
    rig.runs.wait_for(2);
    rig.gate.open();
    assert_problem(&first.receive(), 409, "in-flight");
    second.open();
    assert_first(&other.receive(), 200, "second");
    rig.assert_replayed("k", 200, "second");
    // Nobody holds the store for the refused answer any more.
    let is_held = store.watch();
    drop((rig, store));
    eventually("an end of all that holds the store", || !is_held());
}

fn answers_that_wait_go_at_once_when_the_store_returns(mode: Mode) {
    const MANY: usize = 300;
    let store = FaultyStore::default();
    store.always(Call::Complete, DOWN);
    let rig = Rig::prompt(mode, store.clone());
    for n in 0..MANY {
        rig.send(&n.to_string());
    }
    // As long an outage as lets the pauses grow to their longest.
    let tries = store.answered(Call::Complete).count();
    store.answered(Call::Complete).wait_for(tries + 5 * MANY);
    store.heal(Call::Complete);
    let back = Instant::now();
    let begun = store.calls(Call::Begin);
    eventually("all records", || {
        begun.iter().all(|(id, _)| {
            let record = store.record(id);
            record.is_some_and(|record| matches!(record.state, State::Finished(_)))
        })
    });
    let took = back.elapsed();
    assert!(took < Duration::from_secs(6), "{took:?}");
    assert_eq!(rig.runs.count(), MANY);
}

fn an_answer_that_the_store_refuses_for_what_it_is_becomes_not_kept(mode: Mode) {
    incidents::start();
    let before = incidents::count("value_refused");
    let picky = Picky::default();
    let (site, gate, request) = picky::site(mode, picky.clone());
    gate.open();
    let first = site.send(request.clone());
    assert_eq!(first.status, 201);
    assert_eq!(first.header("idempotency-status"), Some("unstored"));
    eventually("an end of the tries", || {
        site.send(request.clone()).status != 409
    });
    assert_problem(&site.send(request), 410, "response-not-kept");
    assert!(incidents::count("value_refused") > before);
    assert!(picky.refused() <= 12, "{} tries", picky.refused());
    assert_eq!(site.runs.count(), 1);
}

fn an_answer_whose_location_is_refused_too_is_not_kept_without_it(mode: Mode) {
    let (site, gate, request) = picky::site(mode, Picky::without_locations());
    gate.open();
    assert_eq!(site.send(request.clone()).status, 201);
    eventually("an end of the tries", || {
        site.send(request.clone()).status != 409
    });
    let retry = site.send(request);
    assert_problem(&retry, 410, "response-not-kept");
    assert_eq!(retry.header("location"), None);
    assert_eq!(site.runs.count(), 1);
}

fn an_outage_is_counted_by_request_and_logged_once(mode: Mode) {
    incidents::start();
    log::listen();
    let store = FaultyStore::default();
    store.always(Call::Begin, DOWN);
    let rig = Rig::new(mode, store, |layer| layer, answer);
    let (count, before) = (incidents::count("claim_failed"), lines("claim_failed"));
    for n in 0..50 {
        assert_problem(&rig.send(&n.to_string()), 503, "store-unavailable");
    }
    assert!(incidents::count("claim_failed") >= count + 50);
    // Another test's outage may be logged once a minute too.
    assert!(lines("claim_failed") <= before + 2);
}

fn claims_that_the_store_lost_are_counted_and_logged_once(mode: Mode) {
    const MANY: u64 = 20;
    incidents::start();
    log::listen();
    let store = FaultyStore::default();
    store.always(Call::Renew, Fault::Lost);
    let lease = Duration::from_secs(1);
    let rig = Rig::new(mode, store, |layer| layer.lease(lease), wait_at_gate);
    let (count, before) = (incidents::count("claim_lost"), lines("claim_lost"));
    let _owners: Vec<_> = (0..MANY).map(|n| rig.start(&n.to_string())).collect();
    eventually("a loss of all claims", || {
        incidents::count("claim_lost") >= count + MANY
    });
    assert!(lines("claim_lost") <= before + 2);
    rig.gate.open();
}

fn lines(incident: &str) -> usize {
    log::lines_with(&[incident]).len()
}
