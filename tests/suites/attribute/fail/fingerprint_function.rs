//! Functions that `fingerprint` cannot use.

use actix_web::{HttpRequest, HttpResponse, web};
use idempotency_actix::idempotent;

fn body_only(body: &[u8]) -> Vec<u8> {
    body.to_vec()
}

fn owned_body(_: &HttpRequest, body: web::Bytes) -> web::Bytes {
    body
}

fn option(_: &HttpRequest, body: &[u8]) -> Option<Vec<u8>> {
    Some(body.to_vec())
}

fn number(_: &HttpRequest, body: &[u8]) -> usize {
    body.len()
}

#[idempotent(fingerprint = body_only)]
async fn first() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(fingerprint = owned_body)]
async fn second() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(fingerprint = option)]
async fn third() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(fingerprint = self::number)]
async fn fourth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {
    let _ = (first, second, third, fourth);
}
