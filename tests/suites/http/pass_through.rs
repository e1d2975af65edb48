//! What the layer leaves alone: requests without a key, and methods that are safe to repeat.

use actix_web::http::Method;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, Responder};
use futures_util::StreamExt;
use idempotency_actix_tests::Request;
use idempotency_actix_tests::app::{Call, Counter, FaultyStore, Site, charge, plain};

use idempotency_actix::{Idempotency, KeyScope};

async fn any(runs: Counter) -> impl Responder {
    HttpResponse::Ok()
        .append_header(("set-cookie", "a=b"))
        .body(runs.next().to_string())
}

async fn count(mut payload: web::Payload, runs: Counter) -> impl Responder {
    runs.next();
    let mut length = 0;
    while let Some(Ok(chunk)) = payload.next().await {
        length += chunk.len();
    }
    HttpResponse::Ok().body(length.to_string())
}

fn routes(config: &mut ServiceConfig) {
    config
        .service(charge)
        .service(plain)
        .route("/any", web::to(any))
        .route("/count", web::post().to(count));
}

fn site(all_routes: bool) -> (Site, FaultyStore) {
    let store = FaultyStore::default();
    let mut layer = Idempotency::builder(store.clone(), KeyScope::by(|_| None::<&str>));
    if all_routes {
        layer = layer.all_routes();
    }
    let layer = layer.max_body(8).build().unwrap();
    (Site::new(layer, routes), store)
}

#[test]
fn a_marked_handler_without_key_runs_every_time() {
    let (site, store) = site(false);
    let (first, second) = site.twice(&Request::post("/charges").body("x"));
    assert_eq!((first.text(), second.text()), ("1:x".into(), "2:x".into()));
    assert_eq!((site.runs.count(), store.count(Call::Begin)), (2, 0));
}

#[test]
fn a_covered_route_without_key_runs_every_time() {
    let (site, store) = site(true);
    let (first, second) = site.twice(&Request::post("/plain").body("x"));
    assert_eq!((first.text(), second.text()), ("1:x".into(), "2:x".into()));
    assert_eq!((site.runs.count(), store.count(Call::Begin)), (2, 0));
}

#[test]
fn an_unmarked_handler_with_key_runs_every_time_without_all_routes() {
    let (site, store) = site(false);
    let (_, second) = site.twice(&Request::post("/plain").key("k"));
    assert!(!second.is_replay());
    assert_eq!((site.runs.count(), store.count(Call::Begin)), (2, 0));
}

#[test]
fn a_request_without_key_may_have_any_length() {
    let (site, _) = site(true);
    let answer = site.send(Request::post("/count").body([b'x'; 100]));
    assert_eq!((answer.text().as_str(), site.runs.count()), ("100", 1));
}

#[test]
fn an_answer_without_key_keeps_its_cookies() {
    let (site, _) = site(true);
    let answer = site.send(Request::post("/any"));
    assert_eq!(answer.header("set-cookie"), Some("a=b"));
    assert_eq!(answer.header("idempotent-replayed"), None);
    assert_eq!(site.runs.count(), 1);
}

#[test]
fn safe_methods_with_a_key_make_no_store_call() {
    let (site, store) = site(true);
    for method in [Method::GET, Method::OPTIONS, Method::TRACE] {
        let (_, second) = site.twice(&Request::new(method.clone(), "/any").key("k"));
        assert_eq!(second.status, 200, "{method}");
        assert!(!second.is_replay(), "{method}");
    }
    assert_eq!((site.runs.count(), store.count(Call::Begin)), (6, 0));
}

#[test]
fn head_with_a_key_makes_no_store_call() {
    let (site, store) = site(true);
    for _ in 0..2 {
        let mut client = site.connect();
        client.send(&Request::new(Method::HEAD, "/any").key("k"));
        assert_eq!(client.receive_head().unwrap().status, 200);
    }
    assert_eq!((site.runs.count(), store.count(Call::Begin)), (2, 0));
}
