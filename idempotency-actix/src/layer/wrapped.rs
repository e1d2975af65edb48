//! Marked mode at the layer: a handler's answer is finished where it passes. It does not know how the handler was
//! admitted.

use std::future::Future;
use std::panic::{AssertUnwindSafe, resume_unwind};

use actix_web::Error;
use actix_web::HttpResponse;
use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::ServiceResponse;
use actix_web::error::InternalError;
use futures_util::FutureExt;

use super::worker::formed;
use crate::answer::{AsError, drop_marks, panicked, rendered};
use crate::run::{Unfinished, handed_up};
use crate::telemetry;

/// What comes out of a layer.
pub(super) type Outcome<B> = Result<ServiceResponse<EitherBody<B>>, Error>;

/// Calls what the layer wraps, and finishes the answer of a marked handler that ran inside.
pub(super) async fn finish_inside<B>(
    call: impl Future<Output = Result<ServiceResponse<B>, Error>>,
) -> Outcome<B>
where
    B: MessageBody + 'static,
{
    let called = AssertUnwindSafe(call).catch_unwind().await;
    match (handed_up(), called) {
        (Some(finishing), called) => Box::pin(finish(finishing, called)).await,
        (None, Ok(Ok(response))) if AsError::is_marked(response.response()) => {
            let (_, replay) = response.into_parts();
            let replay = replay.map_into_boxed_body();
            Err(InternalError::from_response("replayed error", replay).into())
        }
        (None, Ok(result)) => result.map(ServiceResponse::map_into_left_body),
        // No operation is known to be under way, so this is none of the layer's business.
        (None, Err(panic)) => resume_unwind(panic),
    }
}

/// The same for a request of an all-routes layer that has no key for it. Marks that are no outcome's are not the layer's.
pub(super) async fn finish_unkeyed<B>(
    call: impl Future<Output = Result<ServiceResponse<B>, Error>>,
) -> Outcome<B>
where
    B: MessageBody + 'static,
{
    let mut outcome = finish_inside(call).await;
    if let Ok(response) = &mut outcome {
        let response = response.response_mut();
        if !response.extensions().contains::<telemetry::Outcome>() {
            drop_marks(response.headers_mut());
        }
    }
    outcome
}

/// What came out: what was asked for, or a panic.
type Called<B> = std::thread::Result<Result<ServiceResponse<B>, Error>>;

async fn finish<B>(mut finishing: Box<Unfinished>, called: Called<B>) -> Outcome<B>
where
    B: MessageBody + 'static,
{
    match called {
        Ok(Ok(mut response)) if response.status() == finishing.status() => {
            let passed = finishing.pass().await;
            match passed.mark_passed(response.response_mut(), finishing.options()) {
                Some(answer) => {
                    let answer = formed(answer, response.request());
                    Ok(response.into_response(answer).map_into_right_body())
                }
                None => Ok(response.map_into_left_body()),
            }
        }
        // Another answer than the handler's came out, so this is what every retry gets.
        Ok(Ok(response)) => {
            let (request, response) = response.into_parts();
            let mut response = response.map_into_boxed_body();
            Box::pin(finishing.replace(&mut response)).await;
            let response = formed(response, &request);
            Ok(ServiceResponse::new(request, response).map_into_right_body())
        }
        Ok(Err(error)) => {
            let mut response = rendered(&error);
            AsError::mark(&mut response);
            Box::pin(finishing.replace(&mut response)).await;
            Err(InternalError::from_response(error, response).into())
        }
        Err(panic) => {
            let mut response: HttpResponse = panicked(&*panic);
            AsError::mark(&mut response);
            Box::pin(finishing.replace(&mut response)).await;
            Err(InternalError::from_response("inner middleware panicked", response).into())
        }
    }
}
