//! Functions that `on_replay` cannot use.

use actix_web::{HttpRequest, HttpResponse};
use idempotency_actix::idempotent;

fn of_request(_: &HttpRequest) -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn boxed(_: &HttpRequest, _: &[u8], replay: HttpResponse) -> HttpResponse {
    replay
}

#[idempotent(on_replay = of_request)]
async fn first() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(on_replay = boxed)]
async fn second() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(on_replay = "boxed")]
async fn third() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {
    let _ = (first, second, third);
}
