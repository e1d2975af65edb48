//! Clients that leave, crowd and crash the handler while it runs.

use std::net::Shutdown;
use std::sync::{Arc, Barrier};

use actix_web::HttpResponse;
use idempotency_actix_tests::app::{Call, Fault, FaultyStore, Gate, Mode, Rig, Run, created};
use idempotency_actix_tests::{Http2, Response, assert_first, in_both_modes};

in_both_modes! {
    a_client_that_closes_mid_handler_does_not_stop_it
    a_client_that_resets_mid_handler_does_not_stop_it
    a_half_closed_client_does_not_stop_the_handler
    a_reset_http2_stream_does_not_stop_the_handler
    a_dropped_http2_connection_does_not_stop_the_handler
    a_client_that_resets_while_its_claim_is_asked_for_changes_nothing
    a_client_that_resets_while_its_answer_is_recorded_changes_nothing
    a_client_that_resets_while_its_claim_is_released_changes_nothing
    a_client_that_leaves_mid_upload_claims_nothing
    a_panic_is_bound_as_a_plain_500
    a_panic_after_the_client_left_is_bound_as_a_plain_500
    fifty_waiting_duplicates_make_one_run
    fifty_racing_duplicates_make_one_run
    many_abandoned_requests_all_finish_once
}

/// While the handler of a departed client runs: 409; once it has ended: its answer, of one run.
fn assert_runs_to_its_end(rig: &Rig) {
    rig.assert_in_flight("k");
    assert_eq!((rig.runs.count(), rig.ends.count()), (1, 0));
    rig.gate.open();
    rig.ends.wait_for(1);
    rig.assert_replayed("k", 201, "run 1");
    assert_eq!((rig.runs.count(), rig.ends.count()), (1, 1));
    rig.assert_nothing_in_flight();
}

fn a_client_that_closes_mid_handler_does_not_stop_it(mode: Mode) {
    let rig = Rig::gated(mode, FaultyStore::default());
    drop(rig.start("k"));
    assert_runs_to_its_end(&rig);
}

fn a_client_that_resets_mid_handler_does_not_stop_it(mode: Mode) {
    let rig = Rig::gated(mode, FaultyStore::default());
    rig.start("k").reset();
    rig.let_go.wait_for(1);
    assert_runs_to_its_end(&rig);
}

fn a_half_closed_client_does_not_stop_the_handler(mode: Mode) {
    let rig = Rig::gated(mode, FaultyStore::default());
    let client = rig.start("k");
    client.stream().shutdown(Shutdown::Write).unwrap();
    assert_runs_to_its_end(&rig);
}

fn start_over_http2(rig: &Rig) -> Http2 {
    let client = rig.ask_http2("k");
    rig.runs.wait_for(1);
    client
}

fn a_reset_http2_stream_does_not_stop_the_handler(mode: Mode) {
    let rig = Rig::gated(mode, FaultyStore::default());
    let mut client = start_over_http2(&rig);
    client.stream.send_reset(h2::Reason::CANCEL);
    drop(client.answer);
    // The server has read the reset once it answers a later ping.
    client.runtime.block_on(async {
        let mut requests = client.requests.ready().await.unwrap();
        let request = http::Request::get(format!("http://{}/", rig.addr()));
        let request = request.body(()).unwrap();
        let (answer, _) = requests.send_request(request, true).unwrap();
        assert_eq!(answer.await.unwrap().status().as_u16(), 404);
    });
    assert_runs_to_its_end(&rig);
}

fn a_dropped_http2_connection_does_not_stop_the_handler(mode: Mode) {
    let rig = Rig::gated(mode, FaultyStore::default());
    let client = start_over_http2(&rig);
    drop((client.answer, client.stream, client.requests));
    drop(client.runtime);
    assert_runs_to_its_end(&rig);
}

/// The client resets the connection while the store holds a call back.
fn reset_during(rig: &Rig, call: Call) {
    let hold = Gate::closed();
    rig.store.next(call, Fault::Hold(hold.clone()));
    let client = rig.ask("k");
    rig.store.entered(call).wait_for(1);
    client.reset();
    rig.let_go.wait_for(1);
    hold.open();
}

fn a_client_that_resets_while_its_claim_is_asked_for_changes_nothing(mode: Mode) {
    let rig = Rig::gated(mode, FaultyStore::default());
    reset_during(&rig, Call::Begin);
    rig.runs.wait_for(1);
    assert_runs_to_its_end(&rig);
}

fn a_client_that_resets_while_its_answer_is_recorded_changes_nothing(mode: Mode) {
    let rig = Rig::prompt(mode, FaultyStore::default());
    reset_during(&rig, Call::Complete);
    rig.assert_replayed("k", 201, "run 1");
    assert_eq!(rig.runs.count(), 1);
}

fn a_client_that_resets_while_its_claim_is_released_changes_nothing(mode: Mode) {
    let rig = Rig::new(
        mode,
        FaultyStore::default(),
        |layer| layer,
        |run| async move {
            match run.number {
                1 => HttpResponse::TooManyRequests().finish(),
                _ => created(&run),
            }
        },
    );
    reset_during(&rig, Call::Release);
    assert_first(&rig.settle("k"), 201, "run 2");
    assert_eq!(rig.runs.count(), 2);
    rig.assert_nothing_in_flight();
}

fn a_client_that_leaves_mid_upload_claims_nothing(mode: Mode) {
    let rig = Rig::prompt(mode, FaultyStore::default());
    let request = rig.request("k").bytes();
    let mut client = rig.connect();
    client.write(&request[..request.len() - 1]);
    client.reset();
    let mut idle = rig.connect();
    idle.send(&rig.request("other"));
    assert_first(&idle.receive(), 201, "run 1");
    assert_first(&rig.send("k"), 201, "run 2");
    assert_eq!(rig.store.calls(Call::Begin).len(), 2);
    assert_eq!(rig.runs.count(), 2);
}

async fn panic_at_gate(run: Run) -> HttpResponse {
    run.gate.pass().await;
    panic!("the secret of the handler");
}

fn assert_panicked(answer: &Response) {
    assert_eq!(answer.status, 500);
    assert_eq!(answer.text(), "Internal Server Error");
    assert_eq!(answer.problem(), None);
}

fn a_panic_is_bound_as_a_plain_500(mode: Mode) {
    let rig = Rig::new(mode, FaultyStore::default(), |layer| layer, panic_at_gate);
    rig.gate.open();
    let first = rig.send("k");
    assert_panicked(&first);
    assert!(!first.is_replay());
    let retry = rig.send("k");
    assert_panicked(&retry);
    assert!(retry.is_replay());
    assert_eq!(rig.runs.count(), 1);
}

fn a_panic_after_the_client_left_is_bound_as_a_plain_500(mode: Mode) {
    let rig = Rig::new(mode, FaultyStore::default(), |layer| layer, panic_at_gate);
    rig.start("k").reset();
    rig.let_go.wait_for(1);
    rig.assert_in_flight("k");
    rig.gate.open();
    let retry = rig.settle("k");
    assert_panicked(&retry);
    assert!(retry.is_replay());
    assert_eq!(rig.runs.count(), 1);
    rig.assert_nothing_in_flight();
}

/// Sends the same request from so many threads at once.
fn crowd(rig: &Arc<Rig>, size: usize) -> std::sync::mpsc::Receiver<Response> {
    let barrier = Arc::new(Barrier::new(size));
    let (answers, answer) = std::sync::mpsc::channel();
    for _ in 0..size {
        let (rig, barrier, answers) = (Arc::clone(rig), Arc::clone(&barrier), answers.clone());
        std::thread::spawn(move || {
            let mut client = rig.connect();
            barrier.wait();
            client.send(&rig.request("k"));
            let answer = client.receive();
            drop((client, rig));
            answers.send(answer).unwrap();
        });
    }
    answer
}

fn fifty_waiting_duplicates_make_one_run(mode: Mode) {
    let rig = Arc::new(Rig::gated(mode, FaultyStore::default()));
    let answers = crowd(&rig, 50);
    let early: Vec<_> = answers.iter().take(49).collect();
    assert!(early.iter().all(|answer| answer.status == 409), "{early:?}");
    assert_eq!((rig.runs.count(), rig.ends.count()), (1, 0));
    rig.gate.open();
    let last: Vec<_> = answers.iter().collect();
    assert_eq!(last.len(), 1);
    assert_first(&last[0], 201, "run 1");
    rig.assert_replayed("k", 201, "run 1");
    assert_eq!(rig.runs.count(), 1);
}

fn fifty_racing_duplicates_make_one_run(mode: Mode) {
    let rig = Arc::new(Rig::prompt(mode, FaultyStore::default()));
    let answers: Vec<_> = crowd(&rig, 50).iter().collect();
    assert_eq!(answers.len(), 50);
    type Answers = Vec<Response>;
    let (waiting, answered): (Answers, Answers) =
        answers.into_iter().partition(|a| a.status == 409);
    let (replays, firsts): (Answers, Answers) = answered.into_iter().partition(Response::is_replay);
    assert_eq!(firsts.len(), 1, "{firsts:?}");
    assert!(replays.iter().all(|answer| answer.text() == "run 1"));
    let mut problems = waiting.iter().map(Response::problem);
    assert!(problems.all(|kind| kind.as_deref() == Some("in-flight")));
    assert_eq!(rig.runs.count(), 1);
    rig.assert_nothing_in_flight();
}

fn many_abandoned_requests_all_finish_once(mode: Mode) {
    const MANY: usize = 40;
    let rig = Rig::gated(mode, FaultyStore::default());
    let keys: Vec<String> = (0..MANY).map(|n| format!("k{n}")).collect();
    let clients: Vec<_> = keys.iter().map(|key| rig.ask(key)).collect();
    rig.runs.wait_for(MANY);
    for (n, client) in clients.into_iter().enumerate() {
        if n % 2 == 0 {
            client.reset();
        }
    }
    rig.let_go.wait_for(MANY / 2);
    rig.gate.open();
    rig.ends.wait_for(MANY);
    for key in &keys {
        assert_eq!(rig.settle(key).status, 201);
    }
    assert_eq!((rig.runs.count(), rig.ends.count()), (MANY, MANY));
    rig.assert_nothing_in_flight();
}
