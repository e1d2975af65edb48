//! A store that is down, full, slow, forgetful or of another mind.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Bytes;
use futures_util::FutureExt;
use idempotency_actix::store::{
    Finished, NotKept, Resolved, State, Store, StoreErrorKind, StoredResponse, Verdict,
};
use idempotency_actix::{Clock, MemoryStore, NotExecuted};

use idempotency_actix_tests::app::{
    Call, DOWN, Fault, FaultyStore, Gate, Mode, Rig, Run, answer, created,
};
use idempotency_actix_tests::{
    PATIENCE, assert_first, assert_problem, eventually, in_both_modes, incidents,
};

in_both_modes! {
    a_refused_begin_is_503_and_the_next_try_runs
    a_ghost_claim_is_released_in_the_background
    a_ghost_claim_that_lands_late_is_released_too
    a_ghost_claim_that_lands_after_a_long_outage_is_released_too
    a_begin_that_panics_is_503_and_its_ghost_is_released
    a_hanging_begin_is_cut_by_the_store_timeout
    a_full_store_is_503_and_nothing_is_released
    an_unreadable_record_is_503_on_every_retry
    a_fingerprint_of_an_unknown_scheme_is_503
    a_full_memory_store_refuses_and_replays_until_the_ttl_is_over
    a_full_memory_store_never_evicts_a_claim
    a_complete_that_fails_once_is_tried_again
    a_complete_whose_reply_is_lost_is_repeated
    a_complete_that_keeps_failing_marks_the_answer_and_is_delivered_later
    a_complete_that_hangs_marks_the_answer_and_is_delivered_later
    a_complete_whose_replies_are_all_lost_is_replayed_at_once
    an_undelivered_answer_is_renewed_past_max_run
    answers_over_64_mib_wait_as_not_kept
    a_buffered_answer_waits_for_its_record
    a_bodiless_answer_waits_for_its_record
    a_refused_answer_is_unknown_where_the_record_cannot_be_read
    a_verdict_with_an_answer_beats_the_owners_answer
    a_verdict_without_an_answer_beats_the_owners_answer
    an_owner_declared_not_executed_is_recorded_while_the_record_is_absent
    an_owner_declared_not_executed_gets_409_while_another_attempt_runs
    a_claim_that_the_store_lost_is_recorded_and_counted
    a_release_that_fails_is_retried_in_the_background
    a_release_whose_reply_is_lost_lets_the_retry_run
    a_release_that_hangs_is_cut_and_retried
    a_release_that_panics_is_retried_in_the_background
}

const SHORT: Duration = Duration::from_millis(300);
const DAY: Duration = Duration::from_secs(24 * 3600);

fn assert_refused(rig: &Rig, key: &str) {
    let answer = rig.send(key);
    assert_problem(&answer, 503, "store-unavailable");
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert!(!answer.text().contains("the test says so"), "{answer:?}");
}

fn a_refused_begin_is_503_and_the_next_try_runs(mode: Mode) {
    let store = FaultyStore::default();
    store.next(Call::Begin, DOWN);
    let rig = Rig::prompt(mode, store);
    assert_refused(&rig, "k");
    assert_eq!(rig.runs.count(), 0);
    assert_first(&rig.send("k"), 201, "run 1");
    rig.assert_replayed("k", 201, "run 1");
    assert_eq!(rig.runs.count(), 1);
}

fn a_ghost_claim_is_released_in_the_background(mode: Mode) {
    let store = FaultyStore::default();
    store.next(Call::Begin, Fault::LoseReply);
    let rig = Rig::prompt(mode, store.clone());
    assert_refused(&rig, "k");
    assert_eq!(rig.runs.count(), 0);
    assert_first(&rig.settle("k"), 201, "run 1");
    assert_eq!(rig.runs.count(), 1);
    let (ghost, released) = (&store.calls(Call::Begin)[0], &store.calls(Call::Release)[0]);
    assert_eq!(ghost.1.token(), released.1.token());
}

fn a_ghost_claim_that_lands_late_is_released_too(mode: Mode) {
    let store = FaultyStore::default();
    store.next(Call::Begin, DOWN);
    let rig = Rig::prompt(mode, store.clone());
    assert_refused(&rig, "k");
    store.answered(Call::Release).wait_for(1);
    let (id, claim) = store.calls(Call::Begin).remove(0);
    let landed = store.memory().begin(&id, &claim).now_or_never();
    landed.expect("memory does not wait").unwrap();
    eventually("a release of the claim", || store.record(&id).is_none());
    assert_first(&rig.send("k"), 201, "run 1");
    assert_eq!(rig.runs.count(), 1);
}

fn a_ghost_claim_that_lands_after_a_long_outage_is_released_too(mode: Mode) {
    let store = FaultyStore::default();
    store.next(Call::Begin, DOWN).always(Call::Release, DOWN);
    let lease = Duration::from_millis(40);
    let rig = Rig::new(mode, store.clone(), |layer| layer.lease(lease), answer);
    assert_refused(&rig, "k");
    // Each pause is a fourth of the lease at least, so two leases are over.
    store.answered(Call::Release).wait_for(20);
    let (id, claim) = store.calls(Call::Begin).remove(0);
    let landed = store.memory().begin(&id, &claim).now_or_never();
    landed.expect("memory does not wait").unwrap();
    store.heal(Call::Release);
    eventually("a release of the claim", || store.record(&id).is_none());
    assert_first(&rig.send("k"), 201, "run 1");
}

fn a_begin_that_panics_is_503_and_its_ghost_is_released(mode: Mode) {
    let store = FaultyStore::default();
    store.next(Call::Begin, Fault::Panic);
    let rig = Rig::prompt(mode, store);
    assert_refused(&rig, "k");
    assert_eq!(rig.runs.count(), 0);
    assert_first(&rig.settle("k"), 201, "run 1");
    assert_eq!(rig.runs.count(), 1);
}

fn a_hanging_begin_is_cut_by_the_store_timeout(mode: Mode) {
    let store = FaultyStore::default();
    store.next(Call::Begin, Fault::HangApplied);
    let timeout = Duration::from_millis(50);
    let rig = Rig::new(mode, store, |layer| layer.store_timeout(timeout), answer);
    assert_refused(&rig, "k");
    assert_eq!(rig.runs.count(), 0);
    assert_first(&rig.settle("k"), 201, "run 1");
    assert_eq!(rig.runs.count(), 1);
}

fn a_full_store_is_503_and_nothing_is_released(mode: Mode) {
    let store = FaultyStore::default();
    store.next(Call::Begin, Fault::Refuse(StoreErrorKind::Full));
    store.next(Call::Begin, DOWN);
    let rig = Rig::prompt(mode, store.clone());
    assert_refused(&rig, "k");
    assert_refused(&rig, "other");
    // Releases are sent in order, and the first is the one for the second request.
    store.entered(Call::Release).wait_for(1);
    let (full, down) = (store.calls(Call::Begin)[0].0, store.calls(Call::Begin)[1].0);
    let released: Vec<_> = store.calls(Call::Release);
    assert!(released.iter().all(|(id, _)| *id == down && *id != full));
    assert_eq!(rig.runs.count(), 0);
    assert_first(&rig.send("k"), 201, "run 1");
}

fn an_unreadable_record_is_503_on_every_retry(mode: Mode) {
    let store = FaultyStore::default();
    let rig = Rig::prompt(mode, store.clone());
    assert_first(&rig.send("k"), 201, "run 1");
    store.always(Call::Begin, Fault::Refuse(StoreErrorKind::Unreadable));
    for _ in 0..3 {
        assert_refused(&rig, "k");
    }
    assert_eq!(rig.runs.count(), 1);
    assert_eq!(store.entered(Call::Release).count(), 0);
    store.heal(Call::Begin);
    rig.assert_replayed("k", 201, "run 1");
}

fn a_fingerprint_of_an_unknown_scheme_is_503(mode: Mode) {
    let store = FaultyStore::default();
    let rig = Rig::prompt(mode, store.clone());
    assert_first(&rig.send("k"), 201, "run 1");
    store.always(Call::Begin, Fault::Scheme(200));
    assert_refused(&rig, "k");
    let other = rig.request("k").body("200 EUR");
    assert_problem(&rig.send_request(&other), 503, "store-unavailable");
    assert_eq!(rig.runs.count(), 1);
}

fn full_after_one(clock: &Clock) -> FaultyStore {
    let memory = MemoryStore::builder().max_entries(1).clock(clock.clone());
    FaultyStore::new(memory.build())
}

fn a_full_memory_store_refuses_and_replays_until_the_ttl_is_over(mode: Mode) {
    let clock = Clock::manual();
    let rig = Rig::prompt(mode, full_after_one(&clock));
    assert_first(&rig.send("k"), 201, "run 1");
    assert_refused(&rig, "other");
    rig.assert_replayed("k", 201, "run 1");
    clock.advance(DAY - Duration::from_secs(1));
    assert_refused(&rig, "other");
    rig.assert_replayed("k", 201, "run 1");
    assert_eq!(rig.runs.count(), 1);
    clock.advance(Duration::from_secs(2));
    assert_first(&rig.send("other"), 201, "run 2");
    assert_eq!(rig.runs.count(), 2);
}

fn a_full_memory_store_never_evicts_a_claim(mode: Mode) {
    let clock = Clock::manual();
    let rig = Rig::gated(mode, full_after_one(&clock));
    let mut owner = rig.start("k");
    assert_refused(&rig, "other");
    rig.assert_in_flight("k");
    clock.advance(Duration::from_secs(31));
    assert_refused(&rig, "other");
    assert_problem(&rig.send("k"), 500, "outcome-unknown");
    rig.gate.open();
    assert_first(&owner.receive(), 201, "run 1");
    rig.assert_replayed("k", 201, "run 1");
    assert_eq!(rig.runs.count(), 1);
}

fn a_complete_that_fails_once_is_tried_again(mode: Mode) {
    let store = FaultyStore::default();
    store.next(Call::Complete, DOWN);
    let rig = Rig::prompt(mode, store.clone());
    assert_first(&rig.send("k"), 201, "run 1");
    assert_eq!(store.entered(Call::Complete).count(), 2);
    rig.assert_replayed("k", 201, "run 1");
    assert_eq!(rig.runs.count(), 1);
}

fn a_complete_whose_reply_is_lost_is_repeated(mode: Mode) {
    let store = FaultyStore::default();
    store.next(Call::Complete, Fault::LoseReply);
    let rig = Rig::prompt(mode, store.clone());
    assert_first(&rig.send("k"), 201, "run 1");
    let tries = store.calls(Call::Complete);
    assert_eq!(tries.len(), 2);
    assert_eq!(tries[0].1.token(), tries[1].1.token());
    rig.assert_replayed("k", 201, "run 1");
    assert_eq!(rig.runs.count(), 1);
}

/// The true answer, marked; then 409 for longer than the lease; then, once the store is well, the
/// replay.
fn assert_delivered_later(mode: Mode, fault: Fault) {
    let store = FaultyStore::default();
    store.always(Call::Complete, fault);
    let rig = Rig::new(
        mode,
        store.clone(),
        |layer| layer.lease(SHORT).max_run(PATIENCE),
        answer,
    );
    let first = rig.send("k");
    assert_eq!((first.status, first.text().as_str()), (201, "run 1"));
    assert_eq!(first.header("idempotency-status"), Some("unstored"));
    assert!(!first.is_replay());
    rig.assert_in_flight("k");
    let renewals = store.answered(Call::Renew).count();
    store.answered(Call::Renew).wait_for(renewals + 4);
    rig.assert_in_flight("k");
    store.heal(Call::Complete);
    rig.assert_replayed("k", 201, "run 1");
    assert_eq!(rig.runs.count(), 1);
    rig.assert_nothing_in_flight();
}

fn a_complete_that_keeps_failing_marks_the_answer_and_is_delivered_later(mode: Mode) {
    assert_delivered_later(mode, DOWN);
}

fn a_complete_that_hangs_marks_the_answer_and_is_delivered_later(mode: Mode) {
    assert_delivered_later(mode, Fault::Hang);
}

fn a_complete_whose_replies_are_all_lost_is_replayed_at_once(mode: Mode) {
    let store = FaultyStore::default();
    store.always(Call::Complete, Fault::LoseReply);
    let rig = Rig::prompt(mode, store.clone());
    let first = rig.send("k");
    assert_eq!((first.status, first.text().as_str()), (201, "run 1"));
    assert_eq!(first.header("idempotency-status"), Some("unstored"));
    assert!(rig.send("k").is_replay());
    rig.assert_replayed("k", 201, "run 1");
    assert_eq!(rig.runs.count(), 1);
}

/// The answer is known, so it is not the handler's time that is over: `max_run` bounds that one.
fn an_undelivered_answer_is_renewed_past_max_run(mode: Mode) {
    let store = FaultyStore::default();
    store.always(Call::Complete, DOWN);
    let rig = Rig::new(
        mode,
        store.clone(),
        |layer| layer.lease(SHORT).max_run(SHORT),
        answer,
    );
    let first = rig.send("k");
    assert_eq!(first.header("idempotency-status"), Some("unstored"));
    let start = std::time::Instant::now();
    eventually("three leases", || start.elapsed() > 3 * SHORT);
    rig.assert_in_flight("k");
    store.heal(Call::Complete);
    rig.assert_replayed("k", 201, "run 1");
    assert_eq!(rig.runs.count(), 1);
}

fn answers_over_64_mib_wait_as_not_kept(mode: Mode) {
    const MIB: usize = 1024 * 1024;
    let store = FaultyStore::default();
    store.always(Call::Complete, DOWN);
    let rig = Rig::new(
        mode,
        store.clone(),
        |layer| layer,
        |_| async { HttpResponse::Ok().body(vec![b'x'; MIB]) },
    );
    for n in 0..66 {
        let first = rig.send(&n.to_string());
        assert_eq!(first.header("idempotency-status"), Some("unstored"));
        assert_eq!(first.body.len(), MIB);
    }
    store.heal(Call::Complete);
    assert_problem(&rig.settle("0"), 410, "response-not-kept");
    assert_problem(&rig.settle("1"), 410, "response-not-kept");
    let kept = rig.settle("65");
    assert!(kept.is_replay());
    assert_eq!((kept.status, kept.body.len()), (200, MIB));
    assert_eq!(rig.runs.count(), 66);
}

/// No byte comes while the store holds the record back, and a retry finds it in flight.
fn assert_waits_for_its_record(mode: Mode, status: u16, act: fn() -> HttpResponse) {
    let store = FaultyStore::default();
    let gate = Gate::closed();
    store.next(Call::Complete, Fault::Hold(gate.clone()));
    let rig = Rig::new(
        mode,
        store.clone(),
        |layer| layer,
        move |_| async move { act() },
    );
    let mut client = rig.ask("k");
    store.entered(Call::Complete).wait_for(1);
    client.assert_silent(1);
    rig.assert_in_flight("k");
    gate.open();
    assert_eq!(client.receive().status, status);
    assert!(rig.send("k").is_replay());
    assert_eq!(rig.runs.count(), 1);
}

fn a_buffered_answer_waits_for_its_record(mode: Mode) {
    assert_waits_for_its_record(mode, 200, || HttpResponse::Ok().body("whole"));
}

fn a_bodiless_answer_waits_for_its_record(mode: Mode) {
    assert_waits_for_its_record(mode, 204, || HttpResponse::NoContent().finish());
}

fn a_refused_answer_is_unknown_where_the_record_cannot_be_read(mode: Mode) {
    let (store, clock) = FaultyStore::and_clock();
    store.next(Call::Inspect, DOWN);
    let rig = Rig::gated(mode, store.clone());
    let mut owner = rig.start("k");
    clock.advance(Duration::from_secs(31));
    let by_hand = StoredResponse::new(StatusCode::ACCEPTED, [], None);
    let verdict = Verdict::Finished(Finished::Completed(by_hand), DAY);
    assert_eq!(store.verdict(&verdict), Resolved::Done);
    rig.gate.open();
    assert_problem(&owner.receive(), 500, "outcome-unknown");
    rig.assert_replayed("k", 202, "");
    assert_eq!(rig.runs.count(), 1);
}

fn a_verdict_with_an_answer_beats_the_owners_answer(mode: Mode) {
    let (store, clock) = FaultyStore::and_clock();
    let rig = Rig::gated(mode, store.clone());
    let mut owner = rig.start("k");
    clock.advance(Duration::from_secs(31));
    let by_hand = Bytes::from_static(b"by hand");
    let by_hand = StoredResponse::new(StatusCode::ACCEPTED, [], Some(by_hand));
    let verdict = Verdict::Finished(Finished::Completed(by_hand), DAY);
    assert_eq!(store.verdict(&verdict), Resolved::Done);
    rig.gate.open();
    let answer = owner.receive();
    assert_eq!((answer.status, answer.text().as_str()), (202, "by hand"));
    assert!(answer.is_replay());
    rig.assert_replayed("k", 202, "by hand");
    assert_eq!(rig.runs.count(), 1);
}

fn a_verdict_without_an_answer_beats_the_owners_answer(mode: Mode) {
    let (store, clock) = FaultyStore::and_clock();
    let rig = Rig::gated(mode, store.clone());
    let mut owner = rig.start("k");
    clock.advance(Duration::from_secs(31));
    let not_kept = NotKept::new(201, None);
    let verdict = Verdict::Finished(Finished::NotKept(not_kept), DAY);
    assert_eq!(store.verdict(&verdict), Resolved::Done);
    rig.gate.open();
    assert_problem(&owner.receive(), 410, "response-not-kept");
    assert_problem(&rig.send("k"), 410, "response-not-kept");
    assert_eq!(rig.runs.count(), 1);
}

fn an_owner_declared_not_executed_is_recorded_while_the_record_is_absent(mode: Mode) {
    incidents::start();
    let (store, clock) = FaultyStore::and_clock();
    let rig = Rig::gated(mode, store.clone());
    let mut owner = rig.start("k");
    clock.advance(Duration::from_secs(31));
    assert_eq!(store.verdict(&Verdict::NotExecuted), Resolved::Done);
    rig.gate.open();
    assert_first(&owner.receive(), 201, "run 1");
    rig.assert_replayed("k", 201, "run 1");
    assert_eq!(rig.runs.count(), 1);
    assert!(incidents::count("recorded_absent") >= 1);
}

fn an_owner_declared_not_executed_gets_409_while_another_attempt_runs(mode: Mode) {
    let (store, clock) = FaultyStore::and_clock();
    let second = Gate::closed();
    let gate = second.clone();
    let rig = Rig::new(
        mode,
        store.clone(),
        |layer| layer,
        move |run| {
            let gate = if run.number == 1 {
                run.gate.clone()
            } else {
                gate.clone()
            };
            async move {
                gate.pass().await;
                created(&run)
            }
        },
    );
    let mut owner = rig.start("k");
    clock.advance(Duration::from_secs(31));
    assert_eq!(store.verdict(&Verdict::NotExecuted), Resolved::Done);
    let mut other = rig.ask("k");
    rig.runs.wait_for(2);
    rig.gate.open();
    assert_problem(&owner.receive(), 409, "in-flight");
    second.open();
    assert_first(&other.receive(), 201, "run 2");
    rig.assert_replayed("k", 201, "run 2");
    assert_eq!(rig.runs.count(), 2);
}

fn a_claim_that_the_store_lost_is_recorded_and_counted(mode: Mode) {
    incidents::start();
    let store = FaultyStore::default();
    store.next(Call::Complete, Fault::Vanish);
    let rig = Rig::prompt(mode, store.clone());
    assert_first(&rig.send("k"), 201, "run 1");
    assert!(incidents::count("recorded_absent") >= 1);
    rig.assert_replayed("k", 201, "run 1");
    assert_eq!(rig.runs.count(), 1);
}

/// Says that it did not act the first time, and acts the second.
async fn refuse_once(run: Run) -> HttpResponse {
    if run.number > 1 {
        return created(&run);
    }
    let request = actix_web::test::TestRequest::default().to_http_request();
    let answer = NotExecuted(HttpResponse::ServiceUnavailable().body("closed"));
    actix_web::Responder::respond_to(answer, &request)
}

fn assert_released_later(mode: Mode, fault: Fault) {
    let store = FaultyStore::default();
    store.next(Call::Release, fault);
    let timeout = Duration::from_millis(100);
    let rig = Rig::new(
        mode,
        store.clone(),
        |layer| layer.store_timeout(timeout),
        refuse_once,
    );
    assert_first(&rig.send("k"), 503, "closed");
    assert_first(&rig.settle("k"), 201, "run 2");
    rig.assert_replayed("k", 201, "run 2");
    assert_eq!(rig.runs.count(), 2);
    store.entered(Call::Release).wait_for(2);
    let tokens = store.calls(Call::Release);
    let own = *store.calls(Call::Begin)[0].1.token();
    assert!(tokens.iter().all(|(_, claim)| *claim.token() == own));
    let record = store.record(&store.id()).map(|record| record.state);
    assert!(matches!(record, Some(State::Finished(_))), "{record:?}");
}

fn a_release_that_fails_is_retried_in_the_background(mode: Mode) {
    assert_released_later(mode, DOWN);
}

fn a_release_whose_reply_is_lost_lets_the_retry_run(mode: Mode) {
    assert_released_later(mode, Fault::LoseReply);
}

fn a_release_that_hangs_is_cut_and_retried(mode: Mode) {
    assert_released_later(mode, Fault::Hang);
}

fn a_release_that_panics_is_retried_in_the_background(mode: Mode) {
    assert_released_later(mode, Fault::Panic);
}
