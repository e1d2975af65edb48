use actix_web::HttpResponse;
use idempotency_actix::idempotent;

#[idempotent(max_in_flight = 0)]
async fn first() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(max_in_flight = -1)]
async fn second() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(max_in_flight = "10")]
async fn third() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(max_in_flight = 1.5)]
async fn fourth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(max_in_flight = 10u8)]
async fn fifth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(max_in_flight = LIMIT)]
async fn sixth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(max_in_flight = 99999999999999999999)]
async fn seventh() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {
    let _ = (first, second, third, fourth, fifth, sixth, seventh);
}
