//! Functions that return a borrow of the request.

use actix_web::{HttpRequest, HttpResponse};
use idempotency_actix::idempotent;

fn key(request: &HttpRequest) -> Option<&str> {
    Some(request.path())
}

fn tenant(request: &HttpRequest) -> Option<&str> {
    Some(request.path())
}

fn payload<'a>(_: &HttpRequest, body: &'a [u8]) -> &'a [u8] {
    body
}

fn form(key: &str) -> Result<(), &str> {
    Err(key)
}

#[idempotent(key = key)]
async fn first() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(scope = tenant)]
async fn second() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(fingerprint = payload)]
async fn third() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(key_format = form)]
async fn fourth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {
    let _ = (first, second, third, fourth);
}
