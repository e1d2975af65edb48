//! Which answers bind a key, which release it, and for how long they are kept.

use std::time::Duration;

use actix_web::error::{ErrorPaymentRequired, ErrorServiceUnavailable};
use actix_web::http::StatusCode;
use actix_web::middleware::{Compress, DefaultHeaders};
use actix_web::web::{self, ServiceConfig};
use actix_web::{App, Error, HttpRequest, HttpResponse, Responder, post};
use idempotency_actix::Clock;
use idempotency_actix::{Idempotency, KeyScope, MemoryStore, NotExecuted, idempotent};
use idempotency_actix_tests::app::{
    Call, Counter, FaultyStore, Site, builder, charge, covering, marked,
};
use idempotency_actix_tests::{Request, Response};

fn answer(status: u16, run: usize) -> HttpResponse {
    HttpResponse::build(StatusCode::from_u16(status).unwrap()).body(run.to_string())
}

#[post("/marked/{status}")]
#[idempotent]
async fn with_status(status: web::Path<u16>, runs: Counter) -> HttpResponse {
    answer(*status, runs.next())
}

async fn with_status_unmarked(status: web::Path<u16>, runs: Counter) -> HttpResponse {
    answer(*status, runs.next())
}

#[post("/releasing/{status}")]
#[idempotent(release_on = [409, 500..=599])]
async fn releasing(status: web::Path<u16>, runs: Counter) -> HttpResponse {
    answer(*status, runs.next())
}

#[post("/keeping/{status}")]
#[idempotent(release_on = [])]
async fn keeping(status: web::Path<u16>, runs: Counter) -> HttpResponse {
    answer(*status, runs.next())
}

#[post("/error")]
#[idempotent]
async fn error(runs: Counter) -> Result<String, Error> {
    Err(ErrorPaymentRequired(runs.next()))
}

#[post("/not-executed")]
#[idempotent]
async fn not_executed(runs: Counter) -> impl Responder {
    NotExecuted(answer(503, runs.next()))
}

#[post("/not-executed-error")]
#[idempotent]
async fn not_executed_error(runs: Counter) -> Result<String, Error> {
    let refused = ErrorServiceUnavailable(format!("no ledger {}", runs.next()));
    Err(NotExecuted::error(refused))
}

async fn not_executed_unmarked(runs: Counter) -> Result<String, Error> {
    let refused = ErrorServiceUnavailable(format!("no ledger {}", runs.next()));
    Err(NotExecuted::error(refused))
}

#[post("/not-executed-ok")]
#[idempotent]
async fn not_executed_ok(runs: Counter) -> Result<impl Responder, Error> {
    let refusal = NotExecuted(answer(503, runs.next()));
    Ok(refusal.customize().insert_header(("x-refused", "1")))
}

#[post("/panic")]
#[idempotent]
async fn panics(runs: Counter) -> String {
    panic!("secret of run {}", runs.next())
}

struct PanicsLate;

impl Responder for PanicsLate {
    type Body = actix_web::body::BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        panic!("secret of the answer")
    }
}

#[post("/late-panic")]
#[idempotent]
async fn panics_late(runs: Counter) -> impl Responder {
    runs.next();
    PanicsLate
}

struct PanicsEarly;

impl actix_web::FromRequest for PanicsEarly {
    type Error = Error;
    type Future = std::future::Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut actix_web::dev::Payload) -> Self::Future {
        if request.headers().contains_key("x-panic") {
            panic!("secret of an extractor");
        }
        std::future::ready(Ok(Self))
    }
}

#[post("/early-panic")]
#[idempotent]
async fn panics_early(_: PanicsEarly, runs: Counter) -> impl Responder {
    answer(201, runs.next())
}

#[post("/minute")]
#[idempotent(ttl = "1m")]
async fn minute(runs: Counter) -> impl Responder {
    runs.next().to_string()
}

fn routes(config: &mut ServiceConfig) {
    config
        .service(charge)
        .service(with_status)
        .service(releasing)
        .service(keeping)
        .service(error)
        .service(not_executed)
        .service(not_executed_error)
        .service(not_executed_ok)
        .service(panics)
        .service(panics_late)
        .service(panics_early)
        .service(minute)
        .route("/covered/error", web::post().to(not_executed_unmarked))
        .route("/covered/{status}", web::post().to(with_status_unmarked));
}

fn modes() -> [(Site, &'static str); 2] {
    [
        (Site::new(marked(), routes), "/marked"),
        (Site::new(covering(), routes), "/covered"),
    ]
}

fn twice(site: &Site, target: &str) -> (Response, Response) {
    site.twice(&Request::post(target).key(target))
}

#[track_caller]
fn assert_binds(site: &Site, target: &str) {
    let before = site.runs.count();
    let (first, retry) = twice(site, target);
    assert!(
        !first.is_replay() && retry.is_replay(),
        "{target}: {retry:?}"
    );
    assert_eq!((retry.status, &retry.body), (first.status, &first.body));
    assert_eq!(site.runs.count() - before, 1, "{target}");
}

#[track_caller]
fn assert_releases(site: &Site, target: &str) {
    let before = site.runs.count();
    let (first, retry) = twice(site, target);
    assert!(
        !first.is_replay() && !retry.is_replay(),
        "{target}: {retry:?}"
    );
    assert_eq!(retry.status, first.status, "{target}");
    assert_ne!(retry.body, first.body, "{target}");
    assert_eq!(site.runs.count() - before, 2, "{target}");
}

#[test]
fn success_binds() {
    for (site, mode) in modes() {
        for status in [200, 201, 202, 302] {
            assert_binds(&site, &format!("{mode}/{status}"));
        }
    }
}

#[test]
fn a_client_error_binds() {
    for (site, mode) in modes() {
        for status in [400, 402, 404, 408, 409, 410, 412, 422] {
            assert_binds(&site, &format!("{mode}/{status}"));
        }
    }
}

#[test]
fn a_server_error_binds() {
    for (site, mode) in modes() {
        for status in [500, 502, 503, 504] {
            assert_binds(&site, &format!("{mode}/{status}"));
        }
    }
}

#[test]
fn answers_of_a_refusal_release() {
    for (site, mode) in modes() {
        for status in [401, 403, 425, 429] {
            assert_releases(&site, &format!("{mode}/{status}"));
        }
    }
}

#[test]
fn a_405_of_a_marked_handler_binds() {
    assert_binds(&Site::new(marked(), routes), "/marked/405");
}

#[test]
fn a_released_key_can_be_used_for_another_request() {
    let site = Site::new(marked(), routes);
    let request = Request::post("/marked/429").key("k");
    assert_eq!(site.send(request.clone().body("a")).text(), "1");
    assert_eq!(site.send(request.body("b")).text(), "2");
    assert_eq!(site.runs.count(), 2);
}

#[test]
fn a_released_claim_leaves_no_record() {
    let store = FaultyStore::default();
    let layer = Idempotency::new(store.clone(), KeyScope::everyone());
    let site = Site::new(layer, routes);
    site.send(Request::post("/marked/429").key("k"));
    assert_eq!(
        (
            store.count(Call::Begin),
            store.count(Call::Release),
            store.count(Call::Complete)
        ),
        (1, 1, 0)
    );
    assert_eq!((store.records(), site.runs.count()), (0, 1));
}

#[test]
fn the_layer_replaces_the_set_of_releasing_answers() {
    let conflict = StatusCode::CONFLICT;
    let layers = [
        (builder().release_on([conflict]), "/marked"),
        (builder().all_routes().release_on([conflict]), "/covered"),
    ];
    for (layer, mode) in layers {
        let site = Site::new(layer.build().unwrap(), routes);
        assert_releases(&site, &format!("{mode}/409"));
        assert_binds(&site, &format!("{mode}/429"));
    }
}

#[test]
fn an_empty_set_of_releasing_answers_lets_all_bind() {
    let site = Site::new(builder().release_on([]).build().unwrap(), routes);
    for status in [401, 403, 425, 429] {
        assert_binds(&site, &format!("/marked/{status}"));
    }
}

#[test]
fn a_route_replaces_the_set_of_releasing_answers() {
    let site = Site::new(marked(), routes);
    for status in [409, 500, 503, 599] {
        assert_releases(&site, &format!("/releasing/{status}"));
    }
    for status in [401, 429, 499] {
        assert_binds(&site, &format!("/releasing/{status}"));
    }
}

#[test]
fn a_route_may_let_all_answers_bind() {
    let site = Site::new(marked(), routes);
    for status in [401, 429, 500] {
        assert_binds(&site, &format!("/keeping/{status}"));
    }
}

#[test]
fn the_error_of_a_handler_binds() {
    let site = Site::new(marked(), routes);
    assert_binds(&site, "/error");
    let retry = site.send(Request::post("/error").key("/error"));
    assert_eq!((retry.status, retry.text().as_str()), (402, "1"));
}

#[test]
fn an_answer_that_says_it_did_not_execute_releases() {
    assert_releases(&Site::new(marked(), routes), "/not-executed");
}

#[test]
fn a_customized_answer_that_says_it_did_not_execute_releases() {
    assert_releases(&Site::new(marked(), routes), "/not-executed-ok");
}

#[test]
fn what_did_not_execute_releases_through_inner_middleware() {
    let layer = covering();
    let site = Site::serve(move |runs| {
        App::new()
            .app_data(runs)
            .wrap(Compress::default())
            .wrap(DefaultHeaders::new().add(("x-inner", "1")))
            .wrap(layer.clone())
            .configure(routes)
    });
    for target in ["/not-executed", "/covered/error"] {
        let before = site.runs.count();
        let request = Request::post(target).key("k");
        let (_, retry) = site.twice(&request.header("Accept-Encoding", "gzip"));
        assert!(!retry.is_replay(), "{target}");
        assert_eq!(
            (retry.status, site.runs.count() - before),
            (503, 2),
            "{target}"
        );
    }
}

#[test]
fn an_error_that_says_it_did_not_execute_releases() {
    let site = Site::new(marked(), routes);
    let (first, retry) = twice(&site, "/not-executed-error");
    assert_eq!((first.status, first.text().as_str()), (503, "no ledger 1"));
    assert_eq!((retry.status, retry.text().as_str()), (503, "no ledger 2"));
    assert_eq!(site.runs.count(), 2);
}

#[test]
fn an_error_of_an_unmarked_handler_that_says_it_did_not_execute_releases() {
    assert_releases(&Site::new(covering(), routes), "/covered/error");
}

#[test]
fn a_panic_is_bound_as_a_plain_500() {
    let site = Site::new(marked(), routes);
    let (first, retry) = twice(&site, "/panic");
    assert_eq!(
        (first.status, first.text().as_str()),
        (500, "Internal Server Error")
    );
    assert_eq!((retry.is_replay(), retry.body), (true, first.body));
    assert_eq!(site.runs.count(), 1);
}

#[test]
fn a_panic_while_the_answer_is_made_is_bound() {
    let site = Site::new(marked(), routes);
    assert_binds(&site, "/late-panic");
}

#[test]
fn the_text_of_a_panic_stays_inside() {
    let site = Site::new(marked(), routes);
    for target in ["/panic", "/late-panic"] {
        for answer in <[_; 2]>::from(twice(&site, target)) {
            assert!(!format!("{answer:?}{}", answer.text()).contains("secret"));
        }
    }
    let early = Request::post("/early-panic")
        .header("x-panic", "1")
        .key("k");
    assert!(!site.send(early).text().contains("secret"));
}

#[test]
fn the_workers_survive_panics() {
    let site = Site::new(marked(), routes);
    for i in 0..8 {
        let key = i.to_string();
        assert_eq!(site.send(Request::post("/panic").key(&key)).status, 500);
    }
    assert_eq!(site.send(Request::post("/charges").key("k")).status, 201);
    assert_eq!(site.runs.count(), 9);
}

#[test]
fn the_connection_survives_a_panic() {
    let site = Site::new(marked(), routes);
    let mut client = site.connect();
    client.send(&Request::post("/panic").key("k"));
    assert_eq!(client.receive().status, 500);
    client.send(&Request::post("/charges").key("k"));
    assert_eq!(client.receive().status, 201);
}

#[test]
fn a_panic_in_an_extractor_leaves_the_key_unused() {
    let site = Site::new(marked(), routes);
    let request = Request::post("/early-panic").key("k");
    let panicked = site.send(request.clone().header("x-panic", "1"));
    assert_eq!((panicked.status, site.runs.count()), (500, 0));
    let retry = site.send(request);
    assert_eq!(
        (retry.status, retry.is_replay(), site.runs.count()),
        (201, false, 1)
    );
}

/// A site on a clock that stands still, with a layer that keeps records for an hour.
fn on_clock() -> (Site, Clock) {
    let clock = Clock::manual();
    let store = MemoryStore::builder().clock(clock.clone()).build();
    let layer = Idempotency::builder(store, KeyScope::everyone());
    let layer = layer.ttl(Duration::from_secs(3600)).build().unwrap();
    (Site::new(layer, routes), clock)
}

#[track_caller]
fn assert_kept_for(target: &str, ttl: Duration) {
    let (site, clock) = on_clock();
    let request = Request::post(target).key("k");
    site.send(request.clone());
    clock.advance(ttl - Duration::from_millis(1));
    assert!(site.send(request.clone()).is_replay());
    assert_eq!(site.runs.count(), 1);
    clock.advance(Duration::from_millis(1));
    assert!(!site.send(request).is_replay());
    assert_eq!(site.runs.count(), 2);
}

#[test]
fn a_record_is_replayed_for_the_ttl_of_the_layer() {
    assert_kept_for("/charges", Duration::from_secs(3600));
}

#[test]
fn a_record_is_replayed_for_the_ttl_of_the_route() {
    assert_kept_for("/minute", Duration::from_secs(60));
}

#[test]
fn a_replay_does_not_prolong_a_record() {
    let (site, clock) = on_clock();
    let request = Request::post("/minute").key("k");
    for _ in 0..3 {
        site.send(request.clone());
        clock.advance(Duration::from_secs(25));
    }
    assert!(!site.send(request).is_replay());
    assert_eq!(site.runs.count(), 2);
}

#[test]
fn a_record_is_replayed_for_a_day_by_default() {
    let clock = Clock::manual();
    let store = MemoryStore::builder().clock(clock.clone()).build();
    let site = Site::new(Idempotency::new(store, KeyScope::everyone()), routes);
    let request = Request::post("/charges").key("k");
    site.send(request.clone());
    clock.advance(Duration::from_secs(24 * 3600 - 1));
    assert!(site.send(request.clone()).is_replay());
    clock.advance(Duration::from_secs(1));
    assert!(!site.send(request).is_replay());
    assert_eq!(site.runs.count(), 2);
}
