//! `on_unknown = "rerun"`: who takes a lapsed claim over, when, and what becomes of its first owner.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use actix_web::HttpResponse;
use idempotency_actix::store::{Completion, Released, Renewed, StoreErrorKind};
use idempotency_actix::{Clock, IdempotencyBuilder, OnUnknown};
use idempotency_actix_tests::app::{Call, Counter, DOWN, Fault, FaultyStore, Gate, Mode, Rig, Run};
use idempotency_actix_tests::{
    Client, PATIENCE, Response, assert_first, assert_problem, eventually, in_both_modes,
};

use crate::orphan::{Orphan, SHORT, look};

in_both_modes! {
    a_claim_that_just_lapsed_is_in_flight_for_half_a_lease
    half_a_lease_after_the_first_look_it_runs_one_generation_higher
    a_retry_that_waits_runs_when_the_time_has_come
    a_retry_that_waits_sees_the_claim_lapse_and_runs
    an_owner_that_renewed_is_watched_anew
    an_owner_that_answers_before_the_takeover_wins
    an_owner_that_renews_before_the_takeover_keeps_its_claim
    an_owner_that_released_before_the_takeover_leaves_a_first_run
    a_taken_over_claim_is_nobody_elses_to_renew_complete_or_release
    a_late_owner_gives_its_client_the_answer_of_the_rerun
    a_late_owner_gives_409_while_the_rerun_is_in_flight
    a_late_owner_of_a_lost_rerun_tells_that_the_outcome_is_unknown
    a_rerun_that_is_lost_is_rerun_in_its_turn
    an_owner_that_renews_too_late_learns_that_it_is_none
    twenty_retries_at_the_moment_of_takeover_are_one_run
    a_takeover_that_fails_is_503_and_the_next_retry_runs
    a_takeover_without_an_answer_is_released_and_the_next_run_is_higher_still
    a_rerun_that_releases_leaves_its_generation_behind
    a_rerun_that_panics_binds_the_key
    a_rerun_is_finished_when_its_client_leaves
}

fn rerun(layer: IdempotencyBuilder) -> IdempotencyBuilder {
    layer.on_unknown(OnUnknown::Rerun)
}

fn named(run: &Run) -> HttpResponse {
    let (number, generation) = (run.number, run.attempt().generation());
    HttpResponse::Created().body(format!("run {number}, generation {generation}"))
}

/// A route that reruns, whose handler tells its generation at once.
fn prompt(mode: Mode, store: FaultyStore) -> Rig {
    Rig::new(mode, store, rerun, |run| async move { named(&run) })
}

fn gated(mode: Mode, store: FaultyStore) -> Rig {
    Rig::new(mode, store, rerun, |run| async move {
        run.gate.pass().await;
        named(&run)
    })
}

fn a_claim_that_just_lapsed_is_in_flight_for_half_a_lease(mode: Mode) {
    let (store, clock) = FaultyStore::and_clock();
    let rig = prompt(mode, store);
    let orphan = Orphan::leave_with(&rig, &clock, "k", Duration::from_secs(600));
    let attempt = orphan.attempt();
    for _ in 0..10 {
        rig.assert_in_flight("k");
        // It goes by this process's clock: the store's may take any step.
        clock.advance(Duration::from_secs(600));
    }
    assert_eq!(orphan.attempt(), attempt);
    assert_eq!(rig.runs.count(), 0);
}

fn half_a_lease_after_the_first_look_it_runs_one_generation_higher(mode: Mode) {
    let (store, clock) = FaultyStore::and_clock();
    let rig = prompt(mode, store);
    let _orphan = Orphan::leave(&rig, &clock, "k");
    let before = Instant::now();
    rig.assert_in_flight("k");
    assert_first(&rig.settle("k"), 201, "run 1, generation 2");
    assert!(before.elapsed() >= SHORT / 2, "{:?}", before.elapsed());
    for _ in 0..2 {
        rig.assert_replayed("k", 201, "run 1, generation 2");
    }
    assert_eq!(rig.runs.count(), 1);
}

fn a_retry_that_waits_runs_when_the_time_has_come(mode: Mode) {
    let (store, clock) = FaultyStore::and_clock();
    let rig = Rig::new(
        mode,
        store,
        |layer| rerun(layer).wait(PATIENCE),
        |run| async move { named(&run) },
    );
    let _orphan = Orphan::leave(&rig, &clock, "k");
    let before = Instant::now();
    assert_first(&rig.send("k"), 201, "run 1, generation 2");
    assert!(before.elapsed() >= SHORT / 2, "{:?}", before.elapsed());
}

fn a_retry_that_waits_sees_the_claim_lapse_and_runs(mode: Mode) {
    let (store, clock) = FaultyStore::and_clock();
    let rig = Rig::new(
        mode,
        store.clone(),
        |layer| rerun(layer).wait(PATIENCE),
        |run| async move { named(&run) },
    );
    let orphan = Orphan::leave(&rig, &clock, "k");
    orphan.revive();
    let mut retry = rig.ask("k");
    // It has looked, and looks again.
    store.answered(Call::Begin).wait_for(3);
    assert_eq!(rig.runs.count(), 0);
    orphan.pass(SHORT);
    assert_first(&retry.receive(), 201, "run 1, generation 2");
    assert_eq!(rig.runs.count(), 1);
}

fn an_owner_that_renewed_is_watched_anew(mode: Mode) {
    let (store, clock) = FaultyStore::and_clock();
    let rig = prompt(mode, store);
    let orphan = Orphan::leave(&rig, &clock, "k");
    look(&rig, "k");
    assert_eq!(orphan.renew(), Renewed::Alive);
    let before = Instant::now();
    rig.assert_in_flight("k");
    assert_eq!(rig.runs.count(), 0);
    assert_first(&rig.settle("k"), 201, "run 1, generation 2");
    assert!(before.elapsed() >= SHORT / 2, "{:?}", before.elapsed());
}

/// A retry whose takeover is held on its way to the store.
fn at_the_takeover(mode: Mode) -> (Rig, Orphan, Client, Gate) {
    let (store, clock) = FaultyStore::and_clock();
    let rig = prompt(mode, store.clone());
    let orphan = Orphan::leave(&rig, &clock, "k");
    look(&rig, "k");
    let gate = Gate::closed();
    store.next(Call::Resolve, Fault::Hold(gate.clone()));
    let retry = rig.ask("k");
    store.entered(Call::Resolve).wait_for(1);
    (rig, orphan, retry, gate)
}

fn an_owner_that_answers_before_the_takeover_wins(mode: Mode) {
    let (rig, orphan, mut retry, gate) = at_the_takeover(mode);
    assert_eq!(orphan.complete("the owner's"), Completion::Recorded);
    gate.open();
    let answer = retry.receive();
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (201, "the owner's")
    );
    assert!(answer.is_replay(), "{answer:?}");
    assert_eq!(rig.runs.count(), 0);
}

fn an_owner_that_renews_before_the_takeover_keeps_its_claim(mode: Mode) {
    let (rig, orphan, mut retry, gate) = at_the_takeover(mode);
    // Lapsed again by the time of the takeover: the owner has lived in between all the same.
    assert_eq!(orphan.renew(), Renewed::Alive);
    gate.open();
    assert_problem(&retry.receive(), 409, "in-flight");
    assert_eq!(orphan.complete("the owner's"), Completion::Recorded);
    rig.assert_replayed("k", 201, "the owner's");
    assert_eq!(rig.runs.count(), 0);
}

fn an_owner_that_released_before_the_takeover_leaves_a_first_run(mode: Mode) {
    let (rig, orphan, mut retry, gate) = at_the_takeover(mode);
    assert_eq!(orphan.release(), Released::Released);
    gate.open();
    assert_first(&retry.receive(), 201, "run 1, generation 1");
    rig.assert_replayed("k", 201, "run 1, generation 1");
    assert_eq!(rig.runs.count(), 1);
}

fn a_taken_over_claim_is_nobody_elses_to_renew_complete_or_release(mode: Mode) {
    let (store, clock) = FaultyStore::and_clock();
    let rig = gated(mode, store);
    let orphan = Orphan::leave(&rig, &clock, "k");
    look(&rig, "k");
    let mut retry = rig.start("k");
    assert_eq!(orphan.renew(), Renewed::Lost);
    assert_eq!(orphan.complete("the owner's"), Completion::Refused);
    assert_eq!(orphan.release(), Released::NotOwner);
    rig.gate.open();
    assert_first(&retry.receive(), 201, "run 1, generation 2");
    assert_eq!(orphan.complete("the owner's"), Completion::Refused);
    rig.assert_replayed("k", 201, "run 1, generation 2");
}

/// Longer than any step of an owner that is not to be late.
const LONG: Duration = Duration::from_secs(3);

/// A first run that waits until the test lets it answer, when its claim is another's. The runs that take
/// over wait too, at a gate of their own.
struct Contest {
    rig: Rig,
    owner: Client,
    /// Opens for all runs but the first.
    others: Gate,
    clock: Clock,
}

impl Contest {
    /// Starts the first run, which renews no more.
    fn start(mode: Mode) -> Self {
        let (store, clock) = FaultyStore::and_clock();
        store.next(Call::Renew, Fault::Lost);
        let others = Gate::closed();
        let of_others = others.clone();
        let rig = Rig::new(
            mode,
            store,
            |layer| rerun(layer).lease(LONG),
            move |run| {
                let others = of_others.clone();
                async move {
                    match run.number {
                        1 => run.gate.pass().await,
                        _ => others.pass().await,
                    }
                    named(&run)
                }
            },
        );
        let owner = rig.start("k");
        rig.store.answered(Call::Renew).wait_for(1);
        clock.advance(LONG);
        Self {
            rig,
            owner,
            others,
            clock,
        }
    }

    /// Lets the run that took over lose its claim as well, and the next renewals succeed.
    fn lose_again(&self) {
        let renewals = self.rig.store.answered(Call::Renew).count();
        self.rig.store.next(Call::Renew, Fault::Lost);
        self.rig.store.answered(Call::Renew).wait_for(renewals + 1);
        self.clock.advance(LONG);
    }

    /// Retries until a run of this number has started, and returns who waits for its answer.
    fn take_over(&self, number: usize) -> JoinHandle<Response> {
        let (addr, request) = (self.rig.addr(), self.rig.request("k"));
        let retry = std::thread::spawn(move || {
            loop {
                let mut client = Client::connect(addr);
                client.send(&request);
                let answer = client.receive();
                if answer.status != 409 {
                    return answer;
                }
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        self.rig.runs.wait_for(number);
        retry
    }

    /// Lets the first run answer, and returns what its client gets.
    fn answer_late(&mut self) -> Response {
        self.rig.gate.open();
        self.owner.receive()
    }
}

fn a_late_owner_gives_its_client_the_answer_of_the_rerun(mode: Mode) {
    let mut contest = Contest::start(mode);
    let retry = contest.take_over(2);
    contest.others.open();
    assert_first(&retry.join().unwrap(), 201, "run 2, generation 2");
    let late = contest.answer_late();
    assert_eq!(
        (late.status, late.text().as_str()),
        (201, "run 2, generation 2")
    );
    assert!(late.is_replay(), "{late:?}");
    contest.rig.assert_replayed("k", 201, "run 2, generation 2");
    assert_eq!(contest.rig.runs.count(), 2);
}

fn a_late_owner_gives_409_while_the_rerun_is_in_flight(mode: Mode) {
    let mut contest = Contest::start(mode);
    let retry = contest.take_over(2);
    assert_problem(&contest.answer_late(), 409, "in-flight");
    contest.others.open();
    assert_first(&retry.join().unwrap(), 201, "run 2, generation 2");
    contest.rig.assert_replayed("k", 201, "run 2, generation 2");
}

fn a_late_owner_of_a_lost_rerun_tells_that_the_outcome_is_unknown(mode: Mode) {
    let mut contest = Contest::start(mode);
    let retry = contest.take_over(2);
    contest.lose_again();
    assert_problem(&contest.answer_late(), 500, "outcome-unknown");
    contest.others.open();
    assert_first(&retry.join().unwrap(), 201, "run 2, generation 2");
    contest.rig.assert_replayed("k", 201, "run 2, generation 2");
}

fn a_rerun_that_is_lost_is_rerun_in_its_turn(mode: Mode) {
    let mut contest = Contest::start(mode);
    let second = contest.take_over(2);
    contest.lose_again();
    let third = contest.take_over(3);
    assert_problem(&contest.answer_late(), 409, "in-flight");
    contest.others.open();
    assert_first(&third.join().unwrap(), 201, "run 3, generation 3");
    // It may come before the third one's answer, but never with its own.
    let second = second.join().unwrap();
    let is_third = second.is_replay() && second.text() == "run 3, generation 3";
    assert!(is_third || second.status == 409, "{second:?}");
    contest.rig.assert_replayed("k", 201, "run 3, generation 3");
}

fn an_owner_that_renews_too_late_learns_that_it_is_none(mode: Mode) {
    let (store, clock) = FaultyStore::and_clock();
    store.always(Call::Renew, DOWN);
    let lost = Counter::default();
    let bell = lost.clone();
    let rig = Rig::new(
        mode,
        store.clone(),
        |layer| rerun(layer).lease(LONG).max_run(PATIENCE),
        move |run| {
            let bell = bell.clone();
            async move {
                while run.number == 1 && run.attempt().is_current() {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                bell.next();
                named(&run)
            }
        },
    );
    let _owner = rig.start("k");
    clock.advance(LONG);
    rig.assert_in_flight("k");
    // A slow takeover has to be renewed, and cannot be: then another one follows.
    eventually("a rerun", || rig.send("k").status == 201);
    assert_eq!(lost.count(), 1);
    store.heal(Call::Renew);
    lost.wait_for(2);
}

fn twenty_retries_at_the_moment_of_takeover_are_one_run(mode: Mode) {
    const RETRIES: usize = 20;
    let (store, clock) = FaultyStore::and_clock();
    let rig = prompt(mode, store.clone());
    let _orphan = Orphan::leave(&rig, &clock, "k");
    look(&rig, "k");
    let gate = Gate::closed();
    store.always(Call::Resolve, Fault::Hold(gate.clone()));
    let retries: Vec<_> = (0..RETRIES).map(|_| rig.ask("k")).collect();
    store.entered(Call::Resolve).wait_for(RETRIES);
    gate.open();
    let answers: Vec<_> = retries
        .into_iter()
        .map(|mut retry| retry.receive())
        .collect();
    let firsts = answers
        .iter()
        .filter(|answer| answer.status == 201 && !answer.is_replay());
    assert_eq!(firsts.count(), 1, "{answers:?}");
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        assert_problem(answer, 409, "in-flight");
    }
    rig.assert_replayed("k", 201, "run 1, generation 2");
    assert_eq!(rig.runs.count(), 1);
}

fn a_takeover_that_fails_is_503_and_the_next_retry_runs(mode: Mode) {
    for kind in [
        StoreErrorKind::Unavailable,
        StoreErrorKind::Full,
        StoreErrorKind::Unreadable,
    ] {
        let (store, clock) = FaultyStore::and_clock();
        let rig = prompt(mode, store.clone());
        let orphan = Orphan::leave(&rig, &clock, "k");
        let attempt = orphan.attempt();
        look(&rig, "k");
        store.next(Call::Resolve, Fault::Refuse(kind));
        assert_problem(&rig.send("k"), 503, "store-unavailable");
        assert_eq!((orphan.attempt(), rig.runs.count()), (attempt, 0));
        assert_first(&rig.send("k"), 201, "run 1, generation 2");
        assert_eq!(rig.runs.count(), 1);
    }
}

fn a_takeover_without_an_answer_is_released_and_the_next_run_is_higher_still(mode: Mode) {
    let (store, clock) = FaultyStore::and_clock();
    let rig = prompt(mode, store.clone());
    let orphan = Orphan::leave(&rig, &clock, "k");
    look(&rig, "k");
    store.next(Call::Resolve, Fault::LoseReply);
    assert_problem(&rig.send("k"), 503, "store-unavailable");
    eventually("the ghost's release", || orphan.attempt().is_none());
    assert_eq!(orphan.complete("the owner's"), Completion::Refused);
    assert_first(&rig.send("k"), 201, "run 1, generation 3");
    assert_eq!(rig.runs.count(), 1);
}

fn a_rerun_that_releases_leaves_its_generation_behind(mode: Mode) {
    let (store, clock) = FaultyStore::and_clock();
    let rig = Rig::new(mode, store, rerun, |run| async move {
        match run.number {
            1 => HttpResponse::TooManyRequests().body(run.attempt().generation().to_string()),
            _ => named(&run),
        }
    });
    let orphan = Orphan::leave(&rig, &clock, "k");
    look(&rig, "k");
    assert_first(&rig.send("k"), 429, "2");
    assert_eq!(orphan.attempt(), None);
    assert_eq!(orphan.complete("the owner's"), Completion::Refused);
    assert_first(&rig.send("k"), 201, "run 2, generation 3");
    rig.assert_replayed("k", 201, "run 2, generation 3");
}

fn a_rerun_that_panics_binds_the_key(mode: Mode) {
    let (store, clock) = FaultyStore::and_clock();
    let rig = Rig::new(mode, store, rerun, |_| async { panic!("on purpose") });
    let _orphan = Orphan::leave(&rig, &clock, "k");
    look(&rig, "k");
    assert_first(&rig.send("k"), 500, "Internal Server Error");
    rig.assert_replayed("k", 500, "Internal Server Error");
    assert_eq!(rig.runs.count(), 1);
}

fn a_rerun_is_finished_when_its_client_leaves(mode: Mode) {
    let (store, clock) = FaultyStore::and_clock();
    let rig = gated(mode, store);
    let _orphan = Orphan::leave(&rig, &clock, "k");
    look(&rig, "k");
    let before = rig.let_go.count();
    rig.start("k").reset();
    rig.let_go.wait_for(before + 1);
    rig.gate.open();
    rig.assert_replayed("k", 201, "run 1, generation 2");
    assert_eq!((rig.runs.count(), rig.ends.count()), (1, 1));
}
