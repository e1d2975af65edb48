//! `recover`: a function that finds out what became of a request, when it is asked, and what it decides.

use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::error::ErrorBadGateway;
use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Data, Json};
use actix_web::{Error, HttpRequest, HttpResponse};
use futures_util::future::LocalBoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use idempotency_actix::store::{
    Begun, Claim, Completion, RecordId, Released, Renewed, State, Store, Token,
};
use idempotency_actix::{Attempt, IdempotencyBuilder, IdempotencyKey, Recovery};
use idempotency_actix_tests::app::{
    Call, Counter, DOWN, Fault, FaultyStore, Gate, Mode, Rig, Stage, created, wait_at_gate,
};
use idempotency_actix_tests::{
    PATIENCE, Response, assert_first, assert_problem, eventually, in_both_modes,
};

use crate::orphan::{Orphan, SHORT, look};

in_both_modes! {
    an_answer_that_was_found_is_replayed_and_the_handler_does_not_run
    it_is_not_asked_within_half_a_lease_of_the_first_look
    an_answer_that_was_found_keeps_its_cookies_only_on_request
    an_empty_answer_that_was_found_is_replayed
    an_answer_within_the_limit_is_kept
    an_answer_over_the_limit_is_410_from_the_first_retry_on
    a_streamed_answer_that_was_found_is_kept
    a_streamed_answer_over_the_limit_is_410_from_the_first_retry_on
    a_streamed_answer_that_breaks_is_410_from_the_first_retry_on
    a_stream_that_never_ends_leaves_the_outcome_unknown
    a_stream_that_panics_leaves_the_outcome_unknown
    what_was_not_executed_runs_in_the_same_request_one_generation_higher
    a_recovery_sees_what_its_handler_sees
    a_run_after_a_recovery_learns_when_its_own_claim_is_lost
    what_is_still_unknown_is_500_and_asked_again
    a_panic_leaves_the_outcome_unknown
    an_error_leaves_the_outcome_unknown
    arguments_that_fail_leave_the_outcome_unknown
    arguments_that_panic_leave_the_outcome_unknown
    a_recovery_longer_than_the_lease_leaves_the_outcome_unknown
    one_recovery_at_a_time_is_asked_for_one_operation
    a_retry_that_waits_gets_what_another_ones_recovery_found
    a_recovery_of_one_key_is_not_in_the_way_of_another
    a_recovery_that_died_is_in_the_way_for_its_lease_only
    a_recovery_is_finished_when_its_client_leaves
    an_owner_that_answers_meanwhile_wins_over_any_verdict
    an_owner_that_renews_meanwhile_is_in_flight
    an_answer_that_was_found_stands_although_the_claim_it_was_about_is_gone
    an_owner_that_renews_and_lapses_meanwhile_is_watched_anew
    a_verdict_that_cannot_be_written_is_503_and_the_next_retry_asks_again
    a_verdict_without_an_answer_stands
    an_answer_that_was_found_and_is_refused_for_what_it_is_becomes_not_kept
    a_takeover_without_an_answer_is_released_and_runs_without_another_question
    a_recovery_that_cannot_be_claimed_is_503_and_not_in_the_way_of_the_next
    an_owner_that_answers_after_the_verdict_gives_its_client_what_was_found
    a_recovery_that_keeps_the_request_takes_no_worker_down
    no_run_is_of_a_generation_that_a_recovery_has_shut_out
}

/// A recovery of any arguments, with what a test asks about it.
#[derive(Clone, Default)]
struct Questions {
    /// How often it was called.
    asked: Counter,
    seen: Arc<Mutex<Vec<u64>>>,
}

impl Questions {
    /// Generations that it was given.
    fn generations(&self) -> Vec<u64> {
        self.seen.lock().unwrap().clone()
    }
}

/// A route whose recovery does this, and whose handler names its run and generation.
fn rig<F: Future<Output = Recovery> + 'static>(
    mode: Mode,
    options: impl FnOnce(IdempotencyBuilder) -> IdempotencyBuilder,
    finding: impl Fn(usize) -> F + Send + Sync + 'static,
) -> (Rig, Orphan, Questions) {
    let questions = Questions::default();
    let (of_recovery, finding) = (questions.clone(), Arc::new(finding));
    let recover = move |attempt: Attempt| {
        let Questions { asked, seen } = &of_recovery;
        seen.lock().unwrap().push(attempt.generation());
        finding(asked.next())
    };
    let (rig, orphan) = rig_of(mode, |layer| options(layer).recover(recover));
    (rig, orphan, questions)
}

/// The same for a recovery that the options bring along: an operation of unknown outcome, looked at half
/// a lease ago.
fn rig_of(
    mode: Mode,
    options: impl FnOnce(IdempotencyBuilder) -> IdempotencyBuilder,
) -> (Rig, Orphan) {
    let (store, clock) = FaultyStore::and_clock();
    let rig = Rig::new(mode, store, options, |run| async move {
        let (number, generation) = (run.number, run.attempt().generation());
        HttpResponse::Created()
            .insert_header(("x-derived", run.key().derive("mail")))
            .body(format!("run {number}, generation {generation}"))
    });
    let orphan = Orphan::leave(&rig, &clock, "k");
    look(&rig, "k");
    (rig, orphan)
}

fn same(layer: IdempotencyBuilder) -> IdempotencyBuilder {
    layer
}

fn found() -> Recovery {
    Recovery::Completed(HttpResponse::Accepted().body("found"))
}

/// Every record of the route is finished or absent, the right to ask included.
#[track_caller]
fn assert_decided(rig: &Rig, questions: &Questions, times: usize) {
    assert_eq!(questions.asked.count(), times);
    rig.assert_nothing_in_flight();
}

/// What was found, with the mark of a replay.
#[track_caller]
fn assert_found(answer: &Response, status: u16, body: &str) {
    assert_eq!((answer.status, answer.text().as_str()), (status, body));
    assert!(answer.is_replay(), "{answer:?}");
}

fn an_answer_that_was_found_is_replayed_and_the_handler_does_not_run(mode: Mode) {
    let (rig, orphan, questions) = rig(mode, same, |_| async {
        let response = HttpResponse::Created()
            .insert_header(("location", "/charges/1"))
            .append_header(("link", "</first>"))
            .append_header(("link", "</second>"))
            .content_type("text/csv")
            .body("found");
        Recovery::Completed(response)
    });
    for _ in 0..3 {
        let answer = rig.send("k");
        assert_found(&answer, 201, "found");
        assert_eq!(answer.header("location"), Some("/charges/1"));
        assert_eq!(answer.lines("link"), ["</first>", "</second>"]);
        assert_eq!(answer.header("content-type"), Some("text/csv"));
    }
    assert_eq!(orphan.complete("the owner's"), Completion::Refused);
    assert_found(&rig.send("k"), 201, "found");
    assert_eq!((rig.runs.count(), questions.generations()), (0, vec![2]));
    assert_decided(&rig, &questions, 1);
}

fn it_is_not_asked_within_half_a_lease_of_the_first_look(mode: Mode) {
    let asked = Counter::default();
    let bell = asked.clone();
    let (store, clock) = FaultyStore::and_clock();
    let recover = move || {
        bell.next();
        async { found() }
    };
    let rig = Rig::new(
        mode,
        store,
        |layer| layer.recover(recover),
        |run| async move { created(&run) },
    );
    let _orphan = Orphan::leave_with(&rig, &clock, "k", Duration::from_secs(600));
    for _ in 0..5 {
        rig.assert_in_flight("k");
    }
    assert_eq!((asked.count(), rig.runs.count()), (0, 0));
}

fn an_answer_that_was_found_keeps_its_cookies_only_on_request(mode: Mode) {
    for (keep, cookies) in [(false, &[][..]), (true, &["session=1"][..])] {
        let options = |layer: IdempotencyBuilder| layer.keep_cookies(keep);
        let (rig, ..) = rig(mode, options, |_| async {
            let mut response = HttpResponse::Ok();
            response.insert_header(("set-cookie", "session=1"));
            Recovery::Completed(response.finish())
        });
        for _ in 0..2 {
            let answer = rig.send("k");
            assert_found(&answer, 200, "");
            assert_eq!(answer.lines("set-cookie"), cookies);
        }
    }
}

fn an_empty_answer_that_was_found_is_replayed(mode: Mode) {
    let (rig, ..) = rig(mode, same, |_| async {
        Recovery::Completed(HttpResponse::NoContent().finish())
    });
    for _ in 0..2 {
        assert_found(&rig.send("k"), 204, "");
    }
}

fn an_answer_within_the_limit_is_kept(mode: Mode) {
    let body = "x".repeat(500_000);
    let answer = body.clone();
    let options = |layer: IdempotencyBuilder| layer.max_response(500_000);
    let (rig, ..) = rig(mode, options, move |_| {
        let response = HttpResponse::Ok().body(answer.clone());
        async { Recovery::Completed(response) }
    });
    for _ in 0..2 {
        assert_found(&rig.send("k"), 200, &body);
    }
}

#[track_caller]
fn assert_not_kept(rig: &Rig, questions: &Questions) {
    for _ in 0..2 {
        let answer = rig.send("k");
        assert_problem(&answer, 410, "response-not-kept");
        assert_eq!(answer.header("location"), Some("/charges/1"));
        assert!(
            answer.text().contains("\"original_status\":201"),
            "{answer:?}"
        );
    }
    assert_eq!(rig.runs.count(), 0);
    assert_decided(rig, questions, 1);
}

fn an_answer_over_the_limit_is_410_from_the_first_retry_on(mode: Mode) {
    let options = |layer: IdempotencyBuilder| layer.max_response(10);
    let (rig, _, questions) = rig(mode, options, |_| async {
        let mut response = HttpResponse::Created();
        response.insert_header(("location", "/charges/1"));
        Recovery::Completed(response.body("eleven long"))
    });
    assert_not_kept(&rig, &questions);
}

type Chunks = LocalBoxFuture<'static, Result<Bytes, io::Error>>;

/// An answer that is streamed from these chunks.
fn streamed(chunks: impl IntoIterator<Item = Chunks> + 'static) -> Recovery {
    let mut response = HttpResponse::Created();
    response.insert_header(("location", "/charges/1"));
    let chunks = stream::iter(chunks).then(|chunk| chunk);
    Recovery::Completed(response.streaming(chunks))
}

fn chunk(text: &'static str) -> Chunks {
    async move {
        tokio::task::yield_now().await;
        Ok(Bytes::from(text))
    }
    .boxed_local()
}

fn a_streamed_answer_that_was_found_is_kept(mode: Mode) {
    let (rig, ..) = rig(mode, same, |_| async {
        streamed([chunk("in "), chunk("three "), chunk("parts")])
    });
    for _ in 0..2 {
        assert_found(&rig.send("k"), 201, "in three parts");
    }
}

fn a_streamed_answer_over_the_limit_is_410_from_the_first_retry_on(mode: Mode) {
    let options = |layer: IdempotencyBuilder| layer.max_response(10);
    let (rig, _, questions) = rig(mode, options, |_| async {
        streamed([chunk("eleven "), chunk("long")])
    });
    assert_not_kept(&rig, &questions);
}

fn a_streamed_answer_that_breaks_is_410_from_the_first_retry_on(mode: Mode) {
    let (rig, _, questions) = rig(mode, same, |_| async {
        let broken = async { Err(io::Error::other("broken")) }.boxed_local();
        streamed([chunk("half"), broken])
    });
    assert_not_kept(&rig, &questions);
}

/// The outcome is as unknown as before, and the next retry asks again.
#[track_caller]
fn assert_left_unknown(rig: &Rig, orphan: &Orphan, asked: Option<&Counter>) {
    let attempt = orphan.attempt();
    for times in 1..=3 {
        assert_problem(&rig.send("k"), 500, "outcome-unknown");
        assert_eq!(orphan.attempt(), attempt);
        if let Some(asked) = asked {
            assert_eq!(asked.count(), times);
        }
        let guard = guard(rig, orphan);
        assert!(
            rig.store.record(&guard).is_none(),
            "the right to ask is free"
        );
    }
    let state = rig.store.record(&orphan.id).map(|record| record.state);
    assert!(matches!(state, Some(State::Unknown { .. })), "{state:?}");
    assert_eq!(rig.runs.count(), 0);
    assert_eq!(orphan.complete("the owner's"), Completion::Recorded);
    rig.assert_replayed("k", 201, "the owner's");
}

/// The right to ask about the operation, as the last request claimed it.
fn guard(rig: &Rig, orphan: &Orphan) -> RecordId {
    let (id, _) = rig.store.calls(Call::Begin).pop().expect("a begin");
    assert_ne!(id, orphan.id, "the right to ask was not claimed");
    id
}

fn impatient(layer: IdempotencyBuilder) -> IdempotencyBuilder {
    layer.lease(SHORT)
}

fn a_stream_that_never_ends_leaves_the_outcome_unknown(mode: Mode) {
    let (rig, orphan, questions) = rig(mode, impatient, |_| async {
        streamed([chunk("half"), std::future::pending().boxed_local()])
    });
    assert_left_unknown(&rig, &orphan, Some(&questions.asked));
}

fn a_stream_that_panics_leaves_the_outcome_unknown(mode: Mode) {
    let (rig, orphan, questions) = rig(mode, same, |_| async {
        let panic = async { panic!("on purpose") }.boxed_local();
        streamed([chunk("half"), panic])
    });
    assert_left_unknown(&rig, &orphan, Some(&questions.asked));
}

fn what_was_not_executed_runs_in_the_same_request_one_generation_higher(mode: Mode) {
    let (rig, orphan, questions) = rig(mode, same, |_| async { Recovery::NotExecuted });
    assert_first(&rig.send("k"), 201, "run 1, generation 2");
    assert_eq!(orphan.complete("the owner's"), Completion::Refused);
    rig.assert_replayed("k", 201, "run 1, generation 2");
    assert_eq!((rig.runs.count(), questions.generations()), (1, vec![2]));
    assert_decided(&rig, &questions, 1);
}

fn a_recovery_sees_what_its_handler_sees(mode: Mode) {
    let seen = Arc::new(Mutex::new(None));
    let of_recovery = Arc::clone(&seen);
    let recover = move |request: HttpRequest,
                        stage: Data<Stage>,
                        key: IdempotencyKey,
                        body: String,
                        attempt: Attempt| {
        let runs = stage.runs.count();
        let path = request.path().to_owned();
        let is_current = attempt.is_current();
        let derived = key.derive("mail").to_string();
        *of_recovery.lock().unwrap() = Some((
            path,
            runs,
            key.as_str().to_owned(),
            derived,
            body,
            is_current,
        ));
        async { Recovery::NotExecuted }
    };
    let (rig, _) = rig_of(mode, |layer| layer.recover(recover));
    let answer = rig.send("k");
    assert_first(&answer, 201, "run 1, generation 2");
    let seen = seen.lock().unwrap().take().expect("a question");
    let (path, runs, key, derived, body, is_current) = seen;
    assert_eq!((path.as_str(), runs, key.as_str()), (rig.path(), 0, "k"));
    assert_eq!((body.as_str(), is_current), ("100 EUR", true));
    assert_eq!(answer.header("x-derived"), Some(derived.as_str()));
}

fn a_run_after_a_recovery_learns_when_its_own_claim_is_lost(mode: Mode) {
    let (store, clock) = FaultyStore::and_clock();
    let rig = Rig::new(
        mode,
        store.clone(),
        |layer| {
            let layer = layer.lease(Duration::from_secs(3)).max_run(PATIENCE);
            layer.recover(|_: Attempt| async { Recovery::NotExecuted })
        },
        |run| async move {
            let before = run.attempt().is_current();
            while run.attempt().is_current() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            HttpResponse::Ok().body(format!("current: {before}, then not"))
        },
    );
    let _orphan = Orphan::leave(&rig, &clock, "k");
    look(&rig, "k");
    store.next(Call::Renew, Fault::Lost);
    assert_first(&rig.send("k"), 200, "current: true, then not");
}

fn what_is_still_unknown_is_500_and_asked_again(mode: Mode) {
    let (rig, orphan, questions) = rig(mode, same, |_| async { Recovery::StillUnknown });
    assert_left_unknown(&rig, &orphan, Some(&questions.asked));
    assert_eq!(questions.generations(), [2, 2, 2]);
}

fn a_panic_leaves_the_outcome_unknown(mode: Mode) {
    let (rig, orphan, questions) = rig(mode, same, |_| async { panic!("on purpose") });
    assert_left_unknown(&rig, &orphan, Some(&questions.asked));
}

fn an_error_leaves_the_outcome_unknown(mode: Mode) {
    async fn recover() -> Result<Recovery, Error> {
        Err(ErrorBadGateway("the ledger is away"))
    }
    let (rig, orphan) = rig_of(mode, |layer| layer.recover(recover));
    assert_left_unknown(&rig, &orphan, None);
}

fn arguments_that_fail_leave_the_outcome_unknown(mode: Mode) {
    async fn recover(_: Json<u64>) -> Recovery {
        found()
    }
    let (rig, orphan) = rig_of(mode, |layer| layer.recover(recover));
    assert_left_unknown(&rig, &orphan, None);
}

/// An argument whose extractor panics.
struct Panicking;

impl actix_web::FromRequest for Panicking {
    type Error = Error;
    type Future = std::future::Ready<Result<Self, Error>>;

    fn from_request(_: &HttpRequest, _: &mut actix_web::dev::Payload) -> Self::Future {
        panic!("on purpose")
    }
}

fn arguments_that_panic_leave_the_outcome_unknown(mode: Mode) {
    async fn recover(_: Panicking) -> Recovery {
        found()
    }
    let (rig, orphan) = rig_of(mode, |layer| layer.recover(recover));
    assert_left_unknown(&rig, &orphan, None);
}

fn a_recovery_longer_than_the_lease_leaves_the_outcome_unknown(mode: Mode) {
    let (rig, orphan, questions) = rig(mode, impatient, |_| std::future::pending());
    assert_left_unknown(&rig, &orphan, Some(&questions.asked));
}

/// A recovery that waits at a gate, and then finds this.
fn gated(
    gate: &Gate,
    finding: fn() -> Recovery,
) -> impl Fn(usize) -> LocalBoxFuture<'static, Recovery> + Send + Sync + 'static {
    let gate = gate.clone();
    move |_| {
        let gate = gate.clone();
        async move {
            gate.pass().await;
            finding()
        }
        .boxed_local()
    }
}

fn one_recovery_at_a_time_is_asked_for_one_operation(mode: Mode) {
    let gate = Gate::closed();
    let (rig, _, questions) = rig(mode, same, gated(&gate, found));
    let mut first = rig.ask("k");
    questions.asked.wait_for(1);
    for _ in 0..20 {
        rig.assert_in_flight("k");
    }
    gate.open();
    assert_found(&first.receive(), 202, "found");
    rig.assert_replayed("k", 202, "found");
    assert_decided(&rig, &questions, 1);
}

fn a_retry_that_waits_gets_what_another_ones_recovery_found(mode: Mode) {
    let gate = Gate::closed();
    let (store, clock) = FaultyStore::and_clock();
    let questions = Counter::default();
    let asked = questions.clone();
    let recover = {
        let gate = gate.clone();
        move || {
            asked.next();
            let gate = gate.clone();
            async move {
                gate.pass().await;
                found()
            }
        }
    };
    let rig = Rig::new(
        mode,
        store.clone(),
        |layer| layer.wait(PATIENCE).recover(recover),
        |run| async move { created(&run) },
    );
    let orphan = Orphan::leave(&rig, &clock, "k");
    let mut first = rig.ask("k");
    questions.wait_for(1);
    let others: Vec<_> = (0..5).map(|_| rig.ask("k")).collect();
    eventually("retries that find the right to ask taken", || {
        let begun = store.calls(Call::Begin);
        begun.iter().filter(|(id, _)| *id != orphan.id).count() > 5
    });
    gate.open();
    assert_found(&first.receive(), 202, "found");
    for mut other in others {
        assert_found(&other.receive(), 202, "found");
    }
    assert_eq!((questions.count(), rig.runs.count()), (1, 0));
}

fn a_recovery_of_one_key_is_not_in_the_way_of_another(mode: Mode) {
    let gate = Gate::closed();
    let of_first = gate.clone();
    let (store, clock) = FaultyStore::and_clock();
    let asked = Counter::default();
    let bell = asked.clone();
    let recover = move |key: IdempotencyKey| {
        let gate = (key.as_str() == "k").then(|| of_first.clone());
        bell.next();
        async move {
            if let Some(gate) = gate {
                gate.pass().await;
            }
            found()
        }
    };
    let rig = Rig::new(
        mode,
        store,
        |layer| layer.recover(recover),
        |run| async move { created(&run) },
    );
    let _orphans = ["k", "other"].map(|key| Orphan::leave(&rig, &clock, key));
    rig.assert_in_flight("k");
    look(&rig, "other");
    let mut first = rig.ask("k");
    asked.wait_for(1);
    assert_found(&rig.send("other"), 202, "found");
    rig.assert_in_flight("k");
    gate.open();
    assert_found(&first.receive(), 202, "found");
}

fn a_recovery_that_died_is_in_the_way_for_its_lease_only(mode: Mode) {
    let (rig, orphan, questions) = rig(mode, same, |asked| async move {
        match asked {
            1 => Recovery::StillUnknown,
            _ => found(),
        }
    });
    assert_problem(&rig.send("k"), 500, "outcome-unknown");
    let guard = guard(&rig, &orphan);
    let (_, mut asked) = rig.store.calls(Call::Begin).pop().expect("a begin");
    asked = Claim::new(
        Token::random(),
        *asked.fingerprint(),
        SHORT,
        asked.retention(),
    );
    let begun = rig.store.memory().begin(&guard, &asked).now_or_never();
    assert!(
        matches!(begun, Some(Ok(Begun::Claimed { .. }))),
        "{begun:?}"
    );
    for _ in 0..3 {
        rig.assert_in_flight("k");
    }
    assert_eq!(questions.asked.count(), 1);
    orphan.pass(SHORT);
    assert_found(&rig.send("k"), 202, "found");
    assert_decided(&rig, &questions, 2);
}

fn a_recovery_is_finished_when_its_client_leaves(mode: Mode) {
    let gate = Gate::closed();
    let (rig, _, questions) = rig(mode, same, gated(&gate, found));
    let client = rig.ask("k");
    questions.asked.wait_for(1);
    let before = rig.let_go.count();
    client.reset();
    rig.let_go.wait_for(before + 1);
    rig.assert_in_flight("k");
    gate.open();
    rig.assert_replayed("k", 202, "found");
    assert_decided(&rig, &questions, 1);
}

fn an_owner_that_answers_meanwhile_wins_over_any_verdict(mode: Mode) {
    for verdict in [found, || Recovery::NotExecuted] {
        let gate = Gate::closed();
        let (rig, orphan, questions) = rig(mode, same, gated(&gate, verdict));
        let mut retry = rig.ask("k");
        questions.asked.wait_for(1);
        assert_eq!(orphan.complete("the owner's"), Completion::Recorded);
        rig.assert_replayed("k", 201, "the owner's");
        gate.open();
        assert_found(&retry.receive(), 201, "the owner's");
        rig.assert_replayed("k", 201, "the owner's");
        assert_eq!(rig.runs.count(), 0);
        assert_decided(&rig, &questions, 1);
    }
}

/// The store lost it, or its owner says that it did not act; the table of the application knows better.
fn an_answer_that_was_found_stands_although_the_claim_it_was_about_is_gone(mode: Mode) {
    let gate = Gate::closed();
    let (rig, orphan, questions) = rig(mode, same, gated(&gate, found));
    let mut retry = rig.ask("k");
    questions.asked.wait_for(1);
    assert_eq!(orphan.release(), Released::Released);
    gate.open();
    assert_found(&retry.receive(), 202, "found");
    rig.assert_replayed("k", 202, "found");
    assert_eq!(rig.runs.count(), 0);
    assert_decided(&rig, &questions, 1);
}

fn an_owner_that_renews_meanwhile_is_in_flight(mode: Mode) {
    for verdict in [found, || Recovery::NotExecuted] {
        let gate = Gate::closed();
        let (rig, orphan, questions) = rig(mode, same, gated(&gate, verdict));
        let mut retry = rig.ask("k");
        questions.asked.wait_for(1);
        orphan.revive();
        gate.open();
        assert_problem(&retry.receive(), 409, "in-flight");
        assert_eq!(orphan.complete("the owner's"), Completion::Recorded);
        rig.assert_replayed("k", 201, "the owner's");
        assert_eq!(rig.runs.count(), 0);
        assert_decided(&rig, &questions, 1);
    }
}

fn an_owner_that_renews_and_lapses_meanwhile_is_watched_anew(mode: Mode) {
    for verdict in [found, || Recovery::NotExecuted] {
        let gate = Gate::closed();
        let (rig, orphan, questions) = rig(mode, same, gated(&gate, verdict));
        let mut retry = rig.ask("k");
        questions.asked.wait_for(1);
        assert_eq!(orphan.renew(), Renewed::Alive);
        let attempt = orphan.attempt();
        gate.open();
        assert_problem(&retry.receive(), 409, "in-flight");
        assert_eq!((orphan.attempt(), rig.runs.count()), (attempt, 0));
        assert_eq!(questions.asked.count(), 1);
        // What was found out before says nothing about what the owner has done since.
        assert_eq!(rig.settle("k").status / 100, 2);
        assert_decided(&rig, &questions, 2);
    }
}

fn a_verdict_that_cannot_be_written_is_503_and_the_next_retry_asks_again(mode: Mode) {
    for (verdict, status) in [
        (found as fn() -> Recovery, 202),
        (|| Recovery::NotExecuted, 201),
    ] {
        let (rig, orphan, questions) = rig(mode, same, move |_| async move { verdict() });
        let attempt = orphan.attempt();
        rig.store.next(Call::Resolve, DOWN);
        assert_problem(&rig.send("k"), 503, "store-unavailable");
        assert_eq!((orphan.attempt(), rig.runs.count()), (attempt, 0));
        assert_eq!(rig.send("k").status, status);
        assert_decided(&rig, &questions, 2);
    }
}

fn a_verdict_without_an_answer_stands(mode: Mode) {
    for fault in [Fault::LoseReply, Fault::Panic] {
        let (rig, orphan, questions) = rig(mode, same, |_| async { found() });
        rig.store.next(Call::Resolve, fault);
        assert_problem(&rig.send("k"), 503, "store-unavailable");
        assert_eq!(orphan.complete("the owner's"), Completion::Refused);
        rig.assert_replayed("k", 202, "found");
        assert_eq!(rig.runs.count(), 0);
        assert_decided(&rig, &questions, 1);
    }
}

fn an_answer_that_was_found_and_is_refused_for_what_it_is_becomes_not_kept(mode: Mode) {
    let (rig, _, questions) = rig(mode, same, |_| async { found() });
    rig.store.always(Call::Resolve, Fault::RefuseAnswers);
    for _ in 0..2 {
        assert_problem(&rig.send("k"), 503, "store-unavailable");
    }
    for _ in 0..2 {
        assert_problem(&rig.send("k"), 410, "response-not-kept");
    }
    assert_eq!(rig.runs.count(), 0);
    assert_decided(&rig, &questions, 3);
}

fn a_takeover_without_an_answer_is_released_and_runs_without_another_question(mode: Mode) {
    let (rig, orphan, questions) = rig(mode, same, |_| async { Recovery::NotExecuted });
    rig.store.next(Call::Resolve, Fault::LoseReply);
    assert_problem(&rig.send("k"), 503, "store-unavailable");
    assert_first(&rig.settle("k"), 201, "run 1, generation 3");
    assert_eq!(orphan.complete("the owner's"), Completion::Refused);
    assert_decided(&rig, &questions, 1);
}

fn a_recovery_that_cannot_be_claimed_is_503_and_not_in_the_way_of_the_next(mode: Mode) {
    for fault in [DOWN, Fault::LoseReply] {
        let (rig, orphan, questions) = rig(mode, same, |_| async { found() });
        let attempt = orphan.attempt();
        rig.store.next(Call::Begin, Fault::Spare);
        rig.store.next(Call::Begin, fault);
        assert_problem(&rig.send("k"), 503, "store-unavailable");
        assert_eq!((orphan.attempt(), questions.asked.count()), (attempt, 0));
        // The clock stands still: what may have been claimed lapses never.
        assert_found(&rig.settle("k"), 202, "found");
        assert_decided(&rig, &questions, 1);
    }
}

fn an_owner_that_answers_after_the_verdict_gives_its_client_what_was_found(mode: Mode) {
    let (store, clock) = FaultyStore::and_clock();
    store.next(Call::Renew, Fault::Lost);
    let lease = Duration::from_secs(3);
    let rig = Rig::new(
        mode,
        store.clone(),
        |layer| layer.lease(lease).recover(|| async { found() }),
        wait_at_gate,
    );
    let mut owner = rig.start("k");
    store.answered(Call::Renew).wait_for(1);
    clock.advance(lease);
    rig.assert_in_flight("k");
    rig.assert_replayed("k", 202, "found");
    rig.gate.open();
    assert_found(&owner.receive(), 202, "found");
    assert_eq!((rig.runs.count(), rig.ends.count()), (1, 1));
}

fn a_recovery_that_keeps_the_request_takes_no_worker_down(mode: Mode) {
    for verdict in [
        found as fn() -> Recovery,
        || Recovery::NotExecuted,
        || Recovery::StillUnknown,
    ] {
        let recover = move |request: HttpRequest| {
            std::mem::forget(request);
            async move { verdict() }
        };
        let (rig, _) = rig_of(mode, |layer| layer.recover(recover));
        let answer = rig.send("k");
        match verdict() {
            Recovery::Completed(_) => assert_found(&answer, 202, "found"),
            Recovery::NotExecuted if mode == Mode::Marked => {
                assert_first(&answer, 201, "run 1, generation 2");
            }
            // The router cannot take a request apart that somebody else holds.
            _ => assert_eq!(answer.status, 500, "{answer:?}"),
        }
        let runs = rig.runs.count();
        for other in 0..20 {
            assert_eq!(rig.send(&format!("other-{other}")).status, 201);
        }
        assert_eq!(rig.runs.count(), runs + 20);
    }
}

/// The owner was not dead, finds itself shut out, and says that it did not act.
fn no_run_is_of_a_generation_that_a_recovery_has_shut_out(mode: Mode) {
    let (store, clock) = FaultyStore::and_clock();
    let lowest = Arc::new(AtomicU64::new(0));
    let (of_recovery, of_handler) = (Arc::clone(&lowest), lowest);
    let recover = move |attempt: Attempt| {
        of_recovery.fetch_max(attempt.generation(), SeqCst);
        async { Recovery::StillUnknown }
    };
    let options = |layer: IdempotencyBuilder| {
        let layer = layer.lease(SHORT).release_on([StatusCode::CONFLICT]);
        layer.recover(recover)
    };
    let rig = Rig::new(mode, store, options, move |run| {
        let lowest = Arc::clone(&of_handler);
        async move {
            run.gate.pass().await;
            match run.attempt().generation() < lowest.load(SeqCst) {
                true => HttpResponse::Conflict().finish(),
                false => created(&run),
            }
        }
    });
    rig.store.always(Call::Renew, DOWN);
    let mut owner = rig.start("k");
    clock.advance(SHORT);
    assert_problem(&rig.settle("k"), 500, "outcome-unknown");
    rig.gate.open();
    assert_eq!(owner.receive().status, 409);
    assert_first(&rig.send("k"), 201, "run 2");
}
