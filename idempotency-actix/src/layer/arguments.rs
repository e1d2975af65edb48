//! The arguments of a marked handler, extracted from a body that was read. They are not looked at here.

use std::panic::AssertUnwindSafe;

use actix_web::web::Bytes;
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use futures_util::FutureExt;

use super::in_transaction::offering;
use crate::answer::{answer_of, drop_marks, panicked};
use crate::request::unread;

/// The handler's arguments, or the answer where there are none.
pub(super) async fn extract<Args: FromRequest>(
    request: &HttpRequest,
    body: Bytes,
) -> Result<Args, Box<HttpResponse>> {
    let mut payload = unread(body);
    let extract = async { Args::from_request(request, &mut payload).await };
    match AssertUnwindSafe(offering(extract)).catch_unwind().await {
        Ok(Ok(args)) => Ok(args),
        Ok(Err(error)) => {
            let mut answer = answer_of(error.into());
            drop_marks(answer.headers_mut());
            Err(Box::new(answer))
        }
        Err(panic) => Err(Box::new(panicked(&*panic))),
    }
}
