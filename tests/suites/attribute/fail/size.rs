use actix_web::HttpResponse;
use idempotency_actix::idempotent;

#[idempotent(max_body = "2 bananas")]
async fn first() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(max_body = 0)]
async fn second() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(max_response = "0B")]
async fn third() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(max_body = 2MiB)]
async fn fourth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(max_response = true)]
async fn fifth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(max_body = -1)]
async fn sixth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(max_body = 99999999999999999999)]
async fn seventh() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {
    let _ = (first, second, third, fourth, fifth, sixth, seventh);
}
