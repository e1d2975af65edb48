//! The mark of an answer whose handler did not act. That it releases the claim is decided where operations are finished.

use std::fmt;

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::{Error, HttpRequest, HttpResponse, Responder, ResponseError};

/// An answer that says: the handler did not act.
///
/// The claim is released, so that the next retry runs the handler. Wrap only what provably had no
/// effect, such as a refusal before the first call to a processor. A status alone is no proof: a
/// handler that charged and then met a failing mail server answers 503 too.
///
/// # Examples
///
/// ```
/// use actix_web::{HttpResponse, Responder};
/// use idempotency_actix::{NotExecuted, idempotent};
///
/// #[idempotent]
/// async fn create_charge() -> impl Responder {
///     NotExecuted(HttpResponse::ServiceUnavailable().body("closed for maintenance"))
/// }
/// ```
///
/// In the error of a `Result`, through [`NotExecuted::error`]:
///
/// ```
/// use actix_web::{Error, error::ErrorServiceUnavailable};
/// use idempotency_actix::{NotExecuted, idempotent};
///
/// fn connect() -> Result<(), Error> {
///     Err(ErrorServiceUnavailable("no connection to the ledger"))
/// }
///
/// #[idempotent]
/// async fn create_charge() -> Result<String, Error> {
///     connect().map_err(NotExecuted::error)?;
///     Ok("charged".into())
/// }
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct NotExecuted<T>(pub T);

/// Shows nothing of an answer, which may hold personal data.
impl<T> fmt::Debug for NotExecuted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NotExecuted(..)")
    }
}

struct Mark;

impl NotExecuted<()> {
    /// Wraps an error so that its answer says: the handler did not act.
    pub fn error(error: impl Into<Error>) -> Error {
        NotExecutedError(error.into()).into()
    }

    pub(crate) fn mark<B>(response: &mut HttpResponse<B>) {
        response.extensions_mut().insert(Mark);
    }

    pub(crate) fn is_marked<B>(response: &HttpResponse<B>) -> bool {
        response.extensions().contains::<Mark>()
    }
}

impl<T: Responder> Responder for NotExecuted<T> {
    type Body = T::Body;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse<Self::Body> {
        let mut response = self.0.respond_to(request);
        NotExecuted::mark(&mut response);
        response
    }
}

#[derive(Debug)]
struct NotExecutedError(Error);

impl fmt::Display for NotExecutedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ResponseError for NotExecutedError {
    fn status_code(&self) -> StatusCode {
        self.0.as_response_error().status_code()
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        let mut response = self.0.error_response();
        NotExecuted::mark(&mut response);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_of_the_answer() {
        let answer = HttpResponse::Conflict()
            .insert_header(("location", "/people/jane"))
            .finish();
        assert_eq!(format!("{:?}", NotExecuted(answer)), "NotExecuted(..)");
    }
}
