use actix_web::HttpResponse;
use idempotency_actix::idempotent;

#[idempotent(wait = 5)]
async fn first() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(wait = "6m")]
async fn second() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(wait = "1500us")]
async fn third() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(wait = "-1s")]
async fn fourth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(wait = false)]
async fn fifth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {
    let _ = (first, second, third, fourth, fifth);
}
