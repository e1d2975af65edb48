//! The extractor of the attempt. It knows whether it is current, and not how a claim is renewed.

use std::fmt;
use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest};

use super::uncovered::no_key;
use crate::run::Context;

/// The attempt that a handler runs under: its fencing generation, and whether it is still the owner.
///
/// A handler takes it as an argument, or `Option<Attempt>` where the key is optional.
///
/// # Errors
///
/// Extraction answers 400 `missing-key` if the request has no key, and 500 outside of a handler that
/// the layer covers.
///
/// # Examples
///
/// ```
/// use actix_web::{HttpResponse, Responder};
/// use idempotency_actix::{Attempt, idempotent};
///
/// #[idempotent]
/// async fn export(attempt: Attempt) -> impl Responder {
///     for _page in 0..3 {
///         // A long job looks now and then whether the answer is still its own to give.
///         if !attempt.is_current() {
///             return HttpResponse::Conflict().finish();
///         }
///     }
///     HttpResponse::Created().finish()
/// }
/// ```
#[derive(Clone)]
pub struct Attempt(pub(super) Arc<Context>);

impl Attempt {
    /// The fencing generation: 1, and one more at every takeover of the operation. 0 inside an
    /// extractor, since nothing is claimed before the arguments are there.
    pub fn generation(&self) -> u64 {
        self.0.run().map_or(0, |run| run.generation)
    }

    /// Whether the store still had this attempt as the owner at the last renewal, a third of the
    /// lease ago at most while the store answers.
    pub fn is_current(&self) -> bool {
        self.0.run().is_some_and(|run| !run.lease.is_lost())
    }
}

/// Shows the generation: the key is with the attempt, and is not for logs.
impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Attempt(#{})", self.generation())
    }
}

impl FromRequest for Attempt {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let context = Context::of(&request.extensions()).cloned();
        ready(match context {
            Some(context) => Ok(Self(context)),
            None => Err(no_key("Attempt", request)),
        })
    }
}
