//! The option by which an application finds out about an unknown outcome. It decides nothing about the record.

use std::any::TypeId;
use std::fmt;

use actix_web::web::Bytes;
use actix_web::{Error, FromRequest, Handler, HttpRequest, HttpResponse};
use futures_util::future::LocalBoxFuture;

use super::provided::By;
use crate::request::unread;

/// What a `recover` function, or an operator, found out about a request whose outcome was unknown.
///
/// # Examples
///
/// A recovery that asks the application's own table. Between its look and the retry that follows a
/// `NotExecuted` the first attempt could still commit, so it has to be shut out in the transaction that
/// looks: here by the attempt's generation, which the handler's own transaction compares as well. A handler
/// that is refused by that has not acted, and says so ([`NotExecuted`](crate::NotExecuted)). Generations
/// begin at 1 again when an operation's record is over, so a fence is kept no longer than its `ttl`.
///
/// ```
/// use actix_web::{Error, HttpResponse, error::ErrorConflict, post, web};
/// use idempotency_actix::{Attempt, IdempotencyKey, NotExecuted, Recovery, idempotent};
///
/// # #[derive(Clone)] struct Ledger;
/// # impl Ledger {
/// #     async fn fence(&self, _operation: &str, _generation: u64) -> Option<u64> { None }
/// #     async fn charge(&self, _operation: &str, _generation: u64) -> Option<u64> { Some(1) }
/// # }
/// async fn look_up(ledger: web::Data<Ledger>, key: IdempotencyKey, attempt: Attempt) -> Recovery {
///     // Not the key itself: another caller may have chosen the same one.
///     let operation = key.derive("ledger");
///     // One transaction: refuse generations below this one from now on, then look.
///     match ledger.fence(&operation, attempt.generation()).await {
///         Some(charge) => Recovery::Completed(HttpResponse::Created().json(charge)),
///         None => Recovery::NotExecuted,
///     }
/// }
///
/// #[post("/charges")]
/// #[idempotent(recover = look_up)]
/// async fn create_charge(
///     ledger: web::Data<Ledger>,
///     key: IdempotencyKey,
///     attempt: Attempt,
/// ) -> Result<HttpResponse, Error> {
///     match ledger.charge(&key.derive("ledger"), attempt.generation()).await {
///         Some(charge) => Ok(HttpResponse::Created().json(charge)),
///         None => Err(NotExecuted::error(ErrorConflict("a later attempt decides"))),
///     }
/// }
/// ```
#[non_exhaustive]
pub enum Recovery {
    /// It took effect, and this is its answer from now on.
    Completed(HttpResponse),
    /// It did not take effect, and never will: the handler runs, one generation higher.
    NotExecuted,
    /// Nobody can tell. The retry is answered 500 `outcome-unknown`, and the next one asks again.
    StillUnknown,
}

/// Shows the status of an answer: its headers may hold personal data.
impl fmt::Debug for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Completed(response) => {
                let status = response.status().as_u16();
                f.debug_tuple("Completed").field(&status).finish()
            }
            Self::NotExecuted => f.write_str("NotExecuted"),
            Self::StillUnknown => f.write_str("StillUnknown"),
        }
    }
}

/// An error is [`Recovery::StillUnknown`], and is logged with its status; its text, which may hold what the
/// client sent, goes to the level `debug`.
impl<E: Into<Error>> From<Result<Recovery, E>> for Recovery {
    fn from(result: Result<Recovery, E>) -> Self {
        result.unwrap_or_else(|error| {
            let error = error.into();
            let status = error.as_response_error().status_code().as_u16();
            tracing::error!(
                status,
                "a recovery failed, and the outcome is still unknown"
            );
            tracing::debug!(%error, "why it failed");
            Self::StillUnknown
        })
    }
}

/// A function, with extractors of its own, that finds out what became of a request.
#[diagnostic::on_unimplemented(
    message = "the option `recover` cannot take this function",
    label = "expected an async function that returns a `Recovery`",
    note = "expected `async fn(..) -> Recovery` or `async fn(..) -> Result<Recovery, E>`",
    note = "where each argument is an extractor, and `E` implements `Into<actix_web::Error>`"
)]
pub trait Recover: Send + Sync {
    /// Finds it out; the error is the extractors'.
    fn call<'a>(
        &'a self,
        request: &'a HttpRequest,
        body: Bytes,
    ) -> LocalBoxFuture<'a, Result<Recovery, Error>>;

    /// Tells one function from another.
    fn kind(&self) -> TypeId
    where
        Self: 'static,
    {
        TypeId::of::<Self>()
    }
}

#[diagnostic::do_not_recommend]
impl<F, Args> Recover for By<F, Args>
where
    F: Handler<Args> + Send + Sync,
    F::Output: Into<Recovery>,
    Args: FromRequest,
{
    fn call<'a>(
        &'a self,
        request: &'a HttpRequest,
        body: Bytes,
    ) -> LocalBoxFuture<'a, Result<Recovery, Error>> {
        Box::pin(async move {
            let mut payload = unread(body);
            let args = Args::from_request(request, &mut payload).await;
            Ok(self.0.call(args.map_err(Into::into)?).await.into())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_the_status_only() {
        let answer = HttpResponse::Created()
            .insert_header(("location", "/people/jane"))
            .body("jane");
        let shown = format!("{:?}", Recovery::Completed(answer));
        assert_eq!(shown, "Completed(201)");
    }
}
