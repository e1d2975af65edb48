//! The request's body: read within its limit, hashed, and handed on whole.

use std::collections::BTreeMap;

use actix_web::web::{self, Bytes, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Responder, post};
use futures_util::StreamExt;
use idempotency_actix::{Idempotency, KeyScope, idempotent};
use idempotency_actix_tests::app::{
    Call, Counter, FaultyStore, Site, charge, covering, marked, plain,
};
use idempotency_actix_tests::{Request, Response, assert_problem};

type Fields = BTreeMap<String, String>;

#[post("/marked/json")]
#[idempotent]
async fn marked_json(body: web::Json<Fields>, runs: Counter) -> impl Responder {
    HttpResponse::Ok().body(format!("{}:{:?}", runs.next(), body.0))
}

#[post("/marked/form")]
#[idempotent]
async fn marked_form(body: web::Form<Fields>, runs: Counter) -> impl Responder {
    HttpResponse::Ok().body(format!("{}:{:?}", runs.next(), body.0))
}

#[post("/marked/bytes")]
#[idempotent]
async fn marked_bytes(body: Bytes, runs: Counter) -> impl Responder {
    HttpResponse::Ok().body(format!("{}:{body:?}", runs.next()))
}

#[post("/marked/stream")]
#[idempotent]
async fn marked_stream(body: web::Payload, runs: Counter) -> impl Responder {
    HttpResponse::Ok().body(format!("{}:{:?}", runs.next(), read(body).await))
}

#[post("/marked/both")]
#[idempotent]
async fn marked_both(request: HttpRequest, body: web::Payload, runs: Counter) -> impl Responder {
    let length = request.headers().get("content-length").cloned();
    HttpResponse::Ok().body(format!("{}:{length:?}:{:?}", runs.next(), read(body).await))
}

async fn json(body: web::Json<Fields>, runs: Counter) -> impl Responder {
    HttpResponse::Ok().body(format!("{}:{:?}", runs.next(), body.0))
}

async fn form(body: web::Form<Fields>, runs: Counter) -> impl Responder {
    HttpResponse::Ok().body(format!("{}:{:?}", runs.next(), body.0))
}

async fn bytes(body: Bytes, runs: Counter) -> impl Responder {
    HttpResponse::Ok().body(format!("{}:{body:?}", runs.next()))
}

async fn stream(body: web::Payload, runs: Counter) -> impl Responder {
    HttpResponse::Ok().body(format!("{}:{:?}", runs.next(), read(body).await))
}

async fn read(mut body: web::Payload) -> Bytes {
    let mut all = Vec::new();
    while let Some(chunk) = body.next().await {
        all.extend(chunk.unwrap());
    }
    all.into()
}

#[post("/small")]
#[idempotent(max_body = 4)]
async fn small(body: String, runs: Counter) -> impl Responder {
    HttpResponse::Ok().body(format!("{}:{body}", runs.next()))
}

fn routes(config: &mut ServiceConfig) {
    config
        .service(charge)
        .service(plain)
        .service(small)
        .service(marked_json)
        .service(marked_form)
        .service(marked_bytes)
        .service(marked_stream)
        .service(marked_both)
        .route("/covered/json", web::post().to(json))
        .route("/covered/form", web::post().to(form))
        .route("/covered/bytes", web::post().to(bytes))
        .route("/covered/stream", web::post().to(stream));
}

/// Sends the body sized, then chunked in two: one run, one answer.
#[track_caller]
fn assert_sees(route: &str, content_type: &str, body: &[u8], seen: &str) {
    for (layer, mode) in [(marked(), "marked"), (covering(), "covered")] {
        let site = Site::new(layer, routes);
        let request = Request::post(&format!("/{mode}/{route}"))
            .key("k")
            .header("Content-Type", content_type);
        let first = site.send(request.clone().body(body));
        assert_eq!((first.status, first.text()), (200, format!("1:{seen}")));
        let (left, right) = body.split_at(body.len() / 2);
        let retry = site.send(request.chunked(&[left, right]));
        assert!(retry.is_replay(), "{mode}: {retry:?}");
        assert_eq!(retry.body, first.body);
        assert_eq!(site.runs.count(), 1);
    }
}

#[test]
fn a_json_extractor_sees_the_body() {
    let seen = r#"{"a": "1"}"#;
    assert_sees("json", "application/json", br#"{"a":"1"}"#, seen);
}

#[test]
fn a_form_extractor_sees_the_body() {
    let seen = r#"{"a": "1", "b": "2"}"#;
    assert_sees(
        "form",
        "application/x-www-form-urlencoded",
        b"a=1&b=2",
        seen,
    );
}

#[test]
fn a_bytes_extractor_sees_the_body() {
    let seen = r#"b"\0\xff\n""#;
    assert_sees("bytes", "application/octet-stream", b"\x00\xff\n", seen);
}

#[test]
fn a_payload_stream_sees_the_body() {
    let multipart = b"--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b--\r\n";
    let seen = format!("{:?}", Bytes::from_static(multipart));
    assert_sees(
        "stream",
        "multipart/form-data; boundary=b",
        multipart,
        &seen,
    );
}

#[test]
fn an_empty_body_is_a_body() {
    assert_sees("bytes", "text/plain", b"", r#"b"""#);
}

#[test]
fn a_body_of_no_length_and_no_body_are_the_same() {
    let site = Site::new(marked(), routes);
    let head = "POST /charges HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: k\r\n\r\n";
    assert_eq!(site.send_bytes(head.as_bytes()).text(), "1:");
    let retry = site.send(Request::post("/charges").key("k").body(""));
    assert!(retry.is_replay());
    assert_eq!(site.runs.count(), 1);
}

#[test]
fn a_client_that_waits_to_be_told_to_continue_is_told_so() {
    for (layer, target) in [(marked(), "/charges"), (covering(), "/plain")] {
        let site = Site::new(layer, routes);
        let head = format!(
            "POST {target} HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: k\r\n\
             Expect: 100-continue\r\nContent-Length: 3\r\n\r\n"
        );
        let mut client = site.connect();
        client.write(head.as_bytes());
        assert_eq!(client.receive_head().unwrap().status, 100);
        client.write(b"abc");
        assert_eq!(client.receive().text(), "1:abc");
        let retry = site.send(Request::post(target).key("k").body("abc"));
        assert!(retry.is_replay());
        assert_eq!(site.runs.count(), 1);
    }
}

#[test]
fn a_request_and_its_payload_can_be_taken_together() {
    let site = Site::new(marked(), routes);
    let (first, retry) = site.twice(&Request::post("/marked/both").key("k").body("abc"));
    assert_eq!(first.text(), r#"1:Some("3"):b"abc""#);
    assert_eq!(retry.body, first.body);
    assert_eq!(site.runs.count(), 1);
}

#[test]
fn a_large_body_arrives_whole() {
    let site = Site::new(covering(), routes);
    let body: Vec<u8> = (0..300_000_u32).map(|i| (i % 251) as u8).collect();
    let request = Request::post("/covered/stream").key("k").body(&body);
    let (first, retry) = site.twice(&request);
    assert!(first.text() == format!("1:{:?}", Bytes::from(body)));
    assert!(retry.is_replay() && retry.body == first.body);
    assert_eq!(site.runs.count(), 1);
}

#[test]
fn chunks_cut_elsewhere_are_the_same_body() {
    let site = Site::new(marked(), routes);
    let request = Request::post("/charges").key("k");
    site.send(request.clone().chunked(&[b"a", b"bc", b"def"]));
    let retry = site.send(request.chunked(&[b"abcde", b"f"]));
    assert_eq!((retry.is_replay(), retry.text()), (true, "1:abcdef".into()));
    assert_eq!(site.runs.count(), 1);
}

struct Limited {
    site: Site,
    store: FaultyStore,
    target: &'static str,
}

/// A marked handler and a covered route, each with room for four bytes.
fn limited() -> [Limited; 2] {
    let store = FaultyStore::default();
    let layer = Idempotency::builder(store.clone(), KeyScope::everyone()).max_body(4);
    let marked = Limited {
        site: Site::new(layer.build().unwrap(), routes),
        store,
        target: "/charges",
    };
    let store = FaultyStore::default();
    let layer = Idempotency::builder(store.clone(), KeyScope::everyone()).max_body(4);
    let covered = Limited {
        site: Site::new(layer.all_routes().build().unwrap(), routes),
        store,
        target: "/plain",
    };
    [marked, covered]
}

#[test]
fn a_body_of_exactly_the_limit_is_read() {
    for Limited { site, target, .. } in limited() {
        let request = Request::post(target).key("k");
        assert_eq!(site.send(request.clone().body("1234")).text(), "1:1234");
        assert!(site.send(request.chunked(&[b"12", b"34"])).is_replay());
        assert_eq!(site.runs.count(), 1);
    }
}

#[test]
fn a_body_that_declares_too_much_is_refused_before_it_is_sent() {
    for limited in limited() {
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: k\r\nContent-Length: 5\r\n\r\n",
            limited.target
        );
        let answer = limited.site.send_bytes(head.as_bytes());
        assert_problem(&answer, 413, "body-too-large");
        assert_eq!(
            (limited.site.runs.count(), limited.store.count(Call::Begin)),
            (0, 0)
        );
    }
}

fn send_chunked(limited: &Limited) -> Response {
    // Only as much as is refused, so that the answer does not race with the rest of the body.
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: k\r\n\
         Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n",
        limited.target
    );
    let mut client = limited.site.connect();
    client.write(head.as_bytes());
    client.receive()
}

#[test]
fn a_chunked_body_is_refused_once_it_is_too_long() {
    for limited in limited() {
        assert_problem(&send_chunked(&limited), 413, "body-too-large");
        assert_eq!(
            (limited.site.runs.count(), limited.store.count(Call::Begin)),
            (0, 0)
        );
    }
}

#[test]
fn a_smaller_retry_runs_after_a_body_that_was_too_long() {
    for limited in limited() {
        let request = Request::post(limited.target).key("k");
        assert_eq!(limited.site.send(request.clone().body("12345")).status, 413);
        assert_eq!(send_chunked(&limited).status, 413);
        let smaller = limited.site.send(request.body("1234"));
        assert_eq!((smaller.status, smaller.text()), (201, "1:1234".into()));
        assert_eq!(limited.site.runs.count(), 1);
    }
}

#[test]
fn the_limit_of_a_route_holds() {
    let site = Site::new(marked(), routes);
    let request = Request::post("/small").key("k");
    assert_problem(
        &site.send(request.clone().body("12345")),
        413,
        "body-too-large",
    );
    assert_eq!(site.send(request.body("1234")).text(), "1:1234");
    assert_eq!(site.runs.count(), 1);
}

#[test]
fn the_too_large_answer_names_the_limit() {
    let site = Site::new(marked(), routes);
    let answer = site.send(Request::post("/small").key("k").body("12345"));
    assert!(
        answer.text().contains("may have 4 bytes"),
        "{}",
        answer.text()
    );
}

#[test]
fn a_request_that_fails_to_extract_leaves_the_key_unused() {
    let store = FaultyStore::default();
    let layer = Idempotency::new(store.clone(), KeyScope::everyone());
    let site = Site::new(layer, routes);
    let request = Request::post("/marked/json")
        .key("k")
        .header("Content-Type", "application/json");
    let broken = site.send(request.clone().body("{"));
    assert_eq!((broken.status, broken.problem()), (400, None));
    assert_eq!((site.runs.count(), store.count(Call::Begin)), (0, 0));
    let corrected = site.send(request.body("{}"));
    assert_eq!((corrected.status, corrected.text()), (200, "1:{}".into()));
    assert_eq!(site.runs.count(), 1);
}

#[test]
fn a_body_that_breaks_off_claims_nothing() {
    for limited in limited() {
        let mut client = limited.site.connect();
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: k\r\n\
             Transfer-Encoding: chunked\r\n\r\nnot a length\r\n",
            limited.target
        );
        client.write(head.as_bytes());
        assert_eq!(client.receive().status, 400);
        let whole = limited.site.send(Request::post(limited.target).key("k"));
        assert_eq!((whole.status, whole.is_replay()), (201, false));
        assert_eq!(limited.site.runs.count(), 1);
    }
}
