//! One handler under either mode of a layer.

use actix_web::HttpResponse;
use idempotency_actix::{Idempotency, IdempotencyBuilder, KeyScope, MemoryStore, idempotent};
use idempotency_actix_tests::Request;
use idempotency_actix_tests::app::{Counter, Mode};

/// Where the handler is that the mode covers.
pub(crate) fn path(mode: Mode) -> &'static str {
    match mode {
        Mode::Marked => "/marked",
        Mode::AllRoutes => "/plain",
    }
}

/// A request to it.
pub(crate) fn post(mode: Mode) -> Request {
    Request::post(path(mode))
}

/// Counts its runs, and tells the number of this one.
#[idempotent(inner = plain)]
pub(crate) async fn marked(runs: Counter) -> HttpResponse {
    HttpResponse::Created().body(format!("run {}", runs.next()))
}

/// A layer of one space of keys.
pub(crate) fn layer(mode: Mode) -> Idempotency {
    made(mode, KeyScope::everyone(), |layer| layer)
}

/// A layer with callers and options of its own.
pub(crate) fn made(
    mode: Mode,
    scope: KeyScope,
    options: impl FnOnce(IdempotencyBuilder) -> IdempotencyBuilder,
) -> Idempotency {
    let layer = options(Idempotency::builder(MemoryStore::new(), scope));
    let layer = match mode {
        Mode::Marked => layer,
        Mode::AllRoutes => layer.all_routes(),
    };
    layer.build().expect("options that can hold")
}
