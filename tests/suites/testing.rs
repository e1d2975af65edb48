//! The module `testing`, used as the author of an application would: in process by `actix_web::test`, and over sockets.

use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::ServiceResponse;
use actix_web::http::Method;
use actix_web::http::header::LOCATION;
use actix_web::middleware::Condition;
use actix_web::test::{TestRequest, init_service, read_body, read_body_json};
use actix_web::{App, HttpRequest, HttpResponse, web};
use idempotency_actix::store::{RecordId, Store};
use idempotency_actix::testing::{Call, Fault, FaultyStore, FirstRequest, assert_replayed};
use idempotency_actix::{
    Attempt, Caller, Clock, Idempotency, IdempotencyKey, KeyScope, MemoryStore, Recovery,
    RedisStore, idempotent,
};
use idempotency_actix_sqlx::SqliteStore;
use idempotency_actix_sqlx::sqlx::SqlitePool;
use idempotency_actix_sqlx::sqlx::sqlite::SqliteConnectOptions;
use idempotency_actix_tests::app::Counter;
use idempotency_actix_tests::redis::RedisServer;
use idempotency_actix_tests::{
    Request, assert_first, assert_in_flight, assert_problem, assert_replay, serve,
};
use tempfile::TempDir;

#[idempotent(required, inner = charge_once)]
async fn charge(
    runs: Counter,
    key: IdempotencyKey,
    attempt: Attempt,
    body: String,
) -> HttpResponse {
    let (run, generation) = (runs.next(), attempt.generation());
    HttpResponse::Created().body(format!("{run}:{generation}:{}:{body}", key.as_str()))
}

async fn look_up(attempt: Attempt) -> Recovery {
    let found = format!("found by {}", attempt.generation());
    Recovery::Completed(HttpResponse::Ok().body(found))
}

#[idempotent(recover = look_up)]
async fn recovered(runs: Counter) -> HttpResponse {
    HttpResponse::Created().body(runs.next().to_string())
}

#[idempotent(on_unknown = "rerun")]
async fn rerun(runs: Counter, attempt: Attempt) -> HttpResponse {
    runs.next();
    HttpResponse::Created().body(attempt.generation().to_string())
}

#[idempotent(wait = "10s")]
async fn patient(runs: Counter) -> HttpResponse {
    HttpResponse::Created().body(runs.next().to_string())
}

fn body_alone(_: &HttpRequest, body: &[u8]) -> Vec<u8> {
    body.to_vec()
}

#[idempotent(fingerprint = body_alone)]
async fn by_function(runs: Counter) -> HttpResponse {
    HttpResponse::Created().body(runs.next().to_string())
}

#[idempotent(fingerprint = "json")]
async fn by_json(runs: Counter) -> HttpResponse {
    HttpResponse::Created().body(runs.next().to_string())
}

#[idempotent(vary = ["x-version"])]
async fn by_version(runs: Counter) -> HttpResponse {
    HttpResponse::Created().body(runs.next().to_string())
}

/// An unmarked handler that wants a key.
async fn unmarked(runs: Counter, key: IdempotencyKey) -> HttpResponse {
    HttpResponse::Ok().body(format!("{}:{}", runs.next(), key.as_str()))
}

fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/charges", web::post().to(charge))
        .route("/recovered", web::post().to(recovered))
        .route("/rerun", web::post().to(rerun))
        .route("/patient", web::post().to(patient))
        .route("/function", web::post().to(by_function))
        .route("/json", web::post().to(by_json))
        .route("/version", web::post().to(by_version))
        .route("/unmarked", web::post().to(unmarked));
}

/// The application as it is called in process, and how often its handlers ran.
macro_rules! application {
    ($layer:expr) => {{
        let runs = Counter::default();
        let app = App::new().app_data(runs.clone()).wrap($layer);
        (init_service(app.configure(routes)).await, runs)
    }};
}

fn over(store: impl Store) -> Idempotency {
    Idempotency::new(store, KeyScope::everyone())
}

fn order(path: &str) -> TestRequest {
    let request = TestRequest::post().uri(path).set_payload("5");
    request.insert_header(("idempotency-key", "k-1"))
}

/// Status and body of the answer to a request.
macro_rules! send {
    ($app:expr, $request:expr) => {{
        let response = $request.send_request(&$app).await;
        let status = response.status().as_u16();
        let body = read_body(response).await;
        (status, String::from_utf8_lossy(&body).into_owned())
    }};
}

/// The same of a problem: its status, and the last part of its type.
macro_rules! problem {
    ($app:expr, $request:expr) => {{
        let (status, body) = send!($app, $request);
        let problem: serde_json::Value = serde_json::from_str(&body).expect("a problem");
        let kind = problem["type"].as_str().expect("a type").to_owned();
        (
            status,
            kind.rsplit(':').next().unwrap_or_default().to_owned(),
        )
    }};
}

fn first(path: &str) -> FirstRequest {
    FirstRequest::of(&Caller::everyone(), "k-1", order(path))
}

fn header<'a, B>(response: &'a ServiceResponse<B>, name: &str) -> &'a str {
    let line = response.headers().get(name).expect("a header");
    line.to_str().expect("a header in ASCII")
}

fn told(status: u16, text: &str) -> (u16, String) {
    (status, text.to_owned())
}

#[actix_web::test]
async fn a_handler_is_called_as_a_function() {
    let (key, attempt) = (IdempotencyKey::for_test("k-1"), Attempt::for_test(3));
    assert_eq!(
        key.derive("processor"),
        IdempotencyKey::for_test("k-1").derive("processor")
    );
    assert_ne!(
        key.derive("processor"),
        IdempotencyKey::for_test("k-2").derive("processor")
    );
    let answer = charge_once(Counter::default(), key, attempt.clone(), "5".into()).await;
    let body = answer.into_body().try_into_bytes().expect("a whole body");
    assert_eq!(body, "1:3:k-1:5");

    assert!(attempt.is_current());
    attempt.clone().lose_for_test();
    assert!(!attempt.is_current());
}

#[test]
#[should_panic(expected = "is no key: TooLong")]
fn what_is_no_key_is_none_in_a_test() {
    IdempotencyKey::for_test(&"k".repeat(256));
}

#[actix_web::test]
async fn under_a_passthrough_marked_handlers_run_each_time() {
    let (app, runs) = application!(Idempotency::passthrough());
    assert_eq!(send!(app, order("/charges")), told(201, "1:1:k-1:5"));
    assert_eq!(send!(app, order("/charges")), told(201, "2:1:k-1:5"));
    assert_eq!(send!(app, order("/unmarked")), told(200, "3:k-1"));
    let without_key = || TestRequest::post().uri("/json");
    assert_eq!(send!(app, without_key()).0, 201);
    assert_eq!(send!(app, without_key()).0, 201);
    assert_eq!(runs.count(), 5);
}

#[actix_web::test]
async fn under_a_passthrough_a_handler_that_needs_a_key_has_to_get_one() {
    let (app, runs) = application!(Idempotency::passthrough());
    let without = TestRequest::post().uri("/charges");
    assert_eq!(problem!(app, without), told(400, "missing-key"));
    let two = order("/charges").append_header(("idempotency-key", "k-2"));
    assert_eq!(problem!(app, two), told(400, "invalid-key"));
    assert_eq!(runs.count(), 0);
}

#[test]
fn a_passthrough_keeps_nothing_over_a_socket() {
    let (layer, runs) = (Idempotency::passthrough(), Counter::default());
    let server = serve({
        let runs = runs.clone();
        move || {
            App::new()
                .app_data(runs.clone())
                .wrap(layer.clone())
                .configure(routes)
        }
    });
    let order = Request::post("/charges").key("k-1").body("5");
    assert_first(&server.send(order.clone()), 201, "1:1:k-1:5");
    assert_first(&server.send(order), 201, "2:1:k-1:5");
    assert_eq!(runs.count(), 2);
}

#[actix_web::test]
async fn a_marked_handler_without_a_layer_says_what_to_do_in_debug_builds() {
    let off = Condition::new(false, over(MemoryStore::new()));
    let (app, runs) = application!(off);
    let (status, body) = send!(app, order("/charges"));
    assert_eq!((status, runs.count()), (500, 0));
    let advice = [
        ".wrap(Idempotency::new(store, scope))",
        "Idempotency::passthrough()",
        "Condition::new(false, layer)",
    ];
    for text in advice {
        assert_eq!(body.contains(text), cfg!(debug_assertions), "{body}");
    }
}

#[actix_web::test]
async fn a_retry_of_a_request_in_flight_is_told_so() {
    let store = MemoryStore::new();
    let (app, runs) = application!(over(store.clone()));
    first("/charges").in_flight(&store).await;
    assert_eq!(problem!(app, order("/charges")), told(409, "in-flight"));
    assert_eq!(runs.count(), 0);
}

#[actix_web::test]
async fn what_was_in_flight_is_unknown_once_the_clock_has_moved() {
    let clock = Clock::manual();
    let store = MemoryStore::builder().clock(clock.clone()).build();
    let (app, runs) = application!(over(store.clone()));
    first("/charges").in_flight(&store).await;
    clock.advance(Duration::from_secs(29));
    assert_eq!(problem!(app, order("/charges")), told(409, "in-flight"));
    clock.advance(Duration::from_secs(1));
    assert_eq!(
        problem!(app, order("/charges")),
        told(500, "outcome-unknown")
    );
    assert_eq!(runs.count(), 0);
}

#[actix_web::test]
async fn a_retry_that_waits_gets_the_answer_of_a_request_that_is_finished_then() {
    let store = MemoryStore::new();
    let (app, runs) = application!(over(store.clone()));
    let first = first("/patient");
    first.in_flight(&store).await;
    let waiting = order("/patient").send_request(&app);
    let finish = async {
        actix_web::rt::task::yield_now().await;
        first
            .finished(&store, HttpResponse::Created().body("before"))
            .await;
    };
    let (retry, ()) = tokio::join!(waiting, finish);
    assert_replayed!(retry);
    assert_eq!((read_body(retry).await, runs.count()), ("before".into(), 0));
}

#[actix_web::test]
async fn the_outcome_of_a_process_that_died_is_unknown() {
    let store = MemoryStore::builder().clock(Clock::manual()).build();
    let (app, runs) = application!(over(store.clone()));
    first("/charges").unknown(&store).await;
    assert_eq!(
        problem!(app, order("/charges")),
        told(500, "outcome-unknown")
    );
    assert_eq!(runs.count(), 0);
}

#[actix_web::test]
async fn a_route_finds_out_at_once_what_became_of_a_process_that_died() {
    let store = MemoryStore::new();
    let (app, runs) = application!(over(store.clone()));
    first("/recovered").unknown(&store).await;
    assert_eq!(send!(app, order("/recovered")), told(200, "found by 2"));
    first("/rerun").unknown(&store).await;
    assert_eq!(send!(app, order("/rerun")), told(201, "2"));
    assert_eq!(runs.count(), 1);
}

#[actix_web::test]
async fn a_retry_of_a_finished_request_is_a_replay() {
    let store = MemoryStore::new();
    let (app, runs) = application!(over(store.clone()));
    let answer = HttpResponse::Accepted()
        .insert_header(("x-id", "7"))
        .body("before");
    first("/charges").finished(&store, answer).await;
    let retry = order("/charges").send_request(&app).await;
    assert_replayed!(retry);
    assert_replayed!(&retry.response());
    assert_eq!(
        (retry.status().as_u16(), header(&retry, "x-id")),
        (202, "7")
    );
    assert_eq!((read_body(retry).await, runs.count()), ("before".into(), 0));
}

#[actix_web::test]
async fn a_retry_of_an_answer_that_was_not_kept_is_told_where_it_was() {
    let store = MemoryStore::new();
    let (app, runs) = application!(over(store.clone()));
    let answer = HttpResponse::Created()
        .insert_header((LOCATION, "/charges/7"))
        .finish();
    first("/charges").not_kept(&store, answer).await;
    let retry = order("/charges").send_request(&app).await;
    assert_eq!(
        (retry.status().as_u16(), header(&retry, "location")),
        (410, "/charges/7")
    );
    let problem: serde_json::Value = read_body_json(retry).await;
    assert_eq!(
        (&problem["original_status"], runs.count()),
        (&201.into(), 0)
    );
}

#[actix_web::test]
async fn a_record_is_that_of_the_request_however_its_route_compares() {
    let store = MemoryStore::new();
    let (app, runs) = application!(over(store.clone()));
    for path in [
        "/function",
        "/json",
        "/version",
        "/charges?dry=1",
        "/%63harges",
    ] {
        let order = || {
            order(path)
                .insert_header(("content-type", "text/plain"))
                .insert_header(("x-version", "1"))
        };
        let first = FirstRequest::of(&Caller::everyone(), path, order());
        first.unknown(&store).await;
        let retry = order().insert_header(("idempotency-key", path));
        assert_eq!(problem!(app, retry), told(500, "outcome-unknown"), "{path}");
    }
    assert_eq!(runs.count(), 0);
}

#[actix_web::test]
async fn another_request_under_the_key_is_refused_and_another_key_or_caller_runs() {
    let store = MemoryStore::new();
    let layer = Idempotency::new(store.clone(), KeyScope::header("x-api-key"));
    let (app, runs) = application!(layer);
    let of = |caller: &str| order("/charges").insert_header(("x-api-key", caller));
    let first = FirstRequest::of(&Caller::header("ada"), "k-1", of("ada"));
    first
        .finished(&store, HttpResponse::Created().finish())
        .await;
    assert_eq!(
        problem!(app, of("ada").set_payload("6")),
        told(422, "key-reused")
    );
    assert_replayed!(of("ada").send_request(&app).await);
    assert_eq!(send!(app, of("bob")).0, 201);
    assert_eq!(
        send!(app, of("ada").insert_header(("idempotency-key", "k-2"))).0,
        201
    );
    assert_eq!(runs.count(), 2);
    let id = RecordId::of(&Caller::header("ada"), &Method::POST, "/charges", "k-1");
    assert!(store.inspect(&id).await.unwrap().is_some());
}

#[actix_web::test]
#[should_panic(expected = "another record of this request")]
async fn a_record_that_is_there_is_not_replaced() {
    let store = MemoryStore::new();
    first("/charges").in_flight(&store).await;
    first("/charges").unknown(&store).await;
}

/// What a retry over a socket is told of a process that died, and of what was finished.
fn retries_over_a_socket(store: impl Store + Clone) {
    let place = async |path: &'static str, key: &str| {
        let first = FirstRequest::of(&Caller::everyone(), key, order(path));
        match key {
            "died" => first.unknown(&store).await,
            "runs" => first.in_flight(&store).await,
            _ => {
                first
                    .finished(&store, HttpResponse::Created().body("before"))
                    .await
            }
        }
    };
    actix_web::rt::System::new().block_on(async {
        place("/charges", "died").await;
        place("/charges", "runs").await;
        place("/charges", "done").await;
        place("/recovered", "died").await;
    });
    let (layer, runs) = (over(store.clone()), Counter::default());
    let server = serve({
        let runs = runs.clone();
        move || {
            App::new()
                .app_data(runs.clone())
                .wrap(layer.clone())
                .configure(routes)
        }
    });
    let send = |path, key| server.send(Request::post(path).key(key).body("5"));
    assert_problem(&send("/charges", "died"), 500, "outcome-unknown");
    assert_in_flight(&send("/charges", "runs"));
    assert_replay(&send("/charges", "done"), 201, "before");
    assert_replay(&send("/recovered", "died"), 200, "found by 2");
    assert_eq!(runs.count(), 0);
}

#[test]
fn records_are_put_into_memory() {
    retries_over_a_socket(MemoryStore::new());
}

#[test]
fn records_are_put_into_redis() {
    let store = RedisStore::builder(RedisServer::shared().pool()).prefix("testing:");
    retries_over_a_socket(store.build().expect("options that can hold"));
}

#[test]
fn records_are_put_into_sqlite() {
    let folder = TempDir::with_prefix("testing-").expect("a folder for temporary files");
    let file = SqliteConnectOptions::new().filename(folder.path().join("records.db"));
    let store = actix_web::rt::System::new().block_on(async {
        let pool = SqlitePool::connect_lazy_with(file.create_if_missing(true));
        let store = SqliteStore::builder(pool)
            .build()
            .expect("options that can hold");
        store.migrate().await.expect("a table");
        store
    });
    retries_over_a_socket(store);
}

#[actix_web::test]
async fn a_store_that_refuses_or_keeps_silent_leaves_the_key_unused() {
    let store = FaultyStore::new(MemoryStore::new());
    let layer = Idempotency::builder(store.clone(), KeyScope::everyone());
    let (app, runs) = application!(
        layer
            .store_timeout(Duration::from_millis(20))
            .build()
            .unwrap()
    );
    for fault in [Fault::Refuse, Fault::TimeOut] {
        store.fail_next(Call::Begin, fault);
        assert_eq!(
            problem!(app, order("/charges")),
            told(503, "store-unavailable")
        );
    }
    assert_eq!(runs.count(), 0);
    assert_eq!(send!(app, order("/charges")), told(201, "1:1:k-1:5"));
    assert_replayed!(order("/charges").send_request(&app).await);
    assert_eq!(runs.count(), 1);
}

#[actix_web::test]
async fn a_store_fails_until_it_is_healed() {
    let store = FaultyStore::new(MemoryStore::new());
    let (app, runs) = application!(over(store.clone()));
    store.fail_always(Call::Begin, Fault::Refuse);
    for _ in 0..3 {
        assert_eq!(
            problem!(app, order("/charges")),
            told(503, "store-unavailable")
        );
    }
    store.heal();
    assert_eq!(send!(app, order("/charges")).0, 201);
    assert_eq!(runs.count(), 1);
}

#[actix_web::test]
async fn an_answer_is_recorded_though_the_store_lost_its_reply() {
    let memory = MemoryStore::new();
    let store = FaultyStore::new(memory.clone());
    let (app, runs) = application!(over(store.clone()));
    store.fail_always(Call::Complete, Fault::LoseReply);
    let answer = order("/charges").send_request(&app).await;
    assert_eq!(header(&answer, "idempotency-status"), "unstored");
    assert_eq!(read_body(answer).await, "1:1:k-1:5");
    assert_replayed!(order("/charges").send_request(&app).await);
    assert_eq!((runs.count(), memory.len()), (1, 1));
}

#[test]
#[should_panic(expected = "expected a replay, got 201 Created without `Idempotent-Replayed: true`")]
fn an_answer_that_is_no_replay_is_refused() {
    assert_replayed!(HttpResponse::Created().finish());
}
