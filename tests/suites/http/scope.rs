//! Whose key it is: no answer crosses to another caller, route or request.

use actix_web::error::ErrorUnauthorized;
use actix_web::http::Method;
use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};
use actix_web::{App, HttpRequest, HttpResponse, Responder, post};
use idempotency_actix::{Idempotency, KeyScope, MemoryStore, idempotent};
use idempotency_actix_tests::app::{
    Account, Counter, FaultyStore, Mode, Rig, Site, authenticate, charge, plain, principal,
};
use idempotency_actix_tests::{Request, assert_problem};
use uuid::Uuid;

#[post("/accounts")]
#[idempotent]
async fn guarded(account: Account, runs: Counter) -> impl Responder {
    HttpResponse::Created().body(format!("{}:{}", runs.next(), account.0))
}

#[idempotent]
async fn anywhere(request: HttpRequest, runs: Counter) -> impl Responder {
    let method = request.method().to_string();
    HttpResponse::Ok().body(format!("{}:{method}", runs.next()))
}

fn routes(config: &mut ServiceConfig) {
    config
        .service(charge)
        .service(guarded)
        .service(plain)
        .route("/things/{id}", web::to(anywhere));
}

fn scoped(scope: KeyScope) -> Site {
    Site::new(Idempotency::new(MemoryStore::new(), scope), routes)
}

/// An all-routes layer inside of authentication.
fn covered_by_principal() -> Site {
    let store = MemoryStore::new();
    let layer = Idempotency::builder(store, KeyScope::by(principal));
    let layer = layer.all_routes().build().unwrap();
    Site::serve(move |runs| {
        App::new()
            .app_data(runs)
            .wrap(layer.clone())
            .wrap(from_fn(authenticate))
            .configure(routes)
    })
}

fn from(target: &str, account: &str) -> Request {
    Request::post(target)
        .key("k")
        .header("Authorization", account)
}

#[test]
fn two_principals_with_one_key_get_their_own_answers() {
    let site = scoped(KeyScope::by(principal));
    let (ada, ada_again) = site.twice(&from("/accounts", "ada"));
    let (bob, bob_again) = site.twice(&from("/accounts", "bob"));
    assert_eq!((ada.text(), bob.text()), ("1:ada".into(), "2:bob".into()));
    assert_eq!((ada_again.body, bob_again.body), (ada.body, bob.body));
    assert_eq!(site.runs.count(), 2);
}

#[test]
fn two_principals_with_one_key_get_their_own_answers_on_a_covered_route() {
    let site = covered_by_principal();
    let (ada, ada_again) = site.twice(&from("/plain", "ada"));
    let (bob, bob_again) = site.twice(&from("/plain", "bob"));
    assert_eq!((ada.text(), bob.text()), ("1:".into(), "2:".into()));
    assert_eq!((ada_again.body, bob_again.body), (ada.body, bob.body));
    assert_eq!(site.runs.count(), 2);
}

#[test]
fn another_principal_with_another_body_is_no_reuse() {
    let site = covered_by_principal();
    site.send(from("/plain", "ada").body("a"));
    let bob = site.send(from("/plain", "bob").body("b"));
    assert_eq!((bob.status, bob.text().as_str()), (201, "2:b"));
    assert_eq!(site.runs.count(), 2);
}

#[test]
fn a_caller_without_a_principal_is_refused() {
    let site = scoped(KeyScope::by(principal));
    let answer = site.send(Request::post("/charges").key("k"));
    assert_problem(&answer, 400, "no-scope");
    assert_eq!(site.runs.count(), 0);
}

#[test]
fn a_caller_without_a_principal_is_refused_on_a_covered_route() {
    let layer = Idempotency::builder(MemoryStore::new(), KeyScope::by(principal));
    let site = Site::new(layer.all_routes().build().unwrap(), routes);
    let answer = site.send(Request::post("/plain").key("k"));
    assert_problem(&answer, 400, "no-scope");
    assert_eq!(site.runs.count(), 0);
}

#[test]
fn a_caller_without_key_needs_no_principal() {
    let site = scoped(KeyScope::by(principal));
    assert_eq!(site.send(Request::post("/charges")).status, 201);
    assert_eq!(site.runs.count(), 1);
}

#[test]
fn the_error_of_a_scope_is_the_answer() {
    let scope = KeyScope::try_by(|_| Err::<String, _>(ErrorUnauthorized("sign in first")));
    let site = scoped(scope);
    let answer = site.send(Request::post("/charges").key("k"));
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (401, "sign in first")
    );
    assert_eq!(site.runs.count(), 0);
}

#[test]
fn a_fallible_scope_separates_callers() {
    let scope = KeyScope::try_by(|req: &HttpRequest| {
        principal(req).ok_or_else(|| ErrorUnauthorized("sign in first"))
    });
    let site = scoped(scope);
    let ada = site.send(from("/accounts", "ada"));
    let bob = site.send(from("/accounts", "bob"));
    assert_eq!((ada.text(), bob.text()), ("1:ada".into(), "2:bob".into()));
    assert_eq!(site.runs.count(), 2);
}

#[test]
fn a_header_separates_callers() {
    let site = scoped(KeyScope::header("X-Api-Key"));
    let request = Request::post("/charges").key("k");
    let (_, retry) = site.twice(&request.clone().header("X-Api-Key", "one"));
    let other = site.send(request.header("X-Api-Key", "two"));
    assert!(retry.is_replay() && !other.is_replay());
    assert_eq!(site.runs.count(), 2);
}

#[test]
fn every_line_of_a_scope_header_counts() {
    let site = scoped(KeyScope::header("X-Api-Key"));
    let one = Request::post("/charges").key("k").header("X-Api-Key", "a");
    let two = one.clone().header("X-Api-Key", "b");
    let other = one.clone().header("X-Api-Key", "c");
    for request in [&one, &two, &other] {
        assert!(!site.send(request.clone()).is_replay());
    }
    assert!(site.send(two).is_replay());
    assert_eq!(site.runs.count(), 3);
}

#[test]
fn the_lines_of_a_scope_header_do_not_run_together() {
    let site = scoped(KeyScope::header("X-Api-Key"));
    let request = Request::post("/charges").key("k");
    let left = request.clone().header("X-Api-Key", "ab");
    let left = left.header("X-Api-Key", "c");
    let right = request.header("X-Api-Key", "a").header("X-Api-Key", "bc");
    site.send(left);
    assert!(!site.send(right).is_replay());
    assert_eq!(site.runs.count(), 2);
}

#[test]
fn a_caller_without_the_scope_header_is_refused() {
    let site = scoped(KeyScope::header("X-Api-Key"));
    let answer = site.send(Request::post("/charges").key("k"));
    assert_problem(&answer, 400, "no-scope");
    assert_eq!(site.runs.count(), 0);
}

#[test]
fn an_authenticating_extractor_answers_before_the_scope() {
    let site = scoped(KeyScope::by(principal));
    let answer = site.send(Request::post("/accounts").key("k"));
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (401, "sign in first")
    );
    assert_eq!(site.runs.count(), 0);
}

#[test]
fn an_authenticating_extractor_guards_replays_too() {
    let site = scoped(KeyScope::everyone());
    assert_eq!(site.send(from("/accounts", "ada")).status, 201);
    let stranger = site.send(from("/accounts", "refused"));
    assert_eq!(stranger.status, 401);
    assert!(!stranger.is_replay() && !stranger.text().contains("ada"));
    assert_eq!(site.runs.count(), 1);
}

#[test]
fn another_path_is_another_operation() {
    let site = scoped(KeyScope::everyone());
    let one = site.send(Request::post("/things/1").key("k"));
    let two = site.send(Request::post("/things/2").key("k"));
    assert_eq!((one.text(), two.text()), ("1:POST".into(), "2:POST".into()));
    assert_eq!(site.runs.count(), 2);
}

#[test]
fn another_method_is_another_operation() {
    let site = scoped(KeyScope::everyone());
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        let request = Request::new(method.clone(), "/things/1").key("k");
        let (first, retry) = site.twice(&request);
        assert!(!first.is_replay() && retry.is_replay(), "{method}");
        assert!(retry.text().ends_with(method.as_str()));
    }
    assert_eq!(site.runs.count(), 4);
}

#[track_caller]
fn assert_reuse(first: Request, other: Request) {
    let site = scoped(KeyScope::everyone());
    assert_eq!(site.send(first.clone()).status, 201);
    assert_problem(&site.send(other), 422, "key-reused");
    assert!(site.send(first).is_replay());
    assert_eq!(site.runs.count(), 1);
}

#[test]
fn another_body_under_one_key_is_refused() {
    let request = Request::post("/charges").key("k");
    assert_reuse(request.clone().body("a"), request.body("b"));
}

#[test]
fn no_body_and_a_body_under_one_key_differ() {
    let request = Request::post("/charges").key("k");
    assert_reuse(request.clone(), request.body("b"));
}

#[test]
fn another_query_under_one_key_is_refused() {
    let request = Request::post("/charges").key("k");
    assert_reuse(request, Request::post("/charges?fast").key("k"));
}

#[test]
fn another_content_type_under_one_key_is_refused() {
    let request = Request::post("/charges").key("k").body("1");
    let text = request.clone().header("Content-Type", "text/plain");
    assert_reuse(text, request.header("Content-Type", "application/json"));
}

#[test]
fn another_content_encoding_under_one_key_is_refused() {
    let request = Request::post("/charges").key("k").body("1");
    let identity = request.clone().header("Content-Encoding", "identity");
    assert_reuse(request, identity);
}

#[test]
fn a_header_of_no_meaning_under_one_key_is_the_same_request() {
    let site = scoped(KeyScope::everyone());
    let request = Request::post("/charges").key("k");
    site.send(request.clone().header("User-Agent", "one"));
    let retry = site.send(request.header("User-Agent", "two"));
    assert!(retry.is_replay());
    assert_eq!(site.runs.count(), 1);
}

#[test]
fn another_request_is_refused_while_the_first_one_runs() {
    let rig = Rig::gated(Mode::Marked, FaultyStore::default());
    let mut first = rig.start("k");
    let other = rig.send_request(&rig.request("k").body("other"));
    let same = rig.send("k");
    rig.gate.open();
    assert_problem(&other, 422, "key-reused");
    assert_problem(&same, 409, "in-flight");
    assert_eq!(first.receive().status, 201);
    assert_eq!(rig.runs.count(), 1);
}

#[test]
fn numbers_and_uuids_tell_callers() {
    let number = |request: &HttpRequest| header(request)?.parse::<u64>().ok();
    let site = scoped(KeyScope::by(number));
    assert_two_callers(&site, "1", "2");

    let uuid = |request: &HttpRequest| header(request)?.parse::<Uuid>().ok();
    let site = scoped(KeyScope::by(uuid));
    assert_two_callers(
        &site,
        "00000000-0000-0000-0000-000000000001",
        "00000000-0000-0000-0000-000000000002",
    );

    let fallible = |request: &HttpRequest| {
        let number = header(request).and_then(|text| text.parse::<i32>().ok());
        number.ok_or_else(|| ErrorUnauthorized("no number"))
    };
    let site = scoped(KeyScope::try_by(fallible));
    assert_two_callers(&site, "-1", "1");
    assert_eq!(site.send(from("/charges", "none")).status, 401);
}

fn header(request: &HttpRequest) -> Option<&str> {
    request.headers().get("authorization")?.to_str().ok()
}

#[track_caller]
fn assert_two_callers(site: &Site, one: &str, other: &str) {
    let runs = site.runs.count();
    for caller in [one, other] {
        assert!(!site.send(from("/charges", caller)).is_replay(), "{caller}");
        assert!(site.send(from("/charges", caller)).is_replay(), "{caller}");
    }
    assert_eq!(site.runs.count(), runs + 2);
}
