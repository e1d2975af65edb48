use actix_web::HttpResponse;
use idempotency_actix::idempotent;

#[idempotent(required = "yes")]
async fn first() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(associated = true)]
async fn second() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(required =, ttl = "1h")]
async fn third() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(keep_cookies = 1)]
async fn fourth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(strict_keys = "yes")]
async fn fifth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(strict_keys = 0)]
async fn sixth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {
    let _ = (first, second, third, fourth, fifth, sixth);
}
