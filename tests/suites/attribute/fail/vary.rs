use actix_web::HttpResponse;
use idempotency_actix::idempotent;

#[idempotent(vary = "host")]
async fn first() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(vary = [":authority", "x a", host, "host", ""])]
async fn second() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(vary)]
async fn third() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {
    let _ = (first, second, third);
}
