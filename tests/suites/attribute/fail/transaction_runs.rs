use actix_web::HttpResponse;
use idempotency_actix::idempotent;

#[idempotent(transaction_runs = 0)]
async fn first() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(transaction_runs = -1)]
async fn second() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(transaction_runs = "3")]
async fn third() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(transaction_runs = 1.5)]
async fn fourth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(transaction_runs = RUNS)]
async fn fifth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(transaction_runs)]
async fn sixth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {
    let _ = (first, second, third, fourth, fifth, sixth);
}
