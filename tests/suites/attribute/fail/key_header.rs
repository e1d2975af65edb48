use actix_web::HttpResponse;
use idempotency_actix::idempotent;

#[idempotent(key_header = "")]
async fn first() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(key_header = "webhook id")]
async fn second() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(key_header = ":path")]
async fn third() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(key_header = "ключ")]
async fn fourth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(key_header = webhook_id)]
async fn fifth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(key_header = 1)]
async fn sixth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {
    let _ = (first, second, third, fourth, fifth, sixth);
}
