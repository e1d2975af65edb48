use actix_web::HttpResponse;
use idempotency_actix::idempotent;

#[idempotent(ttl = "1h", ttl = "2h")]
async fn first() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(required, lease = "1s", required = false)]
async fn second() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(key = a, key = b)]
async fn third() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(wait = "1s", wait = "2s")]
async fn fourth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {
    let _ = (first, second, third, fourth);
}
