use actix_web::HttpResponse;
use idempotency_actix::idempotent;

#[idempotent(on_store_failure = "retry")]
async fn first() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(on_store_failure = run)]
async fn second() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(on_store_failure)]
async fn third() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(on_unknown = "run")]
async fn fourth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(on_unknown = rerun)]
async fn fifth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(on_unknown = true)]
async fn sixth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(record = "body")]
async fn seventh() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {
    let _ = (first, second, third, fourth, fifth, sixth, seventh);
}
