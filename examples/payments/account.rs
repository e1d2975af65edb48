//! Who is calling: what a real service does with sessions or tokens.

use std::future::{Ready, ready};

use actix_web::body::MessageBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::ErrorUnauthorized;
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest};
use serde::{Deserialize, Serialize};

/// The principal. It owns the idempotency keys, and outlives the credential that proves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct AccountId(pub(crate) u64);

/// The accounts of this example. The first one has rotated its credential: both name one account, so
/// a retry with the new one still finds the answer of the first try.
fn look_up(api_key: &str) -> Option<AccountId> {
    match api_key {
        "demo-key-1" | "demo-key-1-rotated" => Some(AccountId(1)),
        "demo-key-2" => Some(AccountId(2)),
        _ => None,
    }
}

/// Puts the account into the request's extensions, or answers 401.
pub(crate) async fn authenticate(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let api_key = request.headers().get("x-api-key");
    let account = api_key.and_then(|value| look_up(value.to_str().ok()?));
    let account = account.ok_or_else(|| {
        ErrorUnauthorized("send 'X-Api-Key: demo-key-1' (or demo-key-1-rotated, demo-key-2)\n")
    })?;
    request.extensions_mut().insert(account);
    next.call(request).await
}

/// What the idempotency layer scopes keys by.
pub(crate) fn principal(request: &HttpRequest) -> Option<u64> {
    let extensions = request.extensions();
    extensions.get().map(|AccountId(id)| *id)
}

impl FromRequest for AccountId {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let account = request.extensions().get().copied();
        ready(account.ok_or_else(|| ErrorUnauthorized("not signed in\n")))
    }
}
