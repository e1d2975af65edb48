//! Streamed answers: passed on as they are produced, recorded before they end.

use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::{BodyStream, MessageBody, SizedStream};
use actix_web::http::StatusCode;
use actix_web::web::Bytes;
use actix_web::{HttpResponse, HttpResponseBuilder};
use futures_util::Stream;
use idempotency_actix::IdempotencyBuilder;
use idempotency_actix::store::{Finished, Resolved, StoredResponse, Verdict};
use idempotency_actix_tests::app::{Call, Counter, DOWN, Fault, FaultyStore, Gate, Mode, Rig};
use idempotency_actix_tests::{
    Client, PATIENCE, Response, assert_problem, eventually, in_both_modes,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

in_both_modes! {
    chunks_pass_as_they_are_produced_while_the_operation_is_in_flight
    the_terminator_waits_for_the_record
    the_last_byte_of_a_sized_stream_waits_for_the_record
    a_stream_on_http2_ends_after_its_record
    an_error_mid_stream_resets_an_http2_stream_and_is_not_kept
    a_refused_complete_resets_an_http2_stream_before_its_end
    an_empty_stream_is_replayed
    an_empty_sized_stream_is_replayed
    an_empty_sized_stream_is_answered_after_its_record
    a_stream_of_declared_length_0_is_answered_after_its_record
    a_204_with_a_stream_is_answered_after_its_record
    a_304_with_a_stream_is_answered_after_its_record
    the_last_byte_of_an_unchunked_stream_waits_for_the_record
    a_sized_stream_that_runs_over_is_settled_before_its_last_byte
    a_stream_of_the_limit_is_kept
    a_stream_of_a_byte_over_the_limit_is_not_kept
    an_error_over_the_limit_cuts_the_client
    an_endless_stream_whose_client_left_is_dropped
    a_sized_stream_that_falls_short_is_cut_and_not_kept
    an_error_mid_stream_cuts_the_client_and_is_not_kept
    a_panic_in_a_stream_cuts_the_client_and_is_not_kept
    a_client_that_stalls_does_not_hold_up_the_record
    a_client_that_stalls_on_http2_does_not_hold_up_the_record
    a_client_that_resets_its_http2_stream_changes_nothing
    a_client_that_resets_mid_stream_changes_nothing
    a_client_that_closes_mid_stream_changes_nothing
    a_client_that_resets_before_the_stream_starts_changes_nothing
    a_stream_over_the_limit_reaches_the_first_client_whole_and_is_not_kept
    a_sized_stream_declared_over_the_limit_is_not_kept
    an_endless_stream_is_not_kept_and_its_client_may_leave
    an_event_stream_passes_at_once_and_is_not_kept
    a_refused_complete_cuts_a_chunked_stream_before_its_terminator
    a_refused_complete_cuts_a_sized_stream_before_its_last_byte
    a_failing_complete_does_not_hold_up_the_end
    a_stream_past_max_run_is_not_kept_and_goes_on
    a_stream_of_a_lapsed_lease_is_recorded_all_the_same
    a_claim_is_renewed_while_its_stream_runs
    a_stalled_client_of_a_stream_over_the_limit_holds_its_producer_back
}

const SHORT: Duration = Duration::from_millis(300);
const DAY: Duration = Duration::from_secs(24 * 3600);

type Chunk = Result<Bytes, std::io::Error>;

/// The test's end of a stream: it produces when the test says so.
struct Tap(Option<UnboundedSender<Chunk>>);

impl Tap {
    fn pour(&self, chunk: impl Into<Bytes>) {
        let tap = self.0.as_ref().expect("an open tap");
        // Nobody reads it any more: as the test meant it, or its next assertion fails.
        let _ = tap.send(Ok(chunk.into()));
    }

    fn fail(&mut self) {
        let broken = std::io::Error::other("a pipe broke");
        let _ = self.0.take().expect("an open tap").send(Err(broken));
    }

    fn close(&mut self) {
        self.0 = None;
    }
}

/// The server's end; tells the test when it is dropped.
struct Pipe {
    chunks: UnboundedReceiver<Chunk>,
    dropped: Counter,
}

impl Stream for Pipe {
    type Item = Chunk;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Chunk>> {
        self.chunks.poll_recv(cx)
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.dropped.next();
    }
}

/// A handler that answers with a stream which the test feeds.
struct Flow {
    rig: Rig,
    tap: Tap,
    /// Rings when nobody reads the stream any more.
    dropped: Counter,
}

impl Flow {
    fn new<B: MessageBody + 'static>(
        mode: Mode,
        store: FaultyStore,
        options: impl FnOnce(IdempotencyBuilder) -> IdempotencyBuilder,
        respond: impl Fn(HttpResponseBuilder, Pipe) -> HttpResponse<B> + Copy + Send + Sync + 'static,
    ) -> Self {
        let (tap, chunks) = unbounded_channel();
        let dropped = Counter::default();
        let pipe = Pipe {
            chunks,
            dropped: dropped.clone(),
        };
        let pipe = Mutex::new(Some(pipe));
        let rig = Rig::new(mode, store, options, move |_| {
            let pipe = pipe.lock().unwrap().take().expect("only one run");
            async move { respond(HttpResponse::Ok(), pipe).map_into_boxed_body() }
        });
        Self {
            rig,
            tap: Tap(Some(tap)),
            dropped,
        }
    }

    fn chunked(mode: Mode, store: FaultyStore) -> Self {
        Self::new(mode, store, |layer| layer, chunked)
    }

    /// The client of the first request, with the head of its answer read.
    fn start(&self) -> (Client, Response) {
        let mut client = self.rig.ask("k");
        let head = client.receive_head().expect("the head of the answer");
        assert_eq!(head.status, 200);
        (client, head)
    }

    fn assert_not_kept(&self) {
        let retry = self.rig.settle("k");
        assert_problem(&retry, 410, "response-not-kept");
        let problem: serde_json::Value = serde_json::from_slice(&retry.body).unwrap();
        assert_eq!(problem["original_status"], 200);
        assert_eq!(self.rig.runs.count(), 1);
    }

    fn assert_replayed(&self, body: &str) {
        self.rig.assert_replayed("k", 200, body);
        assert_eq!(self.rig.runs.count(), 1);
        self.rig.assert_nothing_in_flight();
    }
}

fn chunked(mut response: HttpResponseBuilder, pipe: Pipe) -> HttpResponse {
    response.body(BodyStream::new(pipe))
}

/// Six bytes by declaration.
fn sized(mut response: HttpResponseBuilder, pipe: Pipe) -> HttpResponse {
    response.body(SizedStream::new(6, pipe))
}

fn chunk(client: &mut Client) -> Option<String> {
    let chunk = client.receive_chunk().expect("a chunk");
    chunk.map(|chunk| String::from_utf8(chunk).unwrap())
}

/// The rest of a chunked answer.
fn rest(client: &mut Client) -> Vec<u8> {
    let mut rest = Vec::new();
    while let Some(chunk) = client.receive_chunk().expect("a chunk") {
        rest.extend(chunk);
    }
    rest
}

/// The connection ends, and what was read does not.
fn assert_cut<T: std::fmt::Debug>(read: std::io::Result<T>) {
    use std::io::ErrorKind::{ConnectionReset, UnexpectedEof};
    let error = read.expect_err("an answer without its end");
    assert!(
        matches!(error.kind(), UnexpectedEof | ConnectionReset),
        "{error:?}"
    );
}

fn chunks_pass_as_they_are_produced_while_the_operation_is_in_flight(mode: Mode) {
    let mut flow = Flow::chunked(mode, FaultyStore::default());
    let (mut client, head) = flow.start();
    assert_eq!(head.header("transfer-encoding"), Some("chunked"));
    for produced in ["one", "two", "three"] {
        flow.rig.assert_in_flight("k");
        flow.tap.pour(produced);
        assert_eq!(chunk(&mut client).as_deref(), Some(produced));
    }
    flow.rig.assert_in_flight("k");
    flow.tap.close();
    assert_eq!(chunk(&mut client), None);
    // The end came, so the record is there: not even one 409.
    assert_eq!(flow.rig.send("k").status, 200);
    flow.assert_replayed("onetwothree");
}

fn the_terminator_waits_for_the_record(mode: Mode) {
    let store = FaultyStore::default();
    let gate = Gate::closed();
    store.next(Call::Complete, Fault::Hold(gate.clone()));
    let mut flow = Flow::chunked(mode, store.clone());
    let (mut client, _) = flow.start();
    flow.tap.pour("all of it");
    flow.tap.close();
    store.entered(Call::Complete).wait_for(1);
    assert_eq!(chunk(&mut client).as_deref(), Some("all of it"));
    client.assert_silent(1);
    flow.rig.assert_in_flight("k");
    gate.open();
    assert_eq!(chunk(&mut client), None);
    flow.assert_replayed("all of it");
}

fn the_last_byte_of_a_sized_stream_waits_for_the_record(mode: Mode) {
    let store = FaultyStore::default();
    let gate = Gate::closed();
    store.next(Call::Complete, Fault::Hold(gate.clone()));
    let flow = Flow::new(mode, store.clone(), |layer| layer, sized);
    let (mut client, head) = flow.start();
    assert_eq!(head.header("content-length"), Some("6"));
    flow.tap.pour("abc");
    assert_eq!(client.take(3).unwrap(), b"abc");
    flow.rig.assert_in_flight("k");
    flow.tap.pour("def");
    store.entered(Call::Complete).wait_for(1);
    assert_eq!(client.take(2).unwrap(), b"de");
    client.assert_silent(1);
    flow.rig.assert_in_flight("k");
    gate.open();
    assert_eq!(client.take(1).unwrap(), b"f");
    assert_eq!(flow.rig.send("k").header("content-length"), Some("6"));
    flow.assert_replayed("abcdef");
}

/// Sends the request over HTTP/2; the runtime drives the connection.
fn ask_on_http2(rig: &Rig) -> (tokio::runtime::Runtime, h2::RecvStream) {
    let client = rig.ask_http2("k");
    let answer = client.runtime.block_on(client.answer).unwrap();
    (client.runtime, answer.into_body())
}

fn a_stream_on_http2_ends_after_its_record(mode: Mode) {
    let store = FaultyStore::default();
    let gate = Gate::closed();
    store.next(Call::Complete, Fault::Hold(gate.clone()));
    let mut flow = Flow::chunked(mode, store.clone());
    let (runtime, mut body) = ask_on_http2(&flow.rig);
    flow.tap.pour("all of it");
    let data = runtime.block_on(body.data()).expect("data").unwrap();
    assert_eq!(data, "all of it");
    flow.tap.close();
    store.entered(Call::Complete).wait_for(1);
    let moment = Duration::from_millis(100);
    let early = runtime.block_on(async { tokio::time::timeout(moment, body.data()).await });
    assert!(early.is_err(), "{early:?}");
    assert!(!body.is_end_stream());
    gate.open();
    let end = runtime.block_on(body.data());
    assert!(end.is_none_or(|data| data.unwrap().is_empty()));
    flow.assert_replayed("all of it");
}

fn an_error_mid_stream_resets_an_http2_stream_and_is_not_kept(mode: Mode) {
    let mut flow = Flow::chunked(mode, FaultyStore::default());
    let (runtime, mut body) = ask_on_http2(&flow.rig);
    flow.tap.pour("half of it");
    let data = runtime.block_on(body.data()).expect("data").unwrap();
    assert_eq!(data, "half of it");
    flow.tap.fail();
    let cut = runtime.block_on(body.data()).expect("no proper end");
    assert!(cut.is_err(), "{cut:?}");
    flow.assert_not_kept();
}

fn a_refused_complete_resets_an_http2_stream_before_its_end(mode: Mode) {
    let (store, clock) = FaultyStore::and_clock();
    let mut flow = Flow::chunked(mode, store.clone());
    let (runtime, mut body) = ask_on_http2(&flow.rig);
    flow.tap.pour("all of it");
    let data = runtime.block_on(body.data()).expect("data").unwrap();
    assert_eq!(data, "all of it");
    clock.advance(Duration::from_secs(31));
    by_hand(&store);
    flow.tap.close();
    let cut = runtime.block_on(body.data()).expect("no proper end");
    assert!(cut.is_err(), "{cut:?}");
    flow.assert_replayed("by hand");
}

fn an_empty_stream_is_replayed(mode: Mode) {
    let mut flow = Flow::chunked(mode, FaultyStore::default());
    flow.tap.close();
    let (mut client, _) = flow.start();
    assert_eq!(chunk(&mut client), None);
    flow.assert_replayed("");
}

fn an_empty_sized_stream_is_replayed(mode: Mode) {
    let empty = |mut response: HttpResponseBuilder, pipe| response.body(SizedStream::new(0, pipe));
    let mut flow = Flow::new(mode, FaultyStore::default(), |layer| layer, empty);
    flow.tap.close();
    let first = flow.rig.send("k");
    assert_eq!(
        (first.status, first.header("content-length")),
        (200, Some("0"))
    );
    flow.assert_replayed("");
}

/// Its head is all that the client waits for, so the head waits for the record.
fn assert_answered_after_its_record<B: MessageBody + 'static>(
    mode: Mode,
    respond: impl Fn(HttpResponseBuilder, Pipe) -> HttpResponse<B> + Copy + Send + Sync + 'static,
) {
    let store = FaultyStore::default();
    let gate = Gate::closed();
    store.next(Call::Complete, Fault::Hold(gate.clone()));
    let mut flow = Flow::new(mode, store.clone(), |layer| layer, respond);
    flow.tap.close();
    let mut client = flow.rig.ask("k");
    store.entered(Call::Complete).wait_for(1);
    client.assert_silent(1);
    gate.open();
    assert!(client.receive().status < 400);
    let retry = flow.rig.send("k");
    assert!(retry.is_replay(), "{retry:?}");
    assert_eq!(flow.rig.runs.count(), 1);
}

fn an_empty_sized_stream_is_answered_after_its_record(mode: Mode) {
    assert_answered_after_its_record(mode, |mut response: HttpResponseBuilder, pipe| {
        response.body(SizedStream::new(0, pipe))
    });
}

fn a_stream_of_declared_length_0_is_answered_after_its_record(mode: Mode) {
    assert_answered_after_its_record(mode, |mut response: HttpResponseBuilder, pipe| {
        response.no_chunking(0).body(BodyStream::new(pipe))
    });
}

/// As a handler answers that passes on what another server answered.
fn a_204_with_a_stream_is_answered_after_its_record(mode: Mode) {
    assert_answered_after_its_record(mode, |mut response: HttpResponseBuilder, pipe| {
        response.status(StatusCode::NO_CONTENT).streaming(pipe)
    });
}

fn a_304_with_a_stream_is_answered_after_its_record(mode: Mode) {
    assert_answered_after_its_record(mode, |mut response: HttpResponseBuilder, pipe| {
        response.status(StatusCode::NOT_MODIFIED).streaming(pipe)
    });
}

fn the_last_byte_of_an_unchunked_stream_waits_for_the_record(mode: Mode) {
    let store = FaultyStore::default();
    let gate = Gate::closed();
    store.next(Call::Complete, Fault::Hold(gate.clone()));
    // Actix-web's other way to declare a length: in the header only.
    let unchunked = |mut response: HttpResponseBuilder, pipe| {
        response.no_chunking(6).body(BodyStream::new(pipe))
    };
    let mut flow = Flow::new(mode, store.clone(), |layer| layer, unchunked);
    let (mut client, head) = flow.start();
    assert_eq!(head.header("content-length"), Some("6"));
    assert_eq!(head.header("transfer-encoding"), None);
    flow.tap.pour("abc");
    assert_eq!(client.take(3).unwrap(), b"abc");
    flow.tap.pour("def");
    flow.tap.close();
    store.entered(Call::Complete).wait_for(1);
    assert_eq!(client.take(2).unwrap(), b"de");
    client.assert_silent(1);
    flow.rig.assert_in_flight("k");
    gate.open();
    assert_eq!(client.take(1).unwrap(), b"f");
    flow.assert_replayed("abcdef");
}

fn a_sized_stream_that_runs_over_is_settled_before_its_last_byte(mode: Mode) {
    let flow = Flow::new(mode, FaultyStore::default(), |layer| layer, sized);
    let (mut client, _) = flow.start();
    flow.tap.pour("abcdefghi");
    // Whether the client gets what was declared or is cut off: it has an end, so a retry has one.
    match client.take(6) {
        Ok(bytes) => assert_eq!(bytes, b"abcdef"),
        cut => assert_cut(cut),
    }
    assert_ne!(flow.rig.send("k").status, 409);
    assert_eq!(flow.rig.runs.count(), 1);
}

fn a_stream_of_the_limit_is_kept(mode: Mode) {
    let mut flow = Flow::new(
        mode,
        FaultyStore::default(),
        |layer| layer.max_response(10),
        chunked,
    );
    let (mut client, _) = flow.start();
    flow.tap.pour("01234");
    flow.tap.pour("56789");
    flow.tap.close();
    assert_eq!(rest(&mut client), b"0123456789");
    flow.assert_replayed("0123456789");
}

fn a_stream_of_a_byte_over_the_limit_is_not_kept(mode: Mode) {
    let mut flow = Flow::new(
        mode,
        FaultyStore::default(),
        |layer| layer.max_response(10),
        chunked,
    );
    let (mut client, _) = flow.start();
    flow.tap.pour("01234");
    flow.tap.pour("567890");
    flow.tap.close();
    assert_eq!(rest(&mut client), b"01234567890");
    assert_ne!(flow.rig.send("k").status, 409);
    flow.assert_not_kept();
}

fn an_error_over_the_limit_cuts_the_client(mode: Mode) {
    let mut flow = Flow::new(
        mode,
        FaultyStore::default(),
        |layer| layer.max_response(10),
        chunked,
    );
    let (mut client, _) = flow.start();
    flow.tap.pour("eleven bytes");
    assert_eq!(chunk(&mut client).as_deref(), Some("eleven bytes"));
    flow.assert_not_kept();
    flow.tap.fail();
    assert_cut(client.receive_chunk());
    flow.assert_not_kept();
}

fn an_endless_stream_whose_client_left_is_dropped(mode: Mode) {
    let flow = Flow::new(
        mode,
        FaultyStore::default(),
        |layer| layer.max_response(10),
        chunked,
    );
    let (mut client, _) = flow.start();
    flow.tap.pour("one");
    assert_eq!(chunk(&mut client).as_deref(), Some("one"));
    client.reset();
    flow.rig.assert_in_flight("k");
    flow.tap.pour("eleven bytes");
    flow.assert_not_kept();
    eventually("an end of the stream", || {
        flow.tap.pour("more");
        flow.dropped.count() > 0
    });
    assert_eq!(flow.rig.runs.count(), 1);
}

fn a_sized_stream_that_falls_short_is_cut_and_not_kept(mode: Mode) {
    let mut flow = Flow::new(mode, FaultyStore::default(), |layer| layer, sized);
    let (mut client, _) = flow.start();
    flow.tap.pour("abc");
    assert_eq!(client.take(3).unwrap(), b"abc");
    flow.tap.close();
    assert_cut(client.take(1));
    flow.assert_not_kept();
}

fn an_error_mid_stream_cuts_the_client_and_is_not_kept(mode: Mode) {
    let mut flow = Flow::chunked(mode, FaultyStore::default());
    let (mut client, _) = flow.start();
    flow.tap.pour("half of it");
    assert_eq!(chunk(&mut client).as_deref(), Some("half of it"));
    flow.tap.fail();
    assert_cut(client.receive_chunk());
    flow.assert_not_kept();
}

/// Panics where the stream would fail.
struct Panicking(Pipe);

impl Stream for Panicking {
    type Item = Chunk;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Chunk>> {
        match Pin::new(&mut self.0).poll_next(cx) {
            Poll::Ready(Some(Err(error))) => panic!("{error}"),
            poll => poll,
        }
    }
}

fn a_panic_in_a_stream_cuts_the_client_and_is_not_kept(mode: Mode) {
    let respond =
        |mut response: HttpResponseBuilder, pipe| response.body(BodyStream::new(Panicking(pipe)));
    let mut flow = Flow::new(mode, FaultyStore::default(), |layer| layer, respond);
    let (mut client, _) = flow.start();
    flow.tap.pour("half of it");
    assert_eq!(chunk(&mut client).as_deref(), Some("half of it"));
    flow.tap.fail();
    assert_cut(client.receive_chunk());
    flow.assert_not_kept();
}

const MEGABYTES: usize = 8;

/// More than sockets buffer between a server and a client that does not read.
fn pour_megabytes(tap: &Tap) -> Vec<u8> {
    let mut poured = Vec::new();
    for n in 0..MEGABYTES * 16 {
        let chunk = vec![b'a' + (n % 26) as u8; 64 * 1024];
        poured.extend_from_slice(&chunk);
        tap.pour(chunk);
    }
    poured
}

fn a_client_that_stalls_does_not_hold_up_the_record(mode: Mode) {
    let limit = MEGABYTES * 1024 * 1024;
    let mut flow = Flow::new(
        mode,
        FaultyStore::default(),
        |layer| layer.max_response(limit),
        chunked,
    );
    let (mut client, _) = flow.start();
    let poured = pour_megabytes(&flow.tap);
    flow.tap.close();
    let retry = flow.rig.settle("k");
    assert!(retry.is_replay());
    assert!(retry.body == poured, "{} bytes", retry.body.len());
    // It finds everything when it reads again.
    assert!(rest(&mut client) == poured);
    assert_eq!(flow.rig.runs.count(), 1);
}

fn a_client_that_stalls_on_http2_does_not_hold_up_the_record(mode: Mode) {
    let limit = MEGABYTES * 1024 * 1024;
    let options = |layer: IdempotencyBuilder| layer.max_response(limit);
    let mut flow = Flow::new(mode, FaultyStore::default(), options, chunked);
    // Its flow-control window fills, and it never grants more.
    let _stalled = ask_on_http2(&flow.rig);
    let poured = pour_megabytes(&flow.tap);
    flow.tap.close();
    let retry = flow.rig.settle("k");
    assert!(retry.is_replay());
    assert!(retry.body == poured, "{} bytes", retry.body.len());
    assert_eq!(flow.rig.runs.count(), 1);
}

fn a_client_that_resets_its_http2_stream_changes_nothing(mode: Mode) {
    let mut flow = Flow::chunked(mode, FaultyStore::default());
    let (runtime, mut body) = ask_on_http2(&flow.rig);
    flow.tap.pour("one");
    let data = runtime.block_on(body.data()).expect("data").unwrap();
    assert_eq!(data, "one");
    // The last handle to an unread stream cancels it.
    drop(body);
    flow.rig.assert_in_flight("k");
    flow.tap.pour("two");
    flow.tap.close();
    flow.assert_replayed("onetwo");
}

fn assert_flows_on_without_its_client(mut flow: Flow, leave: fn(Client)) {
    let (mut client, _) = flow.start();
    flow.tap.pour("one");
    assert_eq!(chunk(&mut client).as_deref(), Some("one"));
    leave(client);
    flow.rig.assert_in_flight("k");
    flow.tap.pour("two");
    flow.rig.assert_in_flight("k");
    flow.tap.close();
    flow.assert_replayed("onetwo");
}

fn a_client_that_resets_mid_stream_changes_nothing(mode: Mode) {
    assert_flows_on_without_its_client(Flow::chunked(mode, FaultyStore::default()), Client::reset);
}

fn a_client_that_closes_mid_stream_changes_nothing(mode: Mode) {
    assert_flows_on_without_its_client(Flow::chunked(mode, FaultyStore::default()), drop);
}

fn a_client_that_resets_before_the_stream_starts_changes_nothing(mode: Mode) {
    let (tap, chunks) = unbounded_channel();
    let mut tap = Tap(Some(tap));
    let dropped = Counter::default();
    let pipe = Mutex::new(Some(Pipe { chunks, dropped }));
    let rig = Rig::new(
        mode,
        FaultyStore::default(),
        |layer| layer,
        move |run| {
            let pipe = pipe.lock().unwrap().take().expect("only one run");
            async move {
                run.gate.pass().await;
                HttpResponse::Ok().body(BodyStream::new(pipe))
            }
        },
    );
    rig.start("k").reset();
    rig.let_go.wait_for(1);
    rig.gate.open();
    rig.ends.wait_for(1);
    tap.pour("one");
    rig.assert_in_flight("k");
    tap.pour("two");
    tap.close();
    rig.assert_replayed("k", 200, "onetwo");
    assert_eq!(rig.runs.count(), 1);
}

fn a_stream_over_the_limit_reaches_the_first_client_whole_and_is_not_kept(mode: Mode) {
    let mut flow = Flow::new(
        mode,
        FaultyStore::default(),
        |layer| layer.max_response(10),
        chunked,
    );
    let (mut client, _) = flow.start();
    for produced in ["four", "five5", "six", "seven"] {
        flow.tap.pour(produced);
        assert_eq!(chunk(&mut client).as_deref(), Some(produced));
    }
    flow.assert_not_kept();
    flow.tap.close();
    assert_eq!(chunk(&mut client), None);
    flow.assert_not_kept();
}

fn a_sized_stream_declared_over_the_limit_is_not_kept(mode: Mode) {
    let flow = Flow::new(
        mode,
        FaultyStore::default(),
        |layer| layer.max_response(5),
        sized,
    );
    let (mut client, _) = flow.start();
    flow.assert_not_kept();
    flow.tap.pour("abcdef");
    assert_eq!(client.take(6).unwrap(), b"abcdef");
}

fn an_endless_stream_is_not_kept_and_its_client_may_leave(mode: Mode) {
    let flow = Flow::new(
        mode,
        FaultyStore::default(),
        |layer| layer.max_response(10),
        chunked,
    );
    let (client, _) = flow.start();
    flow.tap.pour("eleven bytes");
    flow.assert_not_kept();
    client.reset();
    // The client was the last reader, so the stream ends with it.
    eventually("an end of the stream", || {
        flow.tap.pour("more");
        flow.dropped.count() > 0
    });
    flow.assert_not_kept();
}

fn an_event_stream_passes_at_once_and_is_not_kept(mode: Mode) {
    let events = |mut response: HttpResponseBuilder, pipe| {
        response
            .content_type("text/event-stream")
            .body(BodyStream::new(pipe))
    };
    let mut flow = Flow::new(mode, FaultyStore::default(), |layer| layer, events);
    let (mut client, _) = flow.start();
    flow.assert_not_kept();
    flow.tap.pour("data: 1\n\n");
    assert_eq!(chunk(&mut client).as_deref(), Some("data: 1\n\n"));
    flow.tap.close();
    assert_eq!(chunk(&mut client), None);
    flow.assert_not_kept();
}

/// An operator decided while the stream ran.
fn by_hand(store: &FaultyStore) {
    let by_hand = Bytes::from_static(b"by hand");
    let by_hand = StoredResponse::new(StatusCode::OK, [], Some(by_hand));
    let verdict = Verdict::Finished(Finished::Completed(by_hand), DAY);
    assert_eq!(store.verdict(&verdict), Resolved::Done);
}

fn a_refused_complete_cuts_a_chunked_stream_before_its_terminator(mode: Mode) {
    let (store, clock) = FaultyStore::and_clock();
    let mut flow = Flow::chunked(mode, store.clone());
    let (mut client, _) = flow.start();
    flow.tap.pour("all of it");
    assert_eq!(chunk(&mut client).as_deref(), Some("all of it"));
    clock.advance(Duration::from_secs(31));
    by_hand(&store);
    flow.tap.close();
    assert_cut(client.receive_chunk());
    flow.assert_replayed("by hand");
}

fn a_refused_complete_cuts_a_sized_stream_before_its_last_byte(mode: Mode) {
    let (store, clock) = FaultyStore::and_clock();
    let flow = Flow::new(mode, store.clone(), |layer| layer, sized);
    let (mut client, _) = flow.start();
    clock.advance(Duration::from_secs(31));
    by_hand(&store);
    flow.tap.pour("abcde");
    assert_eq!(client.take(5).unwrap(), b"abcde");
    flow.tap.pour("f");
    assert_cut(client.take(1));
    flow.assert_replayed("by hand");
}

fn a_failing_complete_does_not_hold_up_the_end(mode: Mode) {
    let store = FaultyStore::default();
    store.always(Call::Complete, DOWN);
    let mut flow = Flow::chunked(mode, store.clone());
    let (mut client, _) = flow.start();
    flow.tap.pour("all of it");
    flow.tap.close();
    assert_eq!(rest(&mut client), b"all of it");
    flow.rig.assert_in_flight("k");
    store.heal(Call::Complete);
    flow.assert_replayed("all of it");
}

fn a_stream_past_max_run_is_not_kept_and_goes_on(mode: Mode) {
    let short = |layer: IdempotencyBuilder| layer.lease(SHORT).max_run(SHORT);
    let mut flow = Flow::new(mode, FaultyStore::default(), short, chunked);
    let (mut client, _) = flow.start();
    flow.tap.pour("one");
    assert_eq!(chunk(&mut client).as_deref(), Some("one"));
    let id = flow.rig.store.id();
    let state = || flow.rig.store.record(&id).map(|record| record.state);
    eventually("a record of what was not kept", || {
        use idempotency_actix::store::State::Finished as Done;
        matches!(state(), Some(Done(Finished::NotKept(_))))
    });
    flow.assert_not_kept();
    flow.tap.pour("two");
    assert_eq!(chunk(&mut client).as_deref(), Some("two"));
    flow.tap.close();
    assert_eq!(chunk(&mut client), None);
    flow.assert_not_kept();
}

fn a_stream_of_a_lapsed_lease_is_recorded_all_the_same(mode: Mode) {
    let (store, clock) = FaultyStore::and_clock();
    let mut flow = Flow::chunked(mode, store);
    let (mut client, _) = flow.start();
    flow.tap.pour("one");
    clock.advance(Duration::from_secs(31));
    assert_problem(&flow.rig.send("k"), 500, "outcome-unknown");
    flow.tap.close();
    assert_eq!(rest(&mut client), b"one");
    flow.assert_replayed("one");
}

fn a_claim_is_renewed_while_its_stream_runs(mode: Mode) {
    let store = FaultyStore::default();
    let long = |layer: IdempotencyBuilder| layer.lease(SHORT).max_run(PATIENCE);
    let mut flow = Flow::new(mode, store.clone(), long, chunked);
    let (client, _) = flow.start();
    client.reset();
    store.answered(Call::Renew).wait_for(4);
    flow.rig.assert_in_flight("k");
    flow.tap.pour("one");
    flow.tap.close();
    flow.assert_replayed("one");
}

/// A stream that always has more, and counts what was taken.
struct Spring(Counter);

impl Stream for Spring {
    type Item = Chunk;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Chunk>> {
        self.0.next();
        Poll::Ready(Some(Ok(Bytes::from_static(&[b'x'; 64 * 1024]))))
    }
}

fn a_stalled_client_of_a_stream_over_the_limit_holds_its_producer_back(mode: Mode) {
    let taken = Counter::default();
    let bell = taken.clone();
    let rig = Rig::new(
        mode,
        FaultyStore::default(),
        |layer| layer.max_response(1024 * 1024),
        move |_| {
            let spring = Spring(bell.clone());
            async move { HttpResponse::Ok().body(BodyStream::new(spring)) }
        },
    );
    let mut client = rig.ask("k");
    assert_eq!(client.receive_head().unwrap().status, 200);
    assert_problem(&rig.settle("k"), 410, "response-not-kept");
    // What the limit and the sockets hold, and not one chunk a poll for ever.
    let mut before = taken.count();
    eventually("a pause of the producer", || {
        std::thread::sleep(Duration::from_millis(50));
        before == std::mem::replace(&mut before, taken.count())
    });
    assert!(taken.count() < 1024, "{} chunks of 64 KiB", taken.count());
    assert_eq!(rig.runs.count(), 1);
}
