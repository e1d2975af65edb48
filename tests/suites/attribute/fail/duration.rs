use actix_web::HttpResponse;
use idempotency_actix::idempotent;

#[idempotent(ttl = 5)]
async fn first() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(ttl = 24h)]
async fn second() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(ttl = TTL)]
async fn third() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(ttl = "soon")]
async fn fourth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(ttl = "11years")]
async fn fifth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(ttl = "0s")]
async fn sixth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(ttl = "1500us")]
async fn seventh() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {
    let _ = (first, second, third, fourth, fifth, sixth, seventh);
}
