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

fn main() {
    let _ = (first, second);
}
