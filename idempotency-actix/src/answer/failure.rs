//! Plain 500s for what went wrong inside (a panic, a misconfiguration), and the mark of an answer that leaves the layer
//! as an error.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use actix_web::http::header::ContentType;
use actix_web::{Error, HttpResponse};

use super::not_executed::NotExecuted;
use crate::telemetry::{Incident, Outcome, Told, incident};

/// The mark of an answer that goes on as an error, and not as a response: middleware around the layer
/// may leave errors alone, and a replay must come out like the first answer.
pub(crate) struct AsError;

impl AsError {
    pub(crate) fn mark(response: &mut HttpResponse) {
        response.extensions_mut().insert(Self);
    }

    pub(crate) fn is_marked<B>(response: &HttpResponse<B>) -> bool {
        response.extensions().contains::<Self>()
    }
}

/// The answer to a handler that panicked: it may have acted, so this binds. No panic text in it, nor in a
/// log that is not for debugging: it may hold what the client sent.
pub(crate) fn panicked(payload: &(dyn Any + Send)) -> HttpResponse {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let cause = "an idempotent handler panicked, or a function that the layer asked";
    incident(Incident::Panicked, &"answered 500", &cause);
    tracing::debug!(panic = text.unwrap_or("not text"), "what it panicked with");
    HttpResponse::InternalServerError()
        .content_type("text/plain; charset=utf-8")
        .body("Internal Server Error")
}

/// The answer that an error of the application's makes, also where that panics.
pub(crate) fn rendered(error: &Error) -> HttpResponse {
    let render = AssertUnwindSafe(|| error.error_response());
    catch_unwind(render).unwrap_or_else(|panic| panicked(&*panic))
}

/// The same for an error that is an answer of its own, whose mappers do not run.
pub(crate) fn answer_of(error: Error) -> HttpResponse {
    let render = AssertUnwindSafe(|| HttpResponse::from_error(error));
    catch_unwind(render).unwrap_or_else(|panic| panicked(&*panic))
}

/// A plain 500 that binds nothing, for mistakes that only the application's author can mend. In debug builds it says what
/// to change, as the log does.
pub(crate) fn misconfigured(advice: impl fmt::Display) -> HttpResponse {
    let mut response = match cfg!(debug_assertions) {
        true => {
            let text = format!("{advice}\n\nThis text is in answers of debug builds only.\n");
            let plain = ContentType::plaintext();
            HttpResponse::InternalServerError()
                .content_type(plain)
                .body(text)
        }
        false => HttpResponse::InternalServerError().finish(),
    };
    NotExecuted::mark(&mut response);
    response
}

/// Calls a function of the application's that tells something of a request. Where it panics nothing was executed, and
/// the answer says so.
pub(crate) fn caught<T>(function: impl FnOnce() -> T) -> Result<T, Box<HttpResponse>> {
    catch_unwind(AssertUnwindSafe(function)).map_err(|panic| {
        let mut response = panicked(&*panic);
        NotExecuted::mark(&mut response);
        let told = Told::new(Outcome::Rejected);
        response.extensions_mut().insert(told);
        Box::new(response)
    })
}
