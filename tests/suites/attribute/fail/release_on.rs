use actix_web::HttpResponse;
use idempotency_actix::idempotent;

#[idempotent(release_on = 429)]
async fn first() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(release_on = [500..600])]
async fn second() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(release_on = [429..])]
async fn third() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(release_on = [200, "429", 500..=600])]
async fn fourth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(release_on = [599..=500])]
async fn fifth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {
    let _ = (first, second, third, fourth, fifth);
}
