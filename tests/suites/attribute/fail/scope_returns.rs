//! What a scope's function returns that tells no caller.

use actix_web::HttpRequest;
use idempotency_actix::{Caller, KeyScope, idempotent};

struct AccountId(u64);

fn borrowed(request: &HttpRequest) -> Option<&str> {
    request.match_info().get("tenant")
}

#[idempotent(scope = borrowed)]
async fn first() -> &'static str {
    ""
}

fn main() {
    let _ = first;
    let _ = KeyScope::by(|_: &HttpRequest| Some(AccountId(1)));
    let _ = KeyScope::by(|_| Some(1.5));
    let _ = KeyScope::try_by(|_| Ok::<_, actix_web::Error>(AccountId(1)));
    let _ = KeyScope::by(borrowed);
    let _ = Caller::principal(AccountId(1));
}
