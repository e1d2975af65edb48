use actix_web::HttpResponse;
use idempotency_actix::idempotent;

#[idempotent(ttl = "1h")]
#[idempotent(required)]
async fn twice() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent]
#[idempotency_actix::idempotent]
async fn qualified() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {
    let _ = (twice, qualified);
}
