use actix_web::HttpResponse;
use idempotency_actix::idempotent;

#[idempotent(transaction = "strict")]
async fn first() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(transaction = serializable)]
async fn second() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(transaction = true)]
async fn third() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(transaction)]
async fn fourth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {
    let _ = (first, second, third, fourth);
}
