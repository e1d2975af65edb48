//! Functions that `recover` cannot use.

use actix_web::HttpResponse;
use idempotency_actix::{Recovery, idempotent};

struct Unreachable;

fn not_async() -> Recovery {
    Recovery::NotExecuted
}

async fn no_recovery() -> HttpResponse {
    HttpResponse::Ok().finish()
}

async fn option() -> Option<Recovery> {
    None
}

async fn no_extractor(_: u64) -> Recovery {
    Recovery::NotExecuted
}

async fn no_answer() -> Result<Recovery, Unreachable> {
    Err(Unreachable)
}

#[idempotent(recover = not_async)]
async fn first() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(recover = no_recovery)]
async fn second() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(recover = option)]
async fn third() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(recover = no_extractor)]
async fn fourth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(recover = self::no_answer)]
async fn fifth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {
    let _ = (first, second, third, fourth, fifth);
}
