//! How layer, handler and extractors come together, and what happens where one is missing.

use std::collections::HashSet;
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex};

use actix_web::dev::{Payload, Service};
use actix_web::guard::Get;
use actix_web::http::Method;
use actix_web::web::{self, ServiceConfig};
use actix_web::{App, Error, FromRequest, HttpRequest, HttpResponse, Responder, post, put};
use idempotency_actix::{Attempt, Idempotency, IdempotencyKey, KeyScope, MemoryStore, idempotent};
use idempotency_actix_tests::app::{
    Account, Call, Counter, FaultyStore, Site, charge, covering, marked, plain, principal,
};
use idempotency_actix_tests::{Request, Response, assert_problem};

#[idempotent]
async fn bare(runs: Counter) -> impl Responder {
    HttpResponse::Created().body(runs.next().to_string())
}

async fn unmarked(runs: Counter) -> impl Responder {
    HttpResponse::Created().body(runs.next().to_string())
}

#[track_caller]
fn assert_runs_once(site: &Site, target: &str) {
    let (first, retry) = site.twice(&Request::post(target).key("k"));
    assert_eq!((first.status, first.is_replay()), (201, false));
    assert_eq!((retry.is_replay(), &retry.body), (true, &first.body));
    assert_eq!(site.runs.count(), 1);
}

#[test]
fn a_layer_around_a_scope_covers_it() {
    for (layer, target) in [(marked(), "/api/charges"), (covering(), "/api/plain")] {
        let site = Site::serve(move |runs| {
            let scope = web::scope("/api").wrap(layer.clone());
            App::new()
                .app_data(runs)
                .service(scope.service(charge).service(plain))
        });
        assert_runs_once(&site, target);
    }
}

#[test]
fn a_layer_around_a_scope_leaves_what_is_outside_alone() {
    let layer = covering();
    let site = Site::serve(move |runs| {
        let scope = web::scope("/api").wrap(layer.clone());
        App::new()
            .app_data(runs)
            .service(scope.service(charge))
            .service(plain)
    });
    let (_, retry) = site.twice(&Request::post("/plain").key("k"));
    assert!(!retry.is_replay());
    assert_eq!(site.runs.count(), 2);
}

#[test]
fn a_layer_around_a_resource_covers_it() {
    let (layer, all) = (marked(), covering());
    let site = Site::serve(move |runs| {
        let marked = web::resource("/marked").route(web::post().to(bare));
        let covered = web::resource("/covered").route(web::post().to(unmarked));
        App::new()
            .app_data(runs)
            .service(marked.wrap(layer.clone()))
            .service(covered.wrap(all.clone()))
    });
    for target in ["/marked", "/covered"] {
        let (_, retry) = site.twice(&Request::post(target).key("k"));
        assert!(retry.is_replay(), "{target}");
    }
    assert_eq!(site.runs.count(), 2);
}

#[test]
fn a_layer_around_a_route_covers_it() {
    let (layer, all) = (marked(), covering());
    let site = Site::serve(move |runs| {
        App::new()
            .app_data(runs)
            .route("/marked", web::post().to(bare).wrap(layer.clone()))
            .route("/covered", web::post().to(unmarked).wrap(all.clone()))
    });
    for target in ["/marked", "/covered"] {
        let (_, retry) = site.twice(&Request::post(target).key("k"));
        assert!(retry.is_replay(), "{target}");
    }
    assert_eq!(site.runs.count(), 2);
}

#[idempotent]
async fn naked_get(runs: Counter) -> impl Responder {
    runs.next().to_string()
}

async fn key_or_not(key: IdempotencyKey, runs: Counter) -> String {
    format!("{}:{}", runs.next(), key.as_str())
}

async fn attempt_or_not(attempt: Attempt, runs: Counter) -> String {
    format!("{}:{}", runs.next(), attempt.generation())
}

fn without_layer() -> Site {
    Site::serve(move |runs| {
        App::new()
            .app_data(runs)
            .service(charge)
            .service(web::resource("/naked").guard(Get()).to(naked_get))
            .route("/key", web::post().to(key_or_not))
            .route("/attempt", web::post().to(attempt_or_not))
    })
}

/// In the builds that authors have, and in no other.
#[track_caller]
fn assert_says_what_to_do(answer: &Response) {
    let says = answer
        .text()
        .contains("add `.wrap(Idempotency::new(store, scope))`");
    let is_empty = answer.text().is_empty();
    assert_eq!(
        (says, is_empty),
        (cfg!(debug_assertions), !cfg!(debug_assertions))
    );
}

#[test]
fn a_marked_handler_without_layer_is_a_500_and_never_runs() {
    let site = without_layer();
    let keyed = site.send(Request::post("/charges").key("k"));
    let unkeyed = site.send(Request::post("/charges"));
    for answer in [keyed, unkeyed] {
        assert_eq!(answer.status, 500);
        assert_says_what_to_do(&answer);
    }
    assert_eq!(site.runs.count(), 0);
}

#[test]
fn a_marked_handler_of_a_safe_method_needs_no_layer() {
    let site = without_layer();
    let answer = site.send(Request::new(Method::GET, "/naked").key("k"));
    assert_eq!((answer.status, site.runs.count()), (200, 1));
}

#[test]
fn extractors_without_layer_are_a_500() {
    let site = without_layer();
    for target in ["/key", "/attempt"] {
        let answer = site.send(Request::post(target).key("k"));
        assert_eq!(answer.status, 500, "{target}");
        assert_says_what_to_do(&answer);
    }
    assert_eq!(site.runs.count(), 0);
}

#[test]
fn workers_share_one_layer() {
    let site = Site::new(marked(), |config: &mut ServiceConfig| {
        config.service(charge).service(whose);
    });
    let ask = |_| site.send(Request::post("/thread")).text();
    let threads: HashSet<String> = (0..20).map(ask).collect();
    assert_eq!(threads.len(), 2);
    let request = Request::post("/charges").key("k");
    let answers = (0..20).map(|_| site.send(request.clone()));
    assert_eq!(answers.filter(|answer| answer.is_replay()).count(), 19);
    assert_eq!(site.runs.count(), 1);
}

#[post("/thread")]
async fn whose() -> String {
    format!("{:?}", std::thread::current().id())
}

#[post("/key")]
#[idempotent]
async fn takes_key(key: IdempotencyKey, runs: Counter) -> String {
    format!("{}:{}", runs.next(), key.as_str())
}

#[post("/maybe-key")]
#[idempotent]
async fn takes_key_or_none(key: Option<IdempotencyKey>, runs: Counter) -> String {
    format!(
        "{}:{:?}",
        runs.next(),
        key.as_ref().map(IdempotencyKey::as_str)
    )
}

#[post("/attempt")]
#[idempotent]
async fn takes_attempt(attempt: Attempt, runs: Counter) -> String {
    let (generation, is_current) = (attempt.generation(), attempt.is_current());
    format!("{}:{generation}:{is_current}", runs.next())
}

#[post("/maybe-attempt")]
#[idempotent]
async fn takes_attempt_or_none(attempt: Option<Attempt>, runs: Counter) -> String {
    format!("{}:{:?}", runs.next(), attempt.map(|a| a.generation()))
}

#[post("/debug")]
#[idempotent]
async fn shows(key: IdempotencyKey, attempt: Attempt) -> String {
    format!("{key:?} {attempt:?}")
}

fn extracting(config: &mut ServiceConfig) {
    config
        .service(shows)
        .service(takes_key)
        .service(takes_key_or_none)
        .service(takes_attempt)
        .service(takes_attempt_or_none)
        .route("/plain-key", web::post().to(key_or_not))
        .route("/plain-attempt", web::post().to(attempt_or_not));
}

#[test]
fn a_handler_is_given_the_decoded_key() {
    for layer in [marked(), covering()] {
        let site = Site::new(layer, extracting);
        let request = Request::post("/key").key(r#""a \"b\"";v=1"#);
        assert_eq!(site.send(request).text(), r#"1:a "b""#);
    }
}

/// What an access log around the layer can tell: the operation, of a first run and of a replay.
#[test]
fn a_middleware_around_the_layer_is_given_the_key_of_a_replay_too() {
    for (layer, target) in [(marked(), "/charges"), (covering(), "/plain")] {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let site = Site::serve(move |runs| {
            let log = Arc::clone(&log);
            App::new()
                .app_data(runs)
                .wrap(layer.clone())
                .wrap_fn(move |request, service| {
                    let (call, log) = (service.call(request), Arc::clone(&log));
                    async move {
                        let response = call.await?;
                        let key = IdempotencyKey::extract(response.request()).await?;
                        log.lock().unwrap().push(key.derive("log"));
                        Ok(response)
                    }
                })
                .service(charge)
                .service(plain)
        });
        assert_runs_once(&site, target);
        let seen = seen.lock().unwrap();
        assert_eq!(seen.len(), 2);
        assert_eq!(seen[0], seen[1]);
    }
}

#[test]
fn the_debug_forms_of_key_and_attempt_show_no_key() {
    let site = Site::new(marked(), extracting);
    let shown = site.send(Request::post("/debug").key("secret"));
    assert!(shown.text().ends_with(" Attempt(#1)"), "{}", shown.text());
    assert!(!shown.text().contains("secret"), "{}", shown.text());
}

#[test]
fn a_handler_is_given_the_key_if_there_is_one() {
    let site = Site::new(marked(), extracting);
    let keyed = site.send(Request::post("/maybe-key").key("k"));
    let unkeyed = site.send(Request::post("/maybe-key"));
    assert_eq!(keyed.text(), r#"1:Some("k")"#);
    assert_eq!(unkeyed.text(), "2:None");
}

#[test]
fn a_handler_that_takes_a_key_refuses_a_request_without_one() {
    for layer in [marked(), covering()] {
        let site = Site::new(layer, extracting);
        for target in ["/key", "/attempt"] {
            assert_problem(&site.send(Request::post(target)), 400, "missing-key");
        }
        assert_eq!(site.runs.count(), 0);
    }
}

#[test]
fn a_handler_is_given_its_attempt() {
    for layer in [marked(), covering()] {
        let site = Site::new(layer, extracting);
        assert_eq!(
            site.send(Request::post("/attempt").key("k")).text(),
            "1:1:true"
        );
    }
}

#[test]
fn a_handler_is_given_its_attempt_if_there_is_one() {
    let site = Site::new(marked(), extracting);
    let keyed = site.send(Request::post("/maybe-attempt").key("k"));
    let unkeyed = site.send(Request::post("/maybe-attempt"));
    assert_eq!(
        (keyed.text(), unkeyed.text()),
        ("1:Some(1)".into(), "2:None".into())
    );
}

#[test]
fn an_unmarked_handler_in_all_routes_mode_is_given_key_and_attempt() {
    let site = Site::new(covering(), extracting);
    assert_eq!(
        site.send(Request::post("/plain-key").key("k")).text(),
        "1:k"
    );
    assert_eq!(
        site.send(Request::post("/plain-attempt").key("k")).text(),
        "2:1"
    );
}

#[test]
fn a_key_extracted_where_no_layer_covers_the_handler_is_a_500() {
    let site = Site::new(marked(), extracting);
    for target in ["/plain-key", "/plain-attempt"] {
        let answer = site.send(Request::post(target).key("k"));
        assert_eq!(answer.status, 500, "{target}: {}", answer.text());
    }
    assert_eq!(site.runs.count(), 0);
}

/// What handlers derived, in order.
#[derive(Clone, Default)]
struct Derived(Arc<Mutex<Vec<String>>>);

impl Derived {
    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl FromRequest for Derived {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(request.app_data::<Self>().unwrap().clone()))
    }
}

fn derive(key: &IdempotencyKey, derived: &Derived, runs: &Counter) -> HttpResponse {
    let keys = [key.derive("processor"), key.derive("mail")];
    derived.0.lock().unwrap().extend(keys);
    match runs.next() {
        1 => HttpResponse::TooManyRequests().finish(),
        _ => HttpResponse::Created().finish(),
    }
}

#[post("/derive")]
#[idempotent]
async fn derives(
    _: Option<Account>,
    key: IdempotencyKey,
    to: Derived,
    runs: Counter,
) -> HttpResponse {
    derive(&key, &to, &runs)
}

#[put("/derive")]
#[idempotent]
async fn derives_put(key: IdempotencyKey, to: Derived, runs: Counter) -> HttpResponse {
    derive(&key, &to, &runs)
}

#[post("/derive-elsewhere")]
#[idempotent]
async fn derives_elsewhere(key: IdempotencyKey, to: Derived, runs: Counter) -> HttpResponse {
    derive(&key, &to, &runs)
}

fn deriving(scope: KeyScope) -> (Site, Derived) {
    deriving_in(Idempotency::new(MemoryStore::new(), scope))
}

fn deriving_in(layer: Idempotency) -> (Site, Derived) {
    let derived = Derived::default();
    let data = derived.clone();
    let site = Site::new(layer, move |config: &mut ServiceConfig| {
        config
            .app_data(data.clone())
            .service(derives)
            .service(derives_put)
            .service(derives_elsewhere);
    });
    (site, derived)
}

#[test]
fn a_released_run_and_its_retry_derive_the_same_keys() {
    let (site, derived) = deriving(KeyScope::everyone());
    let (first, retry) = site.twice(&Request::post("/derive").key("k"));
    assert_eq!(
        (first.status, retry.status, site.runs.count()),
        (429, 201, 2)
    );
    let all = derived.all();
    assert_eq!(all[..2], all[2..]);
}

#[test]
fn both_modes_derive_the_same_keys() {
    let all = [marked(), covering()].map(|layer| {
        let (site, derived) = deriving_in(layer);
        site.send(Request::post("/derive").key("k"));
        derived.all()
    });
    assert_eq!((all[0].len(), &all[0]), (2, &all[1]));
}

#[test]
fn derived_keys_differ_by_label_path_method_and_key() {
    let (site, derived) = deriving(KeyScope::everyone());
    site.send(Request::post("/derive").key("k"));
    site.send(Request::post("/derive").key("other"));
    site.send(Request::new(Method::PUT, "/derive").key("k"));
    site.send(Request::post("/derive-elsewhere").key("k"));
    let distinct: HashSet<_> = derived.all().into_iter().collect();
    assert_eq!((distinct.len(), site.runs.count()), (8, 4));
}

#[test]
fn derived_keys_differ_by_caller() {
    let (site, derived) = deriving(KeyScope::by(principal));
    for account in ["ada", "bob"] {
        let request = Request::post("/derive").key("k");
        site.send(request.header("Authorization", account));
    }
    let distinct: HashSet<_> = derived.all().into_iter().collect();
    assert_eq!((distinct.len(), site.runs.count()), (4, 2));
}

#[test]
fn a_derived_key_is_a_uuid_of_version_8() {
    let (site, derived) = deriving(KeyScope::everyone());
    site.send(Request::post("/derive").key("k"));
    for uuid in derived.all() {
        let lengths: Vec<_> = uuid.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12], "{uuid}");
        assert_eq!(uuid.as_bytes()[14], b'8', "{uuid}");
        assert!(b"89ab".contains(&uuid.as_bytes()[19]), "{uuid}");
    }
}

/// Looks at the attempt before there is one.
struct Eager(u64, bool);

impl FromRequest for Eager {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let attempt = Attempt::from_request(request, payload).into_inner();
        ready(attempt.map(|attempt| Self(attempt.generation(), attempt.is_current())))
    }
}

#[post("/eager")]
#[idempotent]
async fn eager(early: Eager, runs: Counter) -> String {
    format!("{}:{}:{}", runs.next(), early.0, early.1)
}

#[test]
fn an_extractor_sees_no_generation_yet() {
    let site = Site::new(marked(), |config: &mut ServiceConfig| {
        config.service(eager);
    });
    assert_eq!(
        site.send(Request::post("/eager").key("k")).text(),
        "1:0:false"
    );
}

/// Derives where it must not: before the caller is known.
struct TooEarly;

impl FromRequest for TooEarly {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let key = IdempotencyKey::from_request(request, payload).into_inner();
        key.unwrap().derive("processor");
        ready(Ok(Self))
    }
}

#[post("/too-early")]
#[idempotent]
async fn too_early(_: TooEarly, runs: Counter) -> String {
    runs.next().to_string()
}

#[test]
fn deriving_inside_an_extractor_is_a_500_that_claims_nothing() {
    let store = FaultyStore::default();
    let layer = Idempotency::new(store.clone(), KeyScope::everyone());
    let site = Site::new(layer, |config: &mut ServiceConfig| {
        config.service(too_early);
    });
    assert_eq!(site.send(Request::post("/too-early").key("k")).status, 500);
    assert_eq!((site.runs.count(), store.count(Call::Begin)), (0, 0));
}

#[test]
fn one_operation_has_one_record() {
    let store = FaultyStore::default();
    let layer = Idempotency::new(store.clone(), KeyScope::everyone());
    let site = Site::new(layer, |config: &mut ServiceConfig| {
        config.service(charge);
    });
    site.twice(&Request::post("/charges").key("k"));
    site.send(Request::post("/charges").key("other"));
    let begun = store.calls(Call::Begin).into_iter();
    let ids: Vec<_> = begun.map(|(id, _)| id).collect();
    assert_eq!((ids[0] == ids[1], ids[0] == ids[2]), (true, false));
    assert_eq!((store.records(), site.runs.count()), (2, 2));
}

#[actix_web::test]
async fn a_layer_tells_whether_its_store_could_serve() {
    let full = MemoryStore::builder().max_entries(0).build();
    assert!(marked().health().await.is_ok());
    let layer = Idempotency::new(full, KeyScope::everyone());
    assert!(layer.health().await.is_err());
}
