//! Functions that `scope` cannot use.

use actix_web::{HttpRequest, HttpResponse};
use idempotency_actix::idempotent;

struct NotSignedIn;

fn two_arguments(_: &HttpRequest, _: &[u8]) -> Option<String> {
    None
}

fn by_value(_: HttpRequest) -> Option<String> {
    None
}

fn text(_: &HttpRequest) -> String {
    String::new()
}

fn number(_: &HttpRequest) -> Option<f64> {
    None
}

fn error(_: &HttpRequest) -> Result<String, NotSignedIn> {
    Err(NotSignedIn)
}

async fn later(_: &HttpRequest) -> Option<String> {
    None
}

#[idempotent(scope = two_arguments)]
async fn first() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(scope = by_value)]
async fn second() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(scope = text)]
async fn third() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(scope = self::number)]
async fn fourth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(scope = error)]
async fn fifth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(scope = later)]
async fn sixth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {
    let _ = (first, second, third, fourth, fifth, sixth);
}
