use actix_web::HttpResponse;
use idempotency_actix::idempotent;

#[idempotent("24h")]
async fn first() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(ttl = "1h" lease = "1s")]
async fn second() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(ttl("1h"))]
async fn third() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(ttl = , required)]
async fn fourth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(inner = fn)]
async fn fifth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {
    let _ = (first, second, third, fourth, fifth);
}
