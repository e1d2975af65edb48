//! The header of the key as a parameter of an operation.

use utoipa::IntoParams;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};

use crate::request::MAX_KEY;

/// Its name as documents write it.
pub(super) const NAME: &str = "Idempotency-Key";

/// The parameter `Idempotency-Key` of an operation that also takes requests without one: `params(IdempotencyKeyParam)`.
///
/// # Examples
///
/// See the [module](crate::openapi).
#[derive(Clone, Copy, Debug)]
pub struct IdempotencyKeyParam;

/// The parameter `Idempotency-Key` of an operation that refuses requests without one, as those of a handler that is
/// marked `#[idempotent(required)]`.
#[derive(Clone, Copy, Debug)]
pub struct RequiredIdempotencyKeyParam;

impl IntoParams for IdempotencyKeyParam {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![parameter(Required::False)]
    }
}

impl IntoParams for RequiredIdempotencyKeyParam {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![parameter(Required::True)]
    }
}

fn parameter(required: Required) -> Parameter {
    let schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(MAX_KEY));
    ParameterBuilder::new()
        .name(NAME)
        .parameter_in(ParameterIn::Header)
        .required(required)
        .description(Some(
            "Names one operation: new for each, and the same with every retry of it, which is then \
             answered as the first request was. A UUID serves well; quotes around it are no part of it.",
        ))
        .schema(Some(schema))
        .example(Some("\"8f14e45f-ceea-467f-9a4c-02f1f2a1a3c0\"".into()))
        .build()
}
