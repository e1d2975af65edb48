use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use actix_web::{App, HttpResponse, Responder, post, web};
use idempotency_actix::{Idempotency, KeyScope, MemoryStore, idempotent};
use idempotency_actix_tests::{Request, serve};

type Runs = Arc<AtomicU32>;

#[post("/charges")]
#[idempotent]
async fn charge(runs: web::Data<Runs>, body: String) -> impl Responder {
    let run = runs.fetch_add(1, SeqCst) + 1;
    HttpResponse::Created()
        .insert_header(("location", "/charges/1"))
        .body(format!("{run}:{body}"))
}

#[test]
fn a_retry_gets_the_first_answer() {
    let runs = Runs::default();
    let layer = Idempotency::new(MemoryStore::new(), KeyScope::everyone());
    let data = web::Data::new(runs.clone());
    let server = serve(move || {
        App::new()
            .app_data(data.clone())
            .wrap(layer.clone())
            .service(charge)
    });
    let first = server.send(Request::post("/charges").key("k").body("x"));
    let retry = server.send(Request::post("/charges").key("\"k\"").body("x"));
    assert_eq!((first.status, first.text().as_str()), (201, "1:x"));
    assert!(!first.is_replay() && retry.is_replay());
    assert_eq!(first.body, retry.body);
    assert_eq!(runs.load(SeqCst), 1);
    let other = server.send(Request::post("/charges").key("k").body("y"));
    assert_eq!(other.problem().as_deref(), Some("key-reused"));
}
