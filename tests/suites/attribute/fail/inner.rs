use actix_web::HttpResponse;
use idempotency_actix::idempotent;

#[idempotent(inner = "raw")]
async fn first() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(inner = raw::handler)]
async fn second() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(inner = self)]
async fn third() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(inner = fourth)]
async fn fourth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {
    let _ = (first, second, third, fourth);
}
