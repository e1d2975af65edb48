//! What is counted is what is held, and nothing that may be set overflows.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use actix_web::body::BodyStream;
use actix_web::http::header::HeaderValue;
use actix_web::web::{self, Bytes};
use actix_web::{HttpResponse, post};
use futures_util::{Stream, StreamExt, stream};
use idempotency_actix::deadpool_redis::{Config, Runtime};
use idempotency_actix::{
    ConfigError, Idempotency, IdempotencyBuilder, KeyScope, MemoryStore, RedisStore,
    RedisStoreBuilder, RouteOptions, idempotent,
};
use idempotency_actix_tests::app::{Counter, FaultyStore, Mode, Rig, Run, Site, builder, charge};
use idempotency_actix_tests::{Client, Request, assert_problem, eventually, in_both_modes};

in_both_modes! {
    an_answer_cut_from_a_large_buffer_does_not_keep_it
    streams_whose_clients_read_nothing_share_a_budget
    a_stream_past_the_budget_reaches_its_client_whole_and_is_not_kept
    the_budget_is_given_back_however_a_stream_ends
    the_largest_of_everything_overflows_nowhere
}

const MIB: usize = 1024 * 1024;

/// More than sockets hold of a stream that nobody reads.
const STREAM: usize = 12 * MIB;

const CHUNK: usize = 64 * 1024;

/// A large buffer that is counted for as long as anybody holds a part of it.
struct Large(Vec<u8>, Arc<AtomicUsize>);

impl Large {
    fn part(live: &Arc<AtomicUsize>) -> Bytes {
        live.fetch_add(1, Ordering::SeqCst);
        Bytes::from_owner(Self(vec![b'x'; MIB], Arc::clone(live))).slice(1000..3000)
    }
}

impl AsRef<[u8]> for Large {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Large {
    fn drop(&mut self) {
        self.1.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Answers with parts of large buffers: by turns in one piece and as a stream.
async fn cut(live: web::Data<AtomicUsize>, runs: Counter) -> HttpResponse {
    let live = live.into_inner();
    let value = HeaderValue::from_maybe_shared(Large::part(&live)).expect("a value");
    let mut response = HttpResponse::Created();
    response.insert_header(("x-large", value));
    match runs.next() % 2 {
        0 => response.body(Large::part(&live)),
        _ => {
            let chunks = [Ok::<_, actix_web::Error>(Large::part(&live))];
            response.body(BodyStream::new(stream::iter(chunks)))
        }
    }
}

#[post("/marked")]
#[idempotent]
async fn cut_marked(live: web::Data<AtomicUsize>, runs: Counter) -> HttpResponse {
    cut(live, runs).await
}

#[post("/plain")]
async fn cut_plain(live: web::Data<AtomicUsize>, runs: Counter) -> HttpResponse {
    cut(live, runs).await
}

fn an_answer_cut_from_a_large_buffer_does_not_keep_it(mode: Mode) {
    let (layer, path) = match mode {
        Mode::Marked => (builder(), "/marked"),
        Mode::AllRoutes => (builder().all_routes(), "/plain"),
    };
    let live = web::Data::new(AtomicUsize::new(0));
    let buffers = live.clone();
    let site = Site::new(layer.build().expect("a layer"), move |routes| {
        routes
            .app_data(buffers.clone())
            .service(cut_marked)
            .service(cut_plain);
    });
    let body = "x".repeat(2000);
    let send = |n| site.send(Request::post(path).key(&format!("key-{n}")));
    for n in 0..20 {
        let first = send(n);
        assert_eq!((first.status, first.text()), (201, body.clone()));
    }
    // actix-web keeps the headers of an answer until it needs their place for the next one.
    eventually("an end of the large buffers", || {
        live.load(Ordering::SeqCst) < 5
    });
    for n in 0..20 {
        let retry = send(n);
        assert!(retry.is_replay());
        assert_eq!(retry.header("x-large"), Some(&*body));
        assert_eq!(retry.text(), body);
    }
    assert_eq!(site.runs.count(), 20);
}

type Chunk = Result<Bytes, actix_web::Error>;

fn chunks(number: usize, size: usize) -> impl Stream<Item = Chunk> {
    stream::iter(0..number).map(move |n| Ok(Bytes::from(vec![b'a' + n as u8 % 26; size])))
}

fn streaming(body: impl Stream<Item = Chunk> + 'static) -> HttpResponse {
    HttpResponse::Ok().body(BodyStream::new(body))
}

/// Asks, and reads nothing: its socket takes little.
fn stalled_client(rig: &Rig, key: &str) -> Client {
    let mut client = Client::connect(rig.addr());
    let socket = socket2::SockRef::from(client.stream());
    socket.set_recv_buffer_size(16 * 1024).expect("a socket");
    let runs = rig.runs.count();
    client.send(&rig.request(key));
    rig.runs.wait_for(runs + 1);
    client
}

fn streams_whose_clients_read_nothing_share_a_budget(mode: Mode) {
    let options =
        |layer: IdempotencyBuilder| layer.max_response(STREAM).stream_budget(STREAM * 5 / 2);
    let rig = Rig::new(mode, FaultyStore::default(), options, |_| async {
        streaming(chunks(STREAM / CHUNK, CHUNK))
    });
    let stalled: Vec<_> = (0..6)
        .map(|n| {
            let key = format!("key-{n}");
            let client = stalled_client(&rig, &key);
            let retry = rig.settle(&key);
            (client, retry)
        })
        .collect();
    let answers: Vec<_> = stalled.iter().map(|(_, retry)| retry.status).collect();
    assert_eq!(answers, [200, 200, 410, 410, 410, 410]);
    let (clients, retries): (Vec<_>, Vec<_>) = stalled.into_iter().unzip();
    assert_problem(&retries[5], 410, "response-not-kept");
    // Whoever reads at last gets everything.
    let whole: Vec<_> = (0..STREAM / CHUNK)
        .flat_map(|n| vec![b'a' + n as u8 % 26; CHUNK])
        .collect();
    for mut client in clients.into_iter().skip(1) {
        let body = client.receive().body;
        assert!(body == whole, "{} bytes", body.len());
    }
    // The first one leaves without having read.
    let mut number = 6;
    eventually("a budget that is free again", || {
        number += 3;
        let keys = [0, 1].map(|n| format!("key-{}", number + n));
        let clients = keys.clone().map(|key| stalled_client(&rig, &key));
        let kept = keys.iter().all(|key| rig.settle(key).is_replay());
        drop(clients);
        kept
    });
}

fn a_stream_past_the_budget_reaches_its_client_whole_and_is_not_kept(mode: Mode) {
    let options = |layer: IdempotencyBuilder| layer.stream_budget(25_000);
    let rig = Rig::new(mode, FaultyStore::default(), options, |_| async {
        streaming(chunks(10, 10_000))
    });
    let first = rig.send("k");
    let expected: Vec<_> = (0..10).flat_map(|n| vec![b'a' + n; 10_000]).collect();
    assert!(first.body == expected, "{} bytes", first.body.len());
    assert_problem(&rig.settle("k"), 410, "response-not-kept");
    assert_eq!(rig.runs.count(), 1);
}

fn the_budget_is_given_back_however_a_stream_ends(mode: Mode) {
    let options = |layer: IdempotencyBuilder| layer.max_response(110_000).stream_budget(250_000);
    let rig = Rig::new(
        mode,
        FaultyStore::default(),
        options,
        |run: Run| async move {
            let whole = chunks(10, 10_000);
            match run.number {
                1..10 => streaming(whole),
                10..20 => {
                    let error = actix_web::error::ErrorInternalServerError("broken");
                    streaming(whole.chain(stream::iter([Err(error)])))
                }
                20..30 => streaming(whole.chain(stream::poll_fn(|_| panic!("a stream's panic")))),
                30..40 => streaming(chunks(20, 10_000)),
                40..50 => {
                    let gate = run.gate;
                    let last = stream::once(async move {
                        gate.pass().await;
                        Ok(Bytes::from_static(b"last"))
                    });
                    streaming(chunks(9, 10_000).chain(last))
                }
                _ => streaming(whole),
            }
        },
    );
    for n in 1..40 {
        let key = format!("key-{n}");
        let mut client = rig.ask(&key);
        // A stream that fails is cut.
        _ = client.try_receive();
        assert_ne!(rig.settle(&key).status, 409);
    }
    // Clients that leave while their streams go on, one at a time: more would not fit.
    let mut client = rig.ask("key-40");
    assert_eq!(client.receive_head().unwrap().status, 200);
    client.reset();
    rig.gate.open();
    assert_eq!(rig.settle("key-40").status, 200);
    for n in 41..50 {
        rig.ask(&format!("key-{n}")).reset();
        rig.runs.wait_for(n);
        rig.settle(&format!("key-{n}"));
    }
    let retry = eventually_kept(&rig);
    assert_eq!(retry, 100_000);
}

/// The length of a stream that is kept at last.
fn eventually_kept(rig: &Rig) -> usize {
    let mut number = 50;
    let mut length = 0;
    eventually("a stream that is kept", || {
        number += 1;
        let key = format!("key-{number}");
        rig.send(&key);
        let retry = rig.settle(&key);
        length = retry.body.len();
        retry.is_replay()
    });
    length
}

fn the_largest_of_everything_overflows_nowhere(mode: Mode) {
    const YEARS: Duration = Duration::from_secs(10 * 31_557_600);
    let options = |layer: IdempotencyBuilder| {
        layer
            .ttl(YEARS)
            .lease(Duration::from_secs(24 * 3600))
            .max_run(YEARS)
            .store_timeout(Duration::from_secs(8 * 3600))
            .wait(Duration::from_secs(5 * 60))
            .max_body(usize::MAX)
            .max_response(usize::MAX)
            .stream_budget(usize::MAX)
            .max_waiters(usize::MAX)
            .max_waiters_per_key(usize::MAX)
            .max_in_flight(usize::MAX)
    };
    let rig = Rig::new(
        mode,
        FaultyStore::default(),
        options,
        |run: Run| async move {
            match run.number {
                1 => HttpResponse::Created().body("whole"),
                2 => streaming(chunks(2, 1)),
                _ => {
                    run.gate.pass().await;
                    HttpResponse::Created().body("late")
                }
            }
        },
    );
    for (key, body) in [("one", "whole"), ("two", "ab")] {
        assert_eq!(rig.send(key).text(), body);
        let retry = rig.settle(key);
        assert!(retry.is_replay());
        assert_eq!(retry.text(), body);
    }
    let mut first = rig.ask("three");
    rig.runs.wait_for(3);
    let mut waits = rig.ask("three");
    rig.gate.open();
    assert_eq!(first.receive().text(), "late");
    assert!(waits.receive().is_replay());
    assert_eq!(rig.runs.count(), 3);
}

/// Builds in vain, and says which option it was.
#[track_caller]
fn assert_refused(layer: IdempotencyBuilder, option: &str) {
    let message = layer.build().expect_err("it cannot hold").to_string();
    assert!(message.contains(&format!("`{option}`")), "{message}");
}

#[test]
fn time_without_end_is_refused() {
    let for_ever = Duration::MAX;
    assert_refused(builder().ttl(for_ever), "ttl");
    assert_refused(builder().lease(for_ever), "lease");
    assert_refused(builder().max_run(for_ever), "max_run");
    assert_refused(builder().wait(for_ever), "wait");
    assert_refused(builder().store_timeout(for_ever), "store_timeout");
    let post = actix_web::http::Method::POST;
    for (options, option) in [
        (RouteOptions::new().ttl(for_ever), "ttl"),
        (RouteOptions::new().lease(for_ever), "lease"),
        (RouteOptions::new().wait(for_ever), "wait"),
    ] {
        let layer = builder()
            .all_routes()
            .route(post.clone(), "/charges", options);
        assert_refused(layer, option);
    }
}

#[test]
fn a_budget_of_nothing_is_refused() {
    let error = builder().stream_budget(0).build().err();
    assert_eq!(error, Some(ConfigError::ZeroLimit("stream_budget")));
}

fn redis() -> RedisStoreBuilder {
    redis_at("redis://127.0.0.1:1/")
}

fn redis_at(url: &str) -> RedisStoreBuilder {
    let pool = Config::from_url(url).create_pool(Some(Runtime::Tokio1));
    RedisStore::builder(pool.expect("a pool"))
}

fn over_redis(store: RedisStoreBuilder, lease: Duration) -> Result<(), ConfigError> {
    let layer = Idempotency::builder(store.build()?, KeyScope::everyone());
    layer.lease(lease).build().map(drop)
}

#[test]
fn a_timeout_that_nobody_chose_adapts_to_a_short_lease() {
    for ms in [10, 1500, 2999] {
        assert_eq!(over_redis(redis(), Duration::from_millis(ms)), Ok(()));
    }
}

#[test]
fn a_server_that_hangs_is_given_up_after_a_third_of_a_short_lease() {
    let hung = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("redis://{}/", hung.local_addr().expect("an address"));
    let lease = Duration::from_millis(1500);
    let took = [(); 3].map(|()| {
        let store = redis_at(&url).build().expect("a store");
        let layer = Idempotency::builder(store, KeyScope::everyone()).lease(lease);
        let site = Site::new(layer.build().expect("a layer"), |routes| {
            routes.service(charge);
        });
        let asked = Instant::now();
        let answer = site.send(Request::post("/charges").key("k"));
        assert_problem(&answer, 503, "store-unavailable");
        assert_eq!(site.runs.count(), 0);
        asked.elapsed()
    });
    // Less than the second that the store would take by itself, and the fastest because machines are busy.
    let fastest = took.into_iter().min().expect("three answers");
    let expected = lease / 6..Duration::from_secs(1);
    assert!(expected.contains(&fastest), "{took:?}");
}

#[test]
fn a_timeout_that_was_chosen_needs_a_lease_of_three() {
    let (timeout, lease) = (Duration::from_millis(501), Duration::from_millis(1500));
    let error = ConfigError::StoreTimeout { timeout, lease };
    assert_eq!(over_redis(redis().timeout(timeout), lease), Err(error));
    let third = redis().timeout(lease / 3);
    assert_eq!(over_redis(third, lease), Ok(()));
}

#[test]
fn a_timeout_of_redis_without_end_is_refused() {
    let store = redis().timeout(Duration::MAX).build();
    assert_eq!(store.err(), Some(ConfigError::RedisTimeout));
}

#[test]
fn one_caller_leaves_room_in_the_store_for_the_others() {
    let store = MemoryStore::builder().max_entries(10).build();
    let scope = KeyScope::header("x-api-key");
    let layer = Idempotency::builder(store, scope).build().expect("a layer");
    let site = Site::new(layer, |routes| {
        routes.service(charge);
    });
    let ask = |caller: &str, key: usize| {
        let request = Request::post("/charges").header("x-api-key", caller);
        site.send(request.key(&format!("key-{key}"))).status
    };
    let greedy: Vec<_> = (0..8).map(|key| ask("greedy", key)).collect();
    assert_eq!(greedy, [201, 201, 201, 201, 201, 503, 503, 503]);
    assert_eq!([0, 1, 2].map(|key| ask("modest", key)), [201; 3]);
    // What it has is replayed all the same.
    assert_eq!(ask("greedy", 0), 201);
    assert_eq!(site.runs.count(), 8);
}
