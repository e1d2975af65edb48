use actix_web::HttpResponse;
use idempotency_actix::idempotent;

#[idempotent(key_format = "uuid4")]
async fn first() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(key_format = 7)]
async fn second() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(key_format)]
async fn third() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {
    let _ = (first, second, third);
}
