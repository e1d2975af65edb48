//! The warning about a layer that each worker makes anew, in a process of its own: it comes once.

use std::time::Duration;

use actix_web::HttpRequest;
use idempotency_actix::{
    Fingerprinting, Idempotency, IdempotencyBuilder, KeyScope, MemoryStore, OutcomeEvent, Recovery,
};
use idempotency_actix_tests::log;

fn by_path(request: &HttpRequest) -> Option<String> {
    Some(request.path().to_owned())
}

fn by_query(request: &HttpRequest) -> Option<String> {
    Some(request.query_string().to_owned())
}

fn by_its_path(request: &HttpRequest, _: &[u8]) -> Vec<u8> {
    by_path(request).unwrap_or_default().into_bytes()
}

fn by_body(_: &HttpRequest, body: &[u8]) -> Vec<u8> {
    body.to_vec()
}

fn told(_: &OutcomeEvent<'_>) {}

fn told_as_well(_: &OutcomeEvent<'_>) {}

async fn unknown() -> Recovery {
    Recovery::StillUnknown
}

async fn not_executed() -> Recovery {
    Recovery::NotExecuted
}

fn with(options: impl FnOnce(IdempotencyBuilder) -> IdempotencyBuilder) -> Idempotency {
    let layer = Idempotency::builder(MemoryStore::new(), KeyScope::everyone());
    options(layer).build().expect("a layer")
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
    let _other_functions = [
        with(|layer| layer.key(by_path)),
        with(|layer| layer.key(by_query)),
        with(|layer| layer.recover(unknown)),
        with(|layer| layer.recover(not_executed)),
        with(|layer| layer.fingerprint(Fingerprinting::by(by_its_path))),
        with(|layer| layer.fingerprint(Fingerprinting::by(by_body))),
        with(|layer| layer.on_outcome(told)),
        with(|layer| layer.on_outcome(told_as_well)),
    ];
    for _ in 0..3 {
        // One after the other, as tests do.
        drop(layer(KeyScope::everyone(), 4));
    }
    assert_eq!(warnings(), 0);

    let factory = || {
        let scope = KeyScope::by(|request: &HttpRequest| Some(request.path().to_owned()));
        let layer = Idempotency::builder(MemoryStore::new(), scope)
            .key(|request: &HttpRequest| Some(request.query_string().to_owned()))
            .recover(|| async { Recovery::StillUnknown })
            .on_outcome(|_| {})
            .fingerprint(Fingerprinting::by(|_: &HttpRequest, body: &[u8]| {
                body.to_vec()
            }));
        layer.build().expect("a layer")
    };
    let _workers = [(); 4].map(|()| factory());
    assert_eq!(warnings(), 1);
    let _more = [(); 4].map(|()| layer(KeyScope::everyone(), 6));
    assert_eq!(warnings(), 1);
}
