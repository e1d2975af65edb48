//! Problems in the application's own form, and the link to what describes them.

use actix_web::web::{Bytes, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Responder, post};
use idempotency_actix::{IdempotencyBuilder, IdempotencyKey, Problem, ProblemKind, idempotent};
use idempotency_actix_tests::app::{Counter, Gate, Site, builder};
use idempotency_actix_tests::{Request, Response, assert_first};
use serde_json::{Value, json};

fn envelope(request: &HttpRequest, problem: &Problem) -> HttpResponse {
    let id = request.headers().get("x-request-id");
    HttpResponse::ImATeapot()
        .insert_header(("x-own", "1"))
        .insert_header(("cache-control", "public"))
        .insert_header(("idempotent-replayed", "true"))
        .insert_header(("idempotency-status", "unstored"))
        .json(json!({
            "code": problem.name(),
            "kind": format!("{:?}", problem.kind()),
            "type": problem.type_uri(),
            "title": problem.title(),
            "detail": problem.detail(),
            "status": problem.status().as_u16(),
            "id": id.and_then(|id| id.to_str().ok()),
            "original": problem.original_status(),
        }))
}

fn behaved(runs: &Counter, body: &Bytes) -> HttpResponse {
    let number = runs.next();
    match body.starts_with(b"large") {
        true => HttpResponse::Created()
            .insert_header(("location", "/1"))
            .body("x".repeat(100)),
        false => HttpResponse::Created().body(number.to_string()),
    }
}

#[post("/marked")]
#[idempotent]
async fn marked(runs: Counter, gate: Gate, body: Bytes) -> impl Responder {
    if body == "slow" {
        gate.pass().await;
    }
    behaved(&runs, &body)
}

#[post("/plain")]
async fn plain(runs: Counter, gate: Gate, body: Bytes) -> impl Responder {
    if body == "slow" {
        gate.pass().await;
    }
    behaved(&runs, &body)
}

#[post("/keyed")]
#[idempotent]
async fn keyed(_: IdempotencyKey) -> impl Responder {
    HttpResponse::Ok()
}

/// Both modes, with these options beside.
fn sites(
    options: impl Fn(IdempotencyBuilder) -> IdempotencyBuilder,
) -> [(&'static str, Gate, Site); 2] {
    ["/marked", "/plain"].map(|path| {
        let gate = Gate::closed();
        let layer = options(builder().max_body(20).max_response(50));
        let layer = if path == "/plain" {
            layer.all_routes()
        } else {
            layer
        };
        let shared = gate.clone();
        let site = Site::new(
            layer.build().expect("a layer"),
            move |config: &mut ServiceConfig| {
                config.app_data(shared.clone());
                config.service(marked).service(plain).service(keyed);
            },
        );
        (path, gate, site)
    })
}

fn json_of(answer: &Response) -> Value {
    serde_json::from_slice(&answer.body).expect("json")
}

#[track_caller]
fn assert_enveloped(answer: &Response, status: u16, kind: ProblemKind) {
    assert_eq!(answer.status, status, "{answer:?}");
    let json = json_of(answer);
    assert_eq!(json["kind"], format!("{kind:?}"));
    assert_eq!(
        (&json["status"], &json["id"]),
        (&json!(status), &json!("r1"))
    );
    let uri = format!(
        "urn:problem-type:idempotency-actix:{}",
        json["code"].as_str().expect("a code")
    );
    assert_eq!(json["type"], uri);
    assert_eq!(answer.header("x-own"), Some("1"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.lines("cache-control"), ["no-store"]);
    assert_eq!(
        answer.header("link"),
        Some(&*format!("<{uri}>; rel=\"describedby\""))
    );
    assert!(answer.header("idempotent-replayed").is_none());
    assert!(answer.header("idempotency-status").is_none());
}

fn request(path: &str, key: &str, body: &str) -> Request {
    Request::post(path)
        .key(key)
        .header("x-request-id", "r1")
        .body(body)
}

#[test]
fn every_problem_has_the_form_of_the_application() {
    for (path, gate, site) in sites(|layer| layer.problem_response(envelope).required(true)) {
        let send = |key: &str, body: &str| site.send(request(path, key, body));
        let unkeyed = Request::post(path).header("x-request-id", "r1");
        assert_enveloped(&site.send(unkeyed), 400, ProblemKind::MissingKey);
        assert_enveloped(&send("a, b", ""), 400, ProblemKind::InvalidKey);
        assert_enveloped(&send("k", &"x".repeat(21)), 413, ProblemKind::BodyTooLarge);
        let chunked = Request::post(path).key("k").header("x-request-id", "r1");
        let chunked = chunked.chunked(&[b"0123456789", b"0123456789", b"0"]);
        assert_enveloped(&site.send(chunked), 413, ProblemKind::BodyTooLarge);
        assert_eq!(site.runs.count(), 0);
        assert_first(&send("k", "one"), 201, "1");
        assert_enveloped(&send("k", "two"), 422, ProblemKind::KeyReused);
        assert!(send("k", "one").is_replay());
        let mut client = site.connect();
        client.send(&request(path, "slow", "slow"));
        gate.wait();
        let busy = send("slow", "slow");
        assert_enveloped(&busy, 409, ProblemKind::InFlight);
        assert_eq!(busy.header("retry-after"), Some("1"));
        gate.let_one_through();
        assert_eq!(client.receive().status, 201);
        assert_eq!(send("l", "large").status, 201);
        let unkept = send("l", "large");
        assert_enveloped(&unkept, 410, ProblemKind::ResponseNotKept);
        assert_eq!(unkept.header("location"), Some("/1"));
        assert_eq!(json_of(&unkept)["original"], 201);
    }
}

#[test]
fn an_argument_that_asks_for_a_key_is_told_so_too() {
    let [(_, _, site), _] = sites(|layer| layer.problem_response(envelope));
    let answer = site.send(Request::post("/keyed").header("x-request-id", "r1"));
    assert_enveloped(&answer, 400, ProblemKind::MissingKey);
}

#[test]
fn a_body_that_is_too_large_leaves_the_connection_usable() {
    for (path, _, site) in sites(|layer| layer.problem_response(envelope)) {
        let mut client = site.connect();
        client.send(&request(path, "k", &"x".repeat(1000)));
        assert_enveloped(&client.receive(), 413, ProblemKind::BodyTooLarge);
        client.send(&request(path, "k", "one"));
        assert_first(&client.receive(), 201, "1");
    }
}

#[test]
fn a_form_that_panics_is_500_and_binds_nothing() {
    let panics = |_: &HttpRequest, _: &Problem| panic!("no form");
    for (path, _, site) in sites(|layer| layer.problem_response(panics)) {
        assert_eq!(site.send(request(path, "k", "one")).status, 201);
        assert_eq!(site.send(request(path, "k", "two")).status, 500);
        assert!(site.send(request(path, "k", "one")).is_replay());
        assert_eq!(site.runs.count(), 1);
    }
}

#[test]
fn a_link_of_the_application_stays() {
    let linked = |_: &HttpRequest, _: &Problem| {
        HttpResponse::Ok()
            .insert_header(("link", "</docs>; rel=\"help\""))
            .finish()
    };
    for (path, _, site) in sites(|layer| layer.problem_response(linked)) {
        let answer = site.send(request(path, "a, b", ""));
        assert_eq!(
            (answer.status, answer.lines("link")),
            (400, vec!["</docs>; rel=\"help\""])
        );
    }
}

#[test]
fn a_problem_links_to_its_type() {
    for (path, _, site) in sites(|layer| layer.problem_base("https://example.com/errors#")) {
        let answer = site.send(request(path, "a, b", ""));
        let link = "<https://example.com/errors#invalid-key>; rel=\"describedby\"";
        assert_eq!(answer.header("link"), Some(link));
        let first = site.send(request(path, "k", "one"));
        assert_eq!(first.header("link"), None);
    }
}
