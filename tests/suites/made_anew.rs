//! The warning about a layer that each worker makes anew, in a process of its own: it comes once.

use std::time::Duration;

use actix_web::HttpRequest;
use idempotency_actix::{Idempotency, KeyScope, MemoryStore};
use idempotency_actix_tests::log;

fn by_path(request: &HttpRequest) -> Option<String> {
    Some(request.path().to_owned())
}

fn by_query(request: &HttpRequest) -> Option<String> {
    Some(request.query_string().to_owned())
}

fn warnings() -> usize {
    log::lines_with(&["MemoryStore", "HttpServer::new"]).len()
}

fn layer(scope: KeyScope, ttl: u64) -> Idempotency {
    let layer = Idempotency::builder(MemoryStore::new(), scope);
    layer
        .ttl(Duration::from_secs(ttl))
        .build()
        .expect("a layer")
}

#[test]
fn a_layer_that_each_worker_makes_anew_is_warned_of_once() {
    log::listen();

    let store = MemoryStore::new();
    let one_store = [(); 2].map(|()| Idempotency::new(store.clone(), KeyScope::everyone()));
    let _clones = (one_store.clone(), one_store);
    let _other_options = (
        layer(KeyScope::everyone(), 1),
        layer(KeyScope::everyone(), 2),
    );
    let _other_scopes = [
        KeyScope::by(by_path),
        KeyScope::by(by_query),
        KeyScope::by(|request: &HttpRequest| Some(request.path().to_owned())),
        KeyScope::header("x-api-key"),
        KeyScope::header("x-account"),
    ]
    .map(|scope| layer(scope, 3));
    for _ in 0..3 {
        // One after the other, as tests do.
        drop(layer(KeyScope::everyone(), 4));
    }
    assert_eq!(warnings(), 0);

    let factory = || {
        let scope = KeyScope::by(|request: &HttpRequest| Some(request.path().to_owned()));
        layer(scope, 5)
    };
    let _workers = [(); 4].map(|()| factory());
    assert_eq!(warnings(), 1);
    let _more = [(); 4].map(|()| layer(KeyScope::everyone(), 6));
    assert_eq!(warnings(), 1);
}
