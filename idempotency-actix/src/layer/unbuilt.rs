//! A builder where a layer is expected: it does not compile, and the compiler says what is missing.

use std::future::Ready;

use actix_web::Error;
use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};

use super::builder::IdempotencyBuilder;
use super::idempotency::Idempotency;
use super::middleware::IdempotencyService;

/// A service that a builder could be wrapped around: there is none.
#[diagnostic::on_unimplemented(
    message = "the layer is not built yet: a builder cannot be wrapped",
    label = "call `.build()` on it first",
    note = "build it once, outside of the closure of `HttpServer::new`, and wrap a clone of the layer"
)]
pub trait TakesBuilder: Sized {
    /// The layer that the builder would make.
    fn build(builder: &IdempotencyBuilder) -> Idempotency;
}

#[doc(hidden)]
impl<S, B> Transform<S, ServiceRequest> for IdempotencyBuilder
where
    S: TakesBuilder
        + Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>
        + 'static,
    S::Future: 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Transform = IdempotencyService<S>;
    type InitError = ();
    type Future = Ready<Result<IdempotencyService<S>, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        S::build(self).new_transform(service)
    }
}
