//! Two marks of an answer that was given in a transaction: it is committed whatever its status, or it is to be run again.
//! What comes of them is decided where operations are finished.

use actix_web::body::BoxBody;
use actix_web::{HttpRequest, HttpResponse, Responder};

/// An answer whose transaction is committed, whatever its status.
///
/// Of a handler that takes a [transaction](crate::InTransaction), an answer from 400 on rolls it back. Wrap the one whose
/// effect is to stay, such as a refusal that is written down. Elsewhere it means nothing.
///
/// # Examples
///
/// ```
/// use actix_web::{HttpResponse, Responder};
/// use idempotency_actix::{Commit, idempotent};
///
/// #[idempotent]
/// async fn create_charge() -> impl Responder {
///     Commit(HttpResponse::PaymentRequired().body("declined, and written down"))
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commit<T>(pub T);

struct Mark;

impl Commit<()> {
    pub(crate) fn is_marked<B>(response: &HttpResponse<B>) -> bool {
        response.extensions().contains::<Mark>()
    }
}

impl<T: Responder> Responder for Commit<T> {
    type Body = T::Body;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse<Self::Body> {
        let mut response = self.0.respond_to(request);
        response.extensions_mut().insert(Mark);
        response
    }
}

/// The mark of an answer to a statement that was undone for another transaction's sake.
///
/// The error type of a store's handlers puts it on its response, and the handler is run again in a transaction anew.
///
/// # Examples
///
/// ```
/// use actix_web::HttpResponse;
/// use idempotency_actix::RunAgain;
///
/// let answer = RunAgain::mark(HttpResponse::InternalServerError().finish());
/// # let _ = answer;
/// ```
#[derive(Debug, Clone, Copy)]
pub struct RunAgain(());

impl RunAgain {
    /// Marks an answer. Nobody gets it: the handler is run again, or the client is told to come again.
    pub fn mark(mut response: HttpResponse<BoxBody>) -> HttpResponse<BoxBody> {
        response.extensions_mut().insert(Self(()));
        response
    }

    pub(crate) fn is_marked<B>(response: &HttpResponse<B>) -> bool {
        response.extensions().contains::<Self>()
    }
}
