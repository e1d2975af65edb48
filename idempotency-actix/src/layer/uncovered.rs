//! What is answered where an extractor or a marked handler finds no layer, or no key. It covers nothing.

use std::fmt;

use actix_web::dev::Extensions;
use actix_web::error::InternalError;
use actix_web::http::header::HeaderName;
use actix_web::{Error, HttpRequest};

use super::worker::Worker;
use crate::answer::{Problem, misconfigured};

/// What an extractor answers that needs the key and has none: the client's fault if it sent none,
/// otherwise the application's, whose layer does not cover the handler.
pub(super) fn no_key(what: &str, extensions: &Extensions, request: &HttpRequest) -> Error {
    let Some(worker) = Worker::of(extensions) else {
        return not_covered(what, request);
    };
    let options = worker.options_of(request);
    let problem = match extensions.get::<Unkeyed>() {
        Some(Unkeyed(header)) => Problem::MissingKey(header.clone()),
        None if !options.key.is_in(request) => Problem::MissingKey(options.key.header().cloned()),
        None => return not_covered(what, request),
    };
    let response = problem.response(&options.problem_base);
    InternalError::from_response("idempotency key is missing", response).into()
}

/// Left with a request that has no key where its route looks for it, which is not where its layer does.
pub(super) struct Unkeyed(pub(super) Option<HeaderName>);

/// Answers where the layer is missing, and says in the log what to add.
pub(super) fn not_covered(what: impl fmt::Display, request: &HttpRequest) -> Error {
    tracing::error!(
        method = %request.method(),
        route = request.match_pattern().unwrap_or_default(),
        "{what} is not covered by an idempotency layer, so the request was refused: add \
         `.wrap(Idempotency::new(store, scope))` to the App or to the scope around the route, and \
         mark the handler with `#[idempotent]`",
    );
    InternalError::from_response("no idempotency layer", misconfigured()).into()
}
