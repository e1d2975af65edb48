//! Who sends a request, as an application's authentication finds it.

use std::future::{Ready, ready};

use actix_web::body::MessageBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::ErrorUnauthorized;
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest};

/// Who authentication found: the `Authorization` line, for the tests' sake.
#[derive(Clone, Debug)]
pub struct Account(pub String);

fn account(request: &HttpRequest) -> Result<Account, Error> {
    let line = request.headers().get("authorization");
    let name = line.and_then(|line| line.to_str().ok());
    let name = name.filter(|name| *name != "refused");
    name.map(|name| Account(name.to_owned()))
        .ok_or_else(|| ErrorUnauthorized("sign in first"))
}

/// As an extractor it answers 401 or puts the account where the scope finds it.
impl FromRequest for Account {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let account = account(request);
        if let Ok(account) = &account {
            request.extensions_mut().insert(account.clone());
        }
        ready(account)
    }
}

/// As middleware it does the same around whatever is inside.
pub async fn authenticate(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let account = account(request.request())?;
    request.extensions_mut().insert(account);
    next.call(request).await
}

/// What `KeyScope::by` is given.
pub fn principal(request: &HttpRequest) -> Option<String> {
    request.extensions().get::<Account>().map(|a| a.0.clone())
}
