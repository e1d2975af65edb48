use actix_web::HttpResponse;
use idempotency_actix::idempotent;

#[idempotent(ttl)]
async fn first() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(lease)]
async fn second() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(release_on)]
async fn third() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(max_body)]
async fn fourth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(max_response)]
async fn fifth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(inner)]
async fn sixth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {
    let _ = (first, second, third, fourth, fifth, sixth);
}
