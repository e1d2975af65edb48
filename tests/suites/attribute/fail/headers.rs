use actix_web::HttpResponse;
use idempotency_actix::idempotent;

#[idempotent(drop_headers = ["x-request-id"], keep_headers = [])]
async fn first() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(drop_headers = ["x-request-id", "Content-Type"])]
async fn second() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(keep_headers = "x-version")]
async fn third() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {
    let _ = (first, second, third);
}
