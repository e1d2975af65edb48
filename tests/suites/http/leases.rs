//! The lease of a running handler: lapse, renewal, loss and the end of renewal.

use std::sync::Mutex;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use actix_web::HttpResponse;
use idempotency_actix::store::State;

use idempotency_actix_tests::app::{
    Call, DOWN, Fault, FaultyStore, Mode, Rig, Run, created, wait_at_gate,
};
use idempotency_actix_tests::{PATIENCE, assert_first, assert_problem, eventually, in_both_modes};

in_both_modes! {
    a_lapsed_lease_is_unknown_and_never_a_second_run
    a_late_answer_is_accepted_and_replayed
    a_handler_that_blocks_its_worker_is_renewed
    a_lost_renewal_is_visible_to_the_handler
    a_failing_renewal_is_no_loss_and_is_tried_again
    a_hanging_renewal_is_cut_and_tried_again
    a_slow_begin_is_renewed_before_the_handler_starts
    a_slow_begin_that_lost_its_claim_does_not_run
    a_slow_begin_that_cannot_be_renewed_does_not_run
    a_handler_past_max_run_is_renewed_no_more_and_its_late_answer_stored
    an_answered_claim_is_renewed_no_more
}

/// Short enough to see renewals in a test, long enough for a busy machine.
const SHORT: Duration = Duration::from_millis(300);

fn a_lapsed_lease_is_unknown_and_never_a_second_run(mode: Mode) {
    let (store, clock) = FaultyStore::and_clock();
    let rig = Rig::gated(mode, store);
    let _owner = rig.start("k");
    clock.advance(Duration::from_secs(29));
    rig.assert_in_flight("k");
    clock.advance(Duration::from_secs(2));
    for _ in 0..3 {
        assert_problem(&rig.send("k"), 500, "outcome-unknown");
    }
    clock.advance(Duration::from_secs(23 * 3600));
    assert_problem(&rig.send("k"), 500, "outcome-unknown");
    assert_eq!(rig.runs.count(), 1);
}

fn a_late_answer_is_accepted_and_replayed(mode: Mode) {
    let (store, clock) = FaultyStore::and_clock();
    let rig = Rig::gated(mode, store);
    let mut owner = rig.start("k");
    clock.advance(Duration::from_secs(31));
    assert_problem(&rig.send("k"), 500, "outcome-unknown");
    rig.gate.open();
    assert_first(&owner.receive(), 201, "run 1");
    rig.assert_replayed("k", 201, "run 1");
    assert_eq!(rig.runs.count(), 1);
}

fn a_handler_that_blocks_its_worker_is_renewed(mode: Mode) {
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let store = FaultyStore::default();
    let rig = Rig::new(
        mode,
        store.clone(),
        |layer| layer.lease(SHORT).max_run(PATIENCE),
        move |run| {
            let released = released.lock().unwrap().recv_timeout(PATIENCE);
            let current = run.attempt().is_current();
            async move {
                released.expect("the test to release the worker");
                HttpResponse::Ok().body(format!("current: {current}"))
            }
        },
    );
    let mut owner = rig.start("k");
    store.answered(Call::Renew).wait_for(4);
    let record = store.record(&store.id()).map(|record| record.state);
    assert!(matches!(record, Some(State::InFlight)), "{record:?}");
    release.send(()).unwrap();
    assert_first(&owner.receive(), 200, "current: true");
    assert_eq!(rig.runs.count(), 1);
}

/// A handler that looks whether it is still the owner until it is not, or may end.
async fn watch_claim(run: Run) -> HttpResponse {
    let mut pass = std::pin::pin!(run.gate.pass());
    while run.attempt().is_current() {
        let tick = std::pin::pin!(tokio::time::sleep(Duration::from_millis(2)));
        if let futures_util::future::Either::Left(_) =
            futures_util::future::select(&mut pass, tick).await
        {
            break;
        }
    }
    HttpResponse::Ok().body(format!("current: {}", run.attempt().is_current()))
}

fn a_lost_renewal_is_visible_to_the_handler(mode: Mode) {
    let store = FaultyStore::default();
    store.next(Call::Renew, Fault::Lost);
    let rig = Rig::new(mode, store, |layer| layer.lease(SHORT), watch_claim);
    let mut owner = rig.ask("k");
    assert_first(&owner.receive(), 200, "current: false");
    // What it answers is told and recorded all the same: nobody else has answered.
    rig.assert_replayed("k", 200, "current: false");
    assert_eq!(rig.store.entered(Call::Renew).count(), 1);
    assert_eq!(rig.runs.count(), 1);
}

fn a_failing_renewal_is_no_loss_and_is_tried_again(mode: Mode) {
    let store = FaultyStore::default();
    store.next(Call::Renew, DOWN).next(Call::Renew, DOWN);
    let rig = Rig::new(
        mode,
        store.clone(),
        |layer| layer.lease(SHORT).max_run(PATIENCE),
        watch_claim,
    );
    let mut owner = rig.start("k");
    store.answered(Call::Renew).wait_for(4);
    rig.gate.open();
    assert_first(&owner.receive(), 200, "current: true");
    assert_eq!(rig.runs.count(), 1);
}

fn a_hanging_renewal_is_cut_and_tried_again(mode: Mode) {
    let store = FaultyStore::default();
    store.next(Call::Renew, Fault::Hang);
    let rig = Rig::new(
        mode,
        store.clone(),
        |layer| layer.lease(SHORT).max_run(PATIENCE),
        watch_claim,
    );
    let mut owner = rig.start("k");
    store.answered(Call::Renew).wait_for(2);
    rig.gate.open();
    assert_first(&owner.receive(), 200, "current: true");
    assert_eq!(rig.runs.count(), 1);
}

/// A begin that is granted after more than a third of the lease.
const SLOW: Fault = Fault::Block(Duration::from_millis(120));

fn a_slow_begin_is_renewed_before_the_handler_starts(mode: Mode) {
    let store = FaultyStore::default();
    store.next(Call::Begin, SLOW);
    let seen = store.clone();
    let rig = Rig::new(
        mode,
        store,
        |layer| layer.lease(SHORT),
        move |_| {
            let renewals = seen.answered(Call::Renew).count();
            async move { HttpResponse::Ok().body(format!("renewed: {}", renewals > 0)) }
        },
    );
    assert_first(&rig.send("k"), 200, "renewed: true");
    assert_eq!(rig.runs.count(), 1);
}

fn a_slow_begin_that_lost_its_claim_does_not_run(mode: Mode) {
    let store = FaultyStore::default();
    store.next(Call::Begin, SLOW).next(Call::Renew, Fault::Lost);
    let rig = Rig::new(mode, store, |layer| layer.lease(SHORT), wait_at_gate);
    let answer = rig.send("k");
    assert_problem(&answer, 503, "store-unavailable");
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(rig.runs.count(), 0);
}

fn a_slow_begin_that_cannot_be_renewed_does_not_run(mode: Mode) {
    let store = FaultyStore::default();
    // The thread that renews may be sooner than the owner.
    store.next(Call::Begin, SLOW).always(Call::Renew, DOWN);
    let slow = store.clone();
    let rig = Rig::new(mode, slow, |layer| layer.lease(SHORT), wait_at_gate);
    assert_problem(&rig.send("k"), 503, "store-unavailable");
    assert_eq!(rig.runs.count(), 0);
    store.heal(Call::Renew);
    // Its claim was granted, so it is given back in the background.
    rig.gate.open();
    assert_first(&rig.settle("k"), 201, "run 1");
}

fn a_handler_past_max_run_is_renewed_no_more_and_its_late_answer_stored(mode: Mode) {
    let max_run = 3 * SHORT;
    let store = FaultyStore::default();
    let rig = Rig::new(
        mode,
        store.clone(),
        |layer| layer.lease(SHORT).max_run(max_run),
        wait_at_gate,
    );
    let asked = Instant::now();
    let mut owner = rig.start("k");
    eventually("the last renewal's lease to lapse", || {
        let record = store.record(&store.id()).expect("a claim that stays");
        asked.elapsed() > max_run && matches!(record.state, State::Unknown { .. })
    });
    let renewals = store.entered(Call::Renew).count();
    assert!((1..=9).contains(&renewals), "{renewals} renewals");
    assert_problem(&rig.send("k"), 500, "outcome-unknown");
    rig.gate.open();
    assert_first(&owner.receive(), 201, "run 1");
    rig.assert_replayed("k", 201, "run 1");
    assert_eq!(store.entered(Call::Renew).count(), renewals);
    assert_eq!(rig.runs.count(), 1);
}

fn an_answered_claim_is_renewed_no_more(mode: Mode) {
    let store = FaultyStore::default();
    let rig = Rig::new(
        mode,
        store.clone(),
        |layer| layer.lease(SHORT).max_run(PATIENCE),
        |run| async move {
            if run.number == 2 {
                run.gate.pass().await;
            }
            created(&run)
        },
    );
    assert_first(&rig.send("k"), 201, "run 1");
    let mut owner = rig.ask("other");
    rig.runs.wait_for(2);
    // The other claim is as old as five renewals of the first would be.
    store.answered(Call::Renew).wait_for(5);
    let first = store.calls(Call::Begin)[0].0;
    let renewed = store.calls(Call::Renew);
    let renewed = renewed.iter().filter(|(id, _)| *id == first).count();
    assert!(renewed <= 1, "{renewed} renewals");
    rig.gate.open();
    assert_first(&owner.receive(), 201, "run 2");
}
