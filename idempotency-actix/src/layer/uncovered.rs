//! What an extractor or a marked handler answers where there is no layer, or no key. It covers nothing.

use std::fmt;

use actix_web::error::InternalError;
use actix_web::{Error, HttpMessage, HttpRequest};

use super::worker::{Unkeyed, Worker};
use crate::answer::{Problem, caught, misconfigured};
use crate::options::Sought;
use crate::telemetry::method_name;

/// What an extractor answers that needs the key and has none: the client's fault if it sent none,
/// otherwise the application's, whose layer does not cover the handler.
pub(super) fn no_key(what: &str, request: &HttpRequest) -> Error {
    // No borrow is held while the application's function looks for the key.
    let (worker, unkeyed) = {
        let extensions = request.extensions();
        let unkeyed = extensions.get::<Unkeyed>().cloned();
        (Worker::of(&extensions).cloned(), unkeyed)
    };
    let Some(worker) = worker else {
        return not_covered(what, request);
    };
    let options = worker.options_of(request);
    let header = match unkeyed {
        Some(Unkeyed(header)) => header,
        // A key in the body is not looked for: who gets here with one is not covered, as a rule.
        None => match caught(|| options.seek_key(request)) {
            Ok(Sought::Nowhere) => options.key.header().cloned(),
            Ok(Sought::Found(_) | Sought::InBody) => return not_covered(what, request),
            Err(answer) => return InternalError::from_response("no key", *answer).into(),
        },
    };
    let response = Problem::MissingKey(header).response(&options.problem_base);
    let response = worker.formed(response, request);
    InternalError::from_response("idempotency key is missing", response).into()
}

/// Answers where the layer is missing, and says in the log what to add. In debug builds the answer says it too.
pub(super) fn not_covered(what: impl fmt::Display, request: &HttpRequest) -> Error {
    let advice = format!(
        "{what} is not covered by an idempotency layer, so the request was refused: add \
         `.wrap(Idempotency::new(store, scope))` to the App or to the scope around the route, and \
         mark the handler with `#[idempotent]`"
    );
    tracing::error!(
        method = method_name(request.method()),
        route = request.match_pattern().unwrap_or_default(),
        "{advice}",
    );
    let answer = misconfigured(advice + IN_A_TEST);
    InternalError::from_response("no idempotency layer", answer).into()
}

const IN_A_TEST: &str = ". In a test of something else, wrap `Idempotency::passthrough()` (feature `testing`); a \
    `Condition::new(false, layer)` is no layer";
