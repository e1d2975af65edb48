//! Functions that `key_format` cannot use.

use actix_web::{HttpRequest, HttpResponse};
use idempotency_actix::idempotent;

fn number(_: &str) -> u64 {
    0
}

fn of_request(_: &HttpRequest) -> bool {
    true
}

#[idempotent(key_format = number)]
async fn first() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(key_format = of_request)]
async fn second() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {
    let _ = (first, second);
}
