use actix_web::HttpResponse;
use idempotency_actix::idempotent;

#[idempotent(tll = "1h")]
async fn first() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(retention = "1h")]
async fn second() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {
    let _ = (first, second);
}
