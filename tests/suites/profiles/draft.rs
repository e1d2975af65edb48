//! The draft of the IETF: draft-ietf-httpapi-idempotency-key-header, "The Idempotency-Key HTTP Header Field", of its sections 2.1
//! (syntax), 2.6 (enforcement), 2.7 (errors), 5 (security) and 6 (examples).
//! <https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/>

use actix_web::http::StatusCode;
use actix_web::{App, HttpRequest, HttpResponse, Responder, post};
use idempotency_actix::{
    Idempotency, IdempotencyBuilder, KeyScope, MemoryStore, Problem, ProblemKind, idempotent,
};
use idempotency_actix_tests::app::{Gate, Site};
use idempotency_actix_tests::{
    Request, Response, assert_first, assert_in_flight, assert_problem, assert_replay,
};
use serde_json::{Value, json};

use crate::operation::{act, answered, waiting};

/// The first example of section 6, and of 2.2.
const UUID: &str = "\"8e03978e-40d5-43e8-bc93-6894a57f9324\"";
/// The second one.
const RANDOM: &str = "\"clkyoesmbgybucifusbbtdsbohtyuuwz\"";

#[post("/orders")]
#[idempotent(required, strict_keys)]
async fn create(request: HttpRequest) -> impl Responder {
    act(&request).await
}

/// The client, as authentication finds it.
fn client(request: &HttpRequest) -> Option<String> {
    let name = request.headers().get("authorization")?.to_str().ok()?;
    Some(name.to_owned())
}

fn site(options: impl Fn(IdempotencyBuilder) -> IdempotencyBuilder) -> (Site, Gate) {
    let layer = Idempotency::builder(MemoryStore::new(), KeyScope::by(client))
        .problem_base("https://developer.example.com/idempotency#");
    let layer = options(layer).build().expect("options that can hold");
    let gate = Gate::closed();
    let shared = gate.clone();
    let site = Site::serve(move |runs| {
        let app = App::new().app_data(runs).app_data(shared.clone());
        app.wrap(layer.clone()).service(create)
    });
    (site, gate)
}

fn order(key: &str) -> Request {
    Request::post("/orders")
        .header("Authorization", "one")
        .key(key)
}

#[track_caller]
fn assert_described(answer: &Response, name: &str) {
    let documentation = format!("https://developer.example.com/idempotency#{name}");
    let problem: Value = serde_json::from_slice(&answer.body).expect("JSON");
    assert_eq!(problem["type"], documentation);
    let link = format!("<{documentation}>; rel=\"describedby\"");
    assert_eq!(answer.header("link"), Some(&*link));
}

#[test]
fn the_keys_of_the_examples_are_keys() {
    let (site, _) = site(|layer| layer);
    assert_first(&site.send(order(UUID)), 201, "run 1");
    assert_first(&site.send(order(RANDOM)), 201, "run 2");
    assert_replay(&site.send(order(UUID)), 201, "run 1");
}

#[test]
fn what_is_no_string_is_no_key() {
    let (site, _) = site(|layer| layer);
    for other in [
        "token",
        "7",
        "?1",
        ":aGk=:",
        "\"a\", \"b\"",
        "\"open",
        "\"\u{fc}\"",
    ] {
        let answer = site.send(order(other));
        assert_problem(&answer, 400, "invalid-key");
    }
    assert_eq!(site.runs.count(), 0);
}

#[test]
fn a_missing_key_is_400_with_a_link_to_the_documentation() {
    let (site, _) = site(|layer| layer);
    let answer = site.send(Request::post("/orders").header("Authorization", "one"));
    assert_problem(&answer, 400, "missing-key");
    assert_described(&answer, "missing-key");
}

#[test]
fn a_retry_gets_the_result_be_it_success_or_error() {
    let (site, _) = site(|layer| layer);
    for (run, status) in [201, 404, 500].into_iter().enumerate() {
        let request = answered(order(&format!("\"{status}\"")), status);
        let (first, retry) = site.twice(&request);
        let body = format!("run {}", run + 1);
        assert_first(&first, status, &body);
        assert_replay(&retry, status, &body);
    }
}

#[test]
fn a_retry_beside_the_first_request_is_409() {
    let (site, gate) = site(|layer| layer);
    let mut first = site.connect();
    first.send(&waiting(order(UUID)));
    gate.wait();
    let retry = site.send(order(UUID));
    assert_in_flight(&retry);
    assert_described(&retry, "in-flight");
    gate.open();
    assert_first(&first.receive(), 201, "run 1");
    assert_replay(&site.send(order(UUID)), 201, "run 1");
}

#[test]
fn a_key_of_another_payload_is_422() {
    let (site, _) = site(|layer| layer);
    site.send(order(UUID).body("one"));
    let other = site.send(order(UUID).body("another"));
    assert_problem(&other, 422, "key-reused");
    assert_described(&other, "key-reused");
    assert_eq!(site.runs.count(), 1);
}

#[test]
fn a_key_that_another_client_guesses_shows_it_nothing() {
    let (site, _) = site(|layer| layer);
    assert_first(&site.send(order(UUID)), 201, "run 1");
    let other = Request::post("/orders").header("Authorization", "two");
    assert_first(&site.send(other.key(UUID)), 201, "run 2");
}

/// The errors as section 2.7 shows them: one page of documentation for all.
fn as_shown(_: &HttpRequest, problem: &Problem) -> HttpResponse {
    let page = "https://developer.example.com/idempotency";
    let title = match problem.kind() {
        ProblemKind::MissingKey => "Idempotency-Key is missing",
        ProblemKind::KeyReused => "Idempotency-Key is already used",
        ProblemKind::InFlight => "A request is outstanding for this Idempotency-Key",
        _ => problem.title(),
    };
    HttpResponse::build(problem.status())
        .content_type("application/problem+json")
        .insert_header(("content-language", "en"))
        .insert_header((
            "link",
            format!("<{page}>; rel=\"describedby\"; type=\"text/html\""),
        ))
        .json(json!({ "type": page, "title": title, "detail": problem.detail() }))
}

#[test]
fn errors_may_look_as_the_draft_shows_them() {
    let (site, gate) = site(|layer| layer.problem_response(as_shown));
    let missing = site.send(Request::post("/orders").header("Authorization", "one"));
    let mut first = site.connect();
    first.send(&waiting(order(UUID)));
    gate.wait();
    let outstanding = site.send(order(UUID));
    gate.open();
    first.receive();
    let used = site.send(order(UUID).body("another"));
    for (answer, status, title) in [
        (
            missing,
            StatusCode::BAD_REQUEST,
            "Idempotency-Key is missing",
        ),
        (
            outstanding,
            StatusCode::CONFLICT,
            "A request is outstanding for this Idempotency-Key",
        ),
        (
            used,
            StatusCode::UNPROCESSABLE_ENTITY,
            "Idempotency-Key is already used",
        ),
    ] {
        assert_eq!(answer.status, status.as_u16());
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json")
        );
        assert_eq!(answer.header("content-language"), Some("en"));
        let link =
            "<https://developer.example.com/idempotency>; rel=\"describedby\"; type=\"text/html\"";
        assert_eq!(answer.lines("link"), [link]);
        let problem: Value = serde_json::from_slice(&answer.body).expect("JSON");
        assert_eq!(problem["type"], "https://developer.example.com/idempotency");
        assert_eq!(problem["title"], title);
    }
}
