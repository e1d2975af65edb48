//! Plain answers to what went wrong inside: a panic, and a mistake of the application's author.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use actix_web::HttpResponse;

use super::not_executed::NotExecuted;

/// The answer to a handler that panicked: it may have acted, so this binds. No panic text in it.
pub(crate) fn panicked(payload: &(dyn Any + Send)) -> HttpResponse {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    tracing::error!(
        panic = text.unwrap_or("not text"),
        "an idempotent handler panicked"
    );
    HttpResponse::InternalServerError()
        .content_type("text/plain; charset=utf-8")
        .body("Internal Server Error")
}

/// A plain 500 that binds nothing, for mistakes that only the application's author can mend.
pub(crate) fn misconfigured() -> HttpResponse {
    let mut response = HttpResponse::InternalServerError().finish();
    NotExecuted::mark(&mut response);
    response
}

/// Calls a function of the application's that tells something of a request. Where it panics nothing was executed, and
/// the answer says so.
pub(crate) fn caught<T>(function: impl FnOnce() -> T) -> Result<T, Box<HttpResponse>> {
    catch_unwind(AssertUnwindSafe(function)).map_err(|panic| {
        let mut response = panicked(&*panic);
        NotExecuted::mark(&mut response);
        Box::new(response)
    })
}
