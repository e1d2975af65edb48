//! Retries that wait for a first request that runs: what they get, what they hold, and how many may.

use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use actix_web::HttpResponse;
use actix_web::body::BodyStream;
use actix_web::http::Method;
use actix_web::web::Bytes;
use futures_util::{StreamExt, stream};
use idempotency_actix::store::{Finished, State, StoredResponse};
use idempotency_actix::{IdempotencyBuilder, OnStoreFailure, RouteOptions};
use idempotency_actix_tests::app::{
    Call, DOWN, Fault, FaultyStore, Gate, Mode, Rig, Run, created, wait_at_gate,
};
use idempotency_actix_tests::{
    Client, HalfClosed, Response, assert_first, assert_problem, eventually, in_both_modes,
};

in_both_modes! {
    a_waiter_gets_the_replay
    fifty_waiters_get_the_replay
    a_change_wakes_a_waiter_between_its_polls
    a_change_that_the_store_tells_wakes_a_waiter_between_its_polls
    what_the_store_tells_during_a_look_is_heard
    a_waiter_whose_time_is_up_gets_409_and_leaves_the_record_alone
    one_waiter_too_many_for_a_key_gets_409_at_once
    one_waiter_too_many_for_the_process_gets_409_at_once
    no_waiters_are_allowed_where_the_limit_is_zero
    an_answered_waiter_gives_up_its_place
    a_waiter_whose_time_is_up_gives_up_its_place
    a_waiter_that_resets_gives_up_its_place
    a_waiter_that_closes_gives_up_its_place
    a_half_closed_waiter_gets_the_replay
    a_waiter_that_resets_its_http2_stream_gives_up_its_place
    a_waiter_that_drops_its_http2_connection_gives_up_its_place
    a_waiter_that_left_does_not_run_a_released_operation
    a_claim_granted_to_a_waiter_that_is_leaving_is_not_orphaned
    a_released_operation_is_run_by_one_waiter_and_answers_the_others
    waiters_run_one_at_a_time_until_one_is_not_released
    a_waiter_whose_seat_another_operation_took_goes_on_waiting
    the_seat_of_a_released_operation_is_free_before_its_waiter_is_woken
    another_body_is_refused_at_once
    a_finished_operation_is_replayed_at_once
    a_store_that_fails_while_someone_waits_is_answered_503
    a_store_that_fails_while_someone_waits_is_no_reason_to_run_unprotected
    a_waiter_for_a_stream_is_answered_once_it_is_recorded
    a_waiter_for_an_answer_that_is_not_kept_is_told_so
    a_waiter_for_a_claim_that_lapses_is_told_that_nobody_knows
    a_waiter_for_an_answer_that_is_recorded_late_gets_it
    an_answer_that_is_recorded_late_wakes_a_waiter_between_its_polls
    a_waiter_for_a_handler_that_panics_gets_its_500
    a_waiter_does_not_outlive_a_server_that_is_stopped
    a_waiter_does_not_outlive_a_server_that_stops_in_peace
    a_wait_of_zero_is_none
}

/// Longer than any test: who gets an answer did not get it because its time was up.
const LONG: Duration = Duration::from_secs(300);

const SHORT: Duration = Duration::from_millis(250);

fn long(layer: IdempotencyBuilder) -> IdempotencyBuilder {
    layer.wait(LONG)
}

/// A handler that waits at the gate, and retries that wait for it.
fn waiting(mode: Mode) -> Rig {
    Rig::new(mode, FaultyStore::default(), long, wait_at_gate)
}

/// Waits until so many retries wait.
fn wait_for_waiters(store: &FaultyStore, count: usize) {
    let what = format!("{count} waiters");
    eventually(&what, || store.listeners() == count);
}

/// Sends the request again, and waits until so many retries wait.
fn join(rig: &Rig, key: &str, count: usize) -> Client {
    let waiter = rig.ask(key);
    wait_for_waiters(&rig.store, count);
    waiter
}

fn assert_replay(response: &Response, status: u16, body: &str) {
    let answer = (response.status, response.text());
    assert_eq!(answer, (status, body.to_owned()), "{response:?}");
    assert!(response.is_replay(), "{response:?}");
}

fn assert_in_flight(response: &Response) {
    assert_problem(response, 409, "in-flight");
    assert_eq!(response.header("retry-after"), Some("1"));
}

/// The first request is answered, the handler has run once, and nobody waits any more.
fn assert_ends(rig: &Rig, mut owner: Client) {
    rig.gate.open();
    assert_first(&owner.receive(), 201, "run 1");
    rig.assert_replayed("k", 201, "run 1");
    assert_eq!(rig.runs.count(), 1);
    rig.assert_nothing_in_flight();
    wait_for_waiters(&rig.store, 0);
}

fn a_waiter_gets_the_replay(mode: Mode) {
    let rig = waiting(mode);
    let mut owner = rig.start("k");
    let mut waiter = join(&rig, "k", 1);
    rig.gate.open();
    assert_first(&owner.receive(), 201, "run 1");
    let replay = waiter.receive();
    assert_replay(&replay, 201, "run 1");
    assert_eq!(replay.header("location"), Some("/charges/1"));
    assert_eq!(rig.runs.count(), 1);
    wait_for_waiters(&rig.store, 0);
}

fn fifty_waiters_get_the_replay(mode: Mode) {
    let many = |layer: IdempotencyBuilder| long(layer).max_waiters_per_key(50);
    let rig = Rig::new(mode, FaultyStore::default(), many, wait_at_gate);
    let mut owner = rig.start("k");
    let waiters: Vec<_> = (0..50).map(|_| rig.ask("k")).collect();
    wait_for_waiters(&rig.store, 50);
    rig.gate.open();
    assert_first(&owner.receive(), 201, "run 1");
    for mut waiter in waiters {
        assert_replay(&waiter.receive(), 201, "run 1");
    }
    assert_eq!(rig.runs.count(), 1);
    wait_for_waiters(&rig.store, 0);
}

/// Operations whose waiters have polled so often that the next poll is a second away, or two.
struct Patient {
    owners: Vec<Client>,
    waiters: Vec<Client>,
}

impl Patient {
    const COUNT: usize = 12;

    fn start(rig: &Rig) -> Self {
        let keys: Vec<_> = (0..Self::COUNT).map(|n| n.to_string()).collect();
        let owners = keys.iter().map(|key| rig.ask(key)).collect();
        rig.runs.wait_for(Self::COUNT);
        let waiters = keys.iter().map(|key| rig.ask(key)).collect();
        eventually("six polls of each waiter", || {
            let begun = rig.store.calls(Call::Begin);
            let polls = |id| begun.iter().filter(|(other, _)| *other == id).count();
            begun.iter().all(|(id, _)| polls(*id) >= 2 + 6)
        });
        Self { owners, waiters }
    }

    /// The waiters' answers, and whether all came within half a second. If none but polls woke them, the
    /// chance of that would be one to some thousands.
    fn answers(self) -> (Vec<Response>, bool) {
        let start = Instant::now();
        let answers = self.waiters.into_iter().map(|mut w| w.receive()).collect();
        (answers, start.elapsed() < Duration::from_millis(500))
    }
}

/// Repeats a scene in which waiters are woken, since a machine may stand still for half a second, but does
/// not do so each time.
fn assert_woken(scene: impl Fn() -> bool) {
    assert!((0..3).any(|_| scene()), "woken by nothing but polls");
}

fn a_change_wakes_a_waiter_between_its_polls(mode: Mode) {
    assert_woken(|| {
        let rig = waiting(mode);
        let mut patient = Patient::start(&rig);
        rig.gate.open();
        for owner in &mut patient.owners {
            assert_eq!(owner.receive().status, 201);
        }
        let (answers, at_once) = patient.answers();
        for answer in answers {
            assert_eq!((answer.status, answer.is_replay()), (201, true));
        }
        assert_eq!(rig.runs.count(), Patient::COUNT);
        at_once
    });
}

/// Records an answer as another process does, without a word in this one.
fn complete_elsewhere(rig: &Rig) {
    use futures_util::FutureExt;
    use idempotency_actix::store::Store;
    let answer = Finished::Completed(StoredResponse::new(
        actix_web::http::StatusCode::CREATED,
        [],
        Some(Bytes::from_static(b"of another process")),
    ));
    for (id, claim) in rig.store.calls(Call::Begin) {
        let complete = rig.store.memory().complete(&id, &claim, &answer, LONG);
        drop(complete.now_or_never().expect("memory does not wait"));
    }
}

fn a_change_that_the_store_tells_wakes_a_waiter_between_its_polls(mode: Mode) {
    assert_woken(|| {
        let rig = waiting(mode);
        let patient = Patient::start(&rig);
        complete_elsewhere(&rig);
        rig.store.tell();
        let (answers, at_once) = patient.answers();
        for answer in answers {
            assert_replay(&answer, 201, "of another process");
        }
        assert_eq!(rig.runs.count(), Patient::COUNT);
        at_once
    });
}

fn what_the_store_tells_during_a_look_is_heard(mode: Mode) {
    let rig = waiting(mode);
    let owner = rig.start("k");
    let mut waiter = join(&rig, "k", 1);
    for _ in 0..2 {
        let hold = Gate::closed();
        let looks = rig.store.entered(Call::Begin).count();
        rig.store.next(Call::Begin, Fault::HoldReply(hold.clone()));
        rig.store.tell();
        rig.store.entered(Call::Begin).wait_for(looks + 1);
        // The answer "in flight" is on its way, and a change now is not in it.
        wait_for_waiters(&rig.store, 1);
        hold.open();
    }
    complete_elsewhere(&rig);
    rig.store.tell();
    assert_replay(&waiter.receive(), 201, "of another process");
    drop(owner);
}

fn a_waiter_whose_time_is_up_gets_409_and_leaves_the_record_alone(mode: Mode) {
    let rig = Rig::new(
        mode,
        FaultyStore::default(),
        |layer| layer.wait(SHORT),
        wait_at_gate,
    );
    let owner = rig.start("k");
    let id = rig.store.id();
    let before = rig.store.record(&id).expect("a claim");
    let start = Instant::now();
    assert_in_flight(&rig.send("k"));
    assert!(start.elapsed() >= SHORT, "{:?}", start.elapsed());
    let after = rig.store.record(&id).expect("a claim");
    assert!(matches!(after.state, State::InFlight), "{after:?}");
    assert_eq!(after.attempt, before.attempt);
    assert_eq!(rig.store.calls(Call::Release).len(), 0);
    assert_ends(&rig, owner);
}

fn one_waiter_too_many_for_a_key_gets_409_at_once(mode: Mode) {
    let two = |layer: IdempotencyBuilder| long(layer).max_waiters_per_key(2);
    let rig = Rig::new(mode, FaultyStore::default(), two, wait_at_gate);
    let owner = rig.start("k");
    let waiters = [join(&rig, "k", 1), join(&rig, "k", 2)];
    for _ in 0..3 {
        assert_in_flight(&rig.send("k"));
    }
    let mut other = rig.ask("other");
    rig.runs.wait_for(2);
    let mut waiter = join(&rig, "other", 3);
    rig.gate.open();
    for mut waiter in waiters {
        assert_replay(&waiter.receive(), 201, "run 1");
    }
    assert_first(&other.receive(), 201, "run 2");
    assert_replay(&waiter.receive(), 201, "run 2");
    drop(owner);
}

fn one_waiter_too_many_for_the_process_gets_409_at_once(mode: Mode) {
    let two = |layer: IdempotencyBuilder| long(layer).max_waiters(2);
    let rig = Rig::new(mode, FaultyStore::default(), two, wait_at_gate);
    let _owners = ["a", "b", "c"].map(|key| rig.ask(key));
    rig.runs.wait_for(3);
    let waiters = [join(&rig, "a", 1), join(&rig, "b", 2)];
    for key in ["a", "b", "c"] {
        assert_in_flight(&rig.send(key));
    }
    rig.gate.open();
    for mut waiter in waiters {
        assert!(waiter.receive().is_replay());
    }
    assert_eq!(rig.runs.count(), 3);
}

fn no_waiters_are_allowed_where_the_limit_is_zero(mode: Mode) {
    for none in [
        |layer: IdempotencyBuilder| long(layer).max_waiters(0),
        |layer: IdempotencyBuilder| long(layer).max_waiters_per_key(0),
    ] {
        let rig = Rig::new(mode, FaultyStore::default(), none, wait_at_gate);
        let owner = rig.start("k");
        assert_in_flight(&rig.send("k"));
        assert_ends(&rig, owner);
    }
}

/// One place, for one key and for the process.
fn one_place(layer: IdempotencyBuilder) -> IdempotencyBuilder {
    long(layer).max_waiters(1).max_waiters_per_key(1)
}

fn an_answered_waiter_gives_up_its_place(mode: Mode) {
    let rig = Rig::new(mode, FaultyStore::default(), one_place, |run| async move {
        if run.number > 1 {
            run.gate.pass().await;
        }
        HttpResponse::TooManyRequests().body(format!("run {}", run.number))
    });
    // The place of one whose operation went on to be released and run by itself.
    assert_first(&rig.send("k"), 429, "run 1");
    let mut owner = rig.ask("k");
    rig.runs.wait_for(2);
    let mut waiter = join(&rig, "k", 1);
    assert_in_flight(&rig.send("k"));
    rig.gate.open();
    assert_first(&owner.receive(), 429, "run 2");
    assert_first(&waiter.receive(), 429, "run 3");
    wait_for_waiters(&rig.store, 0);
    assert_first(&rig.send("k"), 429, "run 4");
}

/// The one place that there is was given up: another retry takes it, and is answered.
fn assert_place_is_free(rig: &Rig, owner: Client) {
    wait_for_waiters(&rig.store, 0);
    let mut waiter = join(rig, "k", 1);
    assert_in_flight(&rig.send("k"));
    assert_eq!(rig.runs.count(), 1);
    rig.gate.open();
    assert_replay(&waiter.receive(), 201, "run 1");
    assert_ends(rig, owner);
}

fn a_waiter_whose_time_is_up_gives_up_its_place(mode: Mode) {
    let rig = Rig::new(
        mode,
        FaultyStore::default(),
        |l| one_place(l).wait(SHORT),
        wait_at_gate,
    );
    let owner = rig.start("k");
    for _ in 0..3 {
        let start = Instant::now();
        assert_in_flight(&rig.send("k"));
        assert!(start.elapsed() >= SHORT, "{:?}", start.elapsed());
    }
    assert_ends(&rig, owner);
}

fn a_waiter_that_resets_gives_up_its_place(mode: Mode) {
    let rig = Rig::new(mode, FaultyStore::default(), one_place, wait_at_gate);
    let owner = rig.start("k");
    join(&rig, "k", 1).reset();
    assert_place_is_free(&rig, owner);
}

/// Where the server takes a closed connection for what it mostly is.
fn a_waiter_that_closes_gives_up_its_place(mode: Mode) {
    let rig = Rig::half_closed(
        HalfClosed::Gone,
        mode,
        FaultyStore::default(),
        one_place,
        wait_at_gate,
    );
    let owner = rig.start("k");
    drop(join(&rig, "k", 1));
    assert_place_is_free(&rig, owner);
}

fn a_half_closed_waiter_gets_the_replay(mode: Mode) {
    let rig = waiting(mode);
    let owner = rig.start("k");
    let mut waiter = join(&rig, "k", 1);
    waiter.stream().shutdown(Shutdown::Write).unwrap();
    rig.gate.open();
    assert_replay(&waiter.receive(), 201, "run 1");
    assert_ends(&rig, owner);
}

fn a_waiter_that_resets_its_http2_stream_gives_up_its_place(mode: Mode) {
    let rig = Rig::new(mode, FaultyStore::default(), one_place, wait_at_gate);
    let owner = rig.start("k");
    let mut client = rig.ask_http2("k");
    wait_for_waiters(&rig.store, 1);
    client.stream.send_reset(h2::Reason::CANCEL);
    assert_place_is_free(&rig, owner);
}

fn a_waiter_that_drops_its_http2_connection_gives_up_its_place(mode: Mode) {
    let rig = Rig::new(mode, FaultyStore::default(), one_place, wait_at_gate);
    let owner = rig.start("k");
    let client = rig.ask_http2("k");
    wait_for_waiters(&rig.store, 1);
    drop((client.answer, client.stream, client.requests));
    drop(client.runtime);
    assert_place_is_free(&rig, owner);
}

/// The first run gives the claim up at the gate; the second waits at a gate of its own.
fn released_once(mode: Mode, options: fn(IdempotencyBuilder) -> IdempotencyBuilder) -> (Rig, Gate) {
    let second = Gate::closed();
    let gate = second.clone();
    let act = move |run: Run| {
        let second = gate.clone();
        async move {
            if run.number == 1 {
                run.gate.pass().await;
                return HttpResponse::TooManyRequests().finish();
            }
            second.pass().await;
            created(&run)
        }
    };
    (Rig::new(mode, FaultyStore::default(), options, act), second)
}

fn a_waiter_that_left_does_not_run_a_released_operation(mode: Mode) {
    let (rig, second) = released_once(mode, long);
    let mut owner = rig.start("k");
    join(&rig, "k", 1).reset();
    let mut client = rig.ask_http2("k");
    wait_for_waiters(&rig.store, 1);
    client.stream.send_reset(h2::Reason::CANCEL);
    wait_for_waiters(&rig.store, 0);
    rig.gate.open();
    assert_eq!(owner.receive().status, 429);
    assert!(rig.store.record(&rig.store.id()).is_none());
    second.open();
    assert_first(&rig.send("k"), 201, "run 2");
    assert_eq!(rig.runs.count(), 2);
}

fn a_claim_granted_to_a_waiter_that_is_leaving_is_not_orphaned(mode: Mode) {
    let (rig, second) = released_once(mode, long);
    let mut owner = rig.start("k");
    let waiter = join(&rig, "k", 1);
    let hold = Gate::closed();
    let looks = rig.store.entered(Call::Begin).count();
    rig.store.next(Call::Begin, Fault::Hold(hold.clone()));
    rig.store.entered(Call::Begin).wait_for(looks + 1);
    waiter.reset();
    rig.let_go.wait_for(1);
    rig.gate.open();
    assert_eq!(owner.receive().status, 429);
    hold.open();
    second.open();
    rig.runs.wait_for(2);
    rig.assert_replayed("k", 201, "run 2");
    assert_eq!(rig.runs.count(), 2);
    rig.assert_nothing_in_flight();
    wait_for_waiters(&rig.store, 0);
}

fn a_released_operation_is_run_by_one_waiter_and_answers_the_others(mode: Mode) {
    let (rig, second) = released_once(mode, long);
    let mut owner = rig.start("k");
    let waiters: Vec<_> = (1..=5).map(|count| join(&rig, "k", count)).collect();
    rig.gate.open();
    assert_eq!(owner.receive().status, 429);
    rig.runs.wait_for(2);
    let looks = rig.store.answered(Call::Begin).count();
    rig.store.answered(Call::Begin).wait_for(looks + 8);
    assert_eq!(rig.runs.count(), 2);
    second.open();
    let answers: Vec<_> = waiters.into_iter().map(|mut w| w.receive()).collect();
    assert!(answers.iter().all(|answer| answer.text() == "run 2"));
    let replays = answers.iter().filter(|answer| answer.is_replay());
    assert_eq!(replays.count(), 4);
    assert_eq!(rig.runs.count(), 2);
    wait_for_waiters(&rig.store, 0);
}

fn waiters_run_one_at_a_time_until_one_is_not_released(mode: Mode) {
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let seen = Arc::clone(&most);
    let act = move |run: Run| {
        let (running, most) = (Arc::clone(&running), Arc::clone(&most));
        async move {
            most.fetch_max(running.fetch_add(1, SeqCst) + 1, SeqCst);
            run.gate.pass().await;
            tokio::task::yield_now().await;
            running.fetch_sub(1, SeqCst);
            match run.number {
                1..=3 => HttpResponse::TooManyRequests().finish(),
                _ => created(&run),
            }
        }
    };
    let rig = Rig::new(mode, FaultyStore::default(), long, act);
    let owner = rig.start("k");
    let waiters: Vec<_> = (1..=6).map(|count| join(&rig, "k", count)).collect();
    rig.gate.open();
    let clients = std::iter::once(owner).chain(waiters);
    let mut answers: Vec<_> = clients
        .map(|mut client| client.receive())
        .map(|answer| (answer.status, answer.is_replay()))
        .collect();
    answers.sort_unstable();
    let expected = [
        vec![(201, false)],
        vec![(201, true); 3],
        vec![(429, false); 3],
    ];
    assert_eq!(answers, expected.concat());
    assert_eq!((rig.runs.count(), seen.load(SeqCst)), (4, 1));
}

fn one_seat(layer: IdempotencyBuilder) -> IdempotencyBuilder {
    long(layer).max_in_flight(1)
}

fn a_waiter_whose_seat_another_operation_took_goes_on_waiting(mode: Mode) {
    let (rig, second) = released_once(mode, one_seat);
    let mut owner = rig.start("k");
    let mut waiter = join(&rig, "k", 1);
    let hold = Gate::closed();
    rig.store.next(Call::Begin, Fault::Hold(hold.clone()));
    let begun = rig.store.entered(Call::Begin).count();
    rig.gate.open();
    assert_eq!(owner.receive().status, 429);
    // The waiter saw a free seat and asks for the claim, and another key has the seat by then.
    rig.store.entered(Call::Begin).wait_for(begun + 1);
    let released = rig.store.answered(Call::Release).count();
    let mut other = rig.ask("j");
    rig.runs.wait_for(2);
    hold.open();
    rig.store.answered(Call::Release).wait_for(released + 1);
    second.open();
    assert_first(&other.receive(), 201, "run 2");
    assert_first(&waiter.receive(), 201, "run 3");
    assert_eq!(rig.runs.count(), 3);
}

fn the_seat_of_a_released_operation_is_free_before_its_waiter_is_woken(mode: Mode) {
    // The store may take longer than the test has patience.
    let patient = |layer: IdempotencyBuilder| {
        let timeout = Duration::from_secs(30);
        one_seat(layer).lease(3 * timeout).store_timeout(timeout)
    };
    let (rig, second) = released_once(mode, patient);
    let mut owner = rig.start("k");
    let mut waiter = join(&rig, "k", 1);
    let hold = Gate::closed();
    rig.store
        .next(Call::Release, Fault::HoldReply(hold.clone()));
    rig.gate.open();
    rig.runs.wait_for(2);
    second.open();
    assert_first(&waiter.receive(), 201, "run 2");
    hold.open();
    assert_eq!(owner.receive().status, 429);
}

fn another_body_is_refused_at_once(mode: Mode) {
    let rig = waiting(mode);
    let owner = rig.start("k");
    let other = rig.send_request(&rig.request("k").body("200 EUR"));
    assert_problem(&other, 422, "key-reused");
    assert_eq!(rig.store.listeners(), 0);
    assert_ends(&rig, owner);
}

fn a_finished_operation_is_replayed_at_once(mode: Mode) {
    let rig = waiting(mode);
    rig.gate.open();
    assert_first(&rig.send("k"), 201, "run 1");
    assert_replay(&rig.send("k"), 201, "run 1");
    assert_eq!(rig.store.calls(Call::Begin).len(), 2);
}

fn a_store_that_fails_while_someone_waits_is_answered_503(mode: Mode) {
    let rig = waiting(mode);
    let owner = rig.start("k");
    let mut waiter = join(&rig, "k", 1);
    rig.store.always(Call::Begin, DOWN);
    let answer = waiter.receive();
    assert_problem(&answer, 503, "store-unavailable");
    assert_eq!(answer.header("retry-after"), Some("1"));
    rig.store.heal(Call::Begin);
    assert_ends(&rig, owner);
}

fn a_store_that_fails_while_someone_waits_is_no_reason_to_run_unprotected(mode: Mode) {
    let unprotected = |layer: IdempotencyBuilder| long(layer).on_store_failure(OnStoreFailure::Run);
    let rig = Rig::new(mode, FaultyStore::default(), unprotected, wait_at_gate);
    let owner = rig.start("k");
    let mut waiter = join(&rig, "k", 1);
    rig.store.always(Call::Begin, DOWN);
    assert_problem(&waiter.receive(), 503, "store-unavailable");
    rig.store.heal(Call::Begin);
    assert_ends(&rig, owner);
}

fn a_waiter_for_a_stream_is_answered_once_it_is_recorded(mode: Mode) {
    let rig = Rig::new(mode, FaultyStore::default(), long, |run| async move {
        let gate = run.gate;
        let rest = stream::once(async move {
            gate.pass().await;
            Ok(Bytes::from("rest"))
        });
        let first = stream::iter([Ok::<_, std::io::Error>(Bytes::from("first, "))]);
        HttpResponse::Ok().body(BodyStream::new(Box::pin(first.chain(rest))))
    });
    let mut owner = rig.start("k");
    assert_eq!(owner.receive_head().unwrap().status, 200);
    assert_eq!(owner.receive_chunk().unwrap().unwrap(), b"first, ");
    let mut waiter = join(&rig, "k", 1);
    waiter.assert_silent(1);
    rig.gate.open();
    assert_replay(&waiter.receive(), 200, "first, rest");
    assert_eq!(rig.runs.count(), 1);
}

fn a_waiter_for_an_answer_that_is_not_kept_is_told_so(mode: Mode) {
    let small = |layer: IdempotencyBuilder| long(layer).max_response(1);
    let rig = Rig::new(mode, FaultyStore::default(), small, wait_at_gate);
    let mut owner = rig.start("k");
    let mut waiter = join(&rig, "k", 1);
    rig.gate.open();
    assert_first(&owner.receive(), 201, "run 1");
    assert_problem(&waiter.receive(), 410, "response-not-kept");
    assert_eq!(rig.runs.count(), 1);
}

fn a_waiter_for_a_claim_that_lapses_is_told_that_nobody_knows(mode: Mode) {
    let (store, clock) = FaultyStore::and_clock();
    let rig = Rig::new(mode, store, long, wait_at_gate);
    let owner = rig.start("k");
    let mut waiter = join(&rig, "k", 1);
    clock.advance(Duration::from_secs(31));
    assert_problem(&waiter.receive(), 500, "outcome-unknown");
    // A late answer is accepted as if nobody had waited.
    assert_ends(&rig, owner);
}

fn a_waiter_for_an_answer_that_is_recorded_late_gets_it(mode: Mode) {
    let rig = waiting(mode);
    let mut owner = rig.start("k");
    let mut waiter = join(&rig, "k", 1);
    rig.store.always(Call::Complete, DOWN);
    rig.gate.open();
    let first = owner.receive();
    assert_eq!(first.header("idempotency-status"), Some("unstored"));
    waiter.assert_silent(1);
    rig.store.heal(Call::Complete);
    assert_replay(&waiter.receive(), 201, "run 1");
    assert_eq!(rig.runs.count(), 1);
    wait_for_waiters(&rig.store, 0);
}

fn an_answer_that_is_recorded_late_wakes_a_waiter_between_its_polls(mode: Mode) {
    assert_woken(|| {
        let rig = waiting(mode);
        let mut patient = Patient::start(&rig);
        rig.store.always(Call::Complete, DOWN);
        rig.gate.open();
        for owner in &mut patient.owners {
            let first = owner.receive();
            assert_eq!(first.header("idempotency-status"), Some("unstored"));
        }
        // Every answer is on its way again, and arrives when the test lets it.
        let hold = Gate::closed();
        rig.store.always(Call::Complete, Fault::Hold(hold.clone()));
        let (entered, answered) = (
            rig.store.entered(Call::Complete),
            rig.store.answered(Call::Complete),
        );
        eventually("all answers on their way", || {
            entered.count() - answered.count() == Patient::COUNT
        });
        hold.open();
        let (answers, at_once) = patient.answers();
        for answer in answers {
            assert_eq!((answer.status, answer.is_replay()), (201, true));
        }
        assert_eq!(rig.runs.count(), Patient::COUNT);
        at_once
    });
}

fn a_waiter_for_a_handler_that_panics_gets_its_500(mode: Mode) {
    let rig = Rig::new(mode, FaultyStore::default(), long, |run| async move {
        run.gate.pass().await;
        panic!("the secret of the handler");
    });
    let mut owner = rig.start("k");
    let mut waiter = join(&rig, "k", 1);
    rig.gate.open();
    assert_first(&owner.receive(), 500, "Internal Server Error");
    assert_replay(&waiter.receive(), 500, "Internal Server Error");
    assert_eq!(rig.runs.count(), 1);
}

fn a_waiter_does_not_outlive_a_server_that_is_stopped(mode: Mode) {
    let rig = waiting(mode);
    let _owner = rig.start("k");
    let _waiter = join(&rig, "k", 1);
    let is_held = rig.store.watch();
    drop(rig);
    eventually("an end of all that holds the store", || !is_held());
}

fn a_waiter_does_not_outlive_a_server_that_stops_in_peace(mode: Mode) {
    let rig = waiting(mode);
    let _owner = rig.start("k");
    let _waiter = join(&rig, "k", 1);
    let is_held = rig.store.watch();
    rig.stop();
    eventually("an end of all that holds the store", || !is_held());
}

fn a_wait_of_zero_is_none(mode: Mode) {
    let rig = Rig::new(
        mode,
        FaultyStore::default(),
        |l| l.wait(Duration::ZERO),
        wait_at_gate,
    );
    let owner = rig.start("k");
    rig.assert_in_flight("k");
    assert_eq!(rig.store.calls(Call::Begin).len(), 2);
    assert_ends(&rig, owner);
}

/// All-routes mode with an entry for the one route that is asked.
fn with_entry(layer: Duration, entry: Duration) -> Rig {
    let options = move |builder: IdempotencyBuilder| {
        let entry = RouteOptions::new().wait(entry);
        let builder = builder.wait(layer).all_routes();
        builder.route(Method::POST, "/plain", entry)
    };
    Rig::new(
        Mode::AllRoutes,
        FaultyStore::default(),
        options,
        wait_at_gate,
    )
}

#[test]
fn a_route_waits_though_its_layer_does_not() {
    let rig = with_entry(Duration::ZERO, LONG);
    let owner = rig.start("k");
    let mut waiter = join(&rig, "k", 1);
    rig.gate.open();
    assert_replay(&waiter.receive(), 201, "run 1");
    assert_ends(&rig, owner);
}

#[test]
fn a_route_does_not_wait_though_its_layer_does() {
    let rig = with_entry(LONG, Duration::ZERO);
    let owner = rig.start("k");
    rig.assert_in_flight("k");
    assert_ends(&rig, owner);
}
