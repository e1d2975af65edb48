//! Functions that are not there.

use actix_web::HttpResponse;
use idempotency_actix::idempotent;

#[idempotent(key = event_id)]
async fn first() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(scope = callers::tenant)]
async fn second() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(fingerprint = json)]
async fn third() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(recover = Self::look_up)]
async fn fourth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {
    let _ = (first, second, third, fourth);
}
