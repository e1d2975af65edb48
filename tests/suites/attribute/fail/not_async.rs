use actix_web::{HttpResponse, Responder, post};
use idempotency_actix::idempotent;

#[post("/a")]
#[idempotent]
fn answers() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[post("/b")]
#[idempotent]
fn responds() -> impl Responder {
    "ok"
}

#[post("/c")]
#[idempotent]
fn fails() -> actix_web::Result<&'static str> {
    Ok("ok")
}

#[idempotent]
fn nothing() {}

fn main() {}
