use actix_web::HttpResponse;
use idempotency_actix::idempotent;

#[idempotent(lease = "1ms")]
async fn first() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(lease = "25h")]
async fn second() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {
    let _ = (first, second);
}
