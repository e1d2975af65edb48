//! Functions that `key` cannot use.

use actix_web::{HttpRequest, HttpResponse};
use idempotency_actix::idempotent;

const LIMIT: usize = 1;

fn no_argument() -> Option<String> {
    None
}

fn by_value(_: HttpRequest) -> Option<String> {
    None
}

fn text(_: &HttpRequest) -> String {
    String::new()
}

fn number(_: &HttpRequest) -> Option<u64> {
    None
}

async fn later(_: &HttpRequest) -> Option<String> {
    None
}

fn of_text(_: &HttpRequest, _: &str) -> Option<String> {
    None
}

#[idempotent(key = no_argument)]
async fn first() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(key = self::by_value)]
async fn second() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(key = text)]
async fn third() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(key = number)]
async fn fourth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(key = later)]
async fn fifth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(key = LIMIT)]
async fn sixth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(key = of_text)]
async fn seventh() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {
    let _ = (first, second, third, fourth, fifth, sixth, seventh);
}
