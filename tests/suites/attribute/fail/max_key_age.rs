use actix_web::HttpResponse;
use idempotency_actix::idempotent;

#[idempotent(max_key_age = "2h", ttl = "1h")]
async fn first() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(key_format = "uuid", max_key_age = "1h")]
async fn second() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(max_key_age = 3600)]
async fn third() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(first_sent_header = "first sent")]
async fn fourth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(key_format = is_key, max_key_age = "11years", ttl = "10years")]
async fn fifth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {
    let _ = (first, second, third, fourth, fifth);
}
