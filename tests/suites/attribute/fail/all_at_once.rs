use actix_web::HttpResponse;
use idempotency_actix::idempotent;

#[idempotent(ttl = 5, leas = "1s", required = 1, release_on = [200, 500..600], required, associated = true)]
async fn first() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(key = 1, key_header = "a b", wait = "1h", max_in_flight = 0, scope = "tenant")]
async fn second() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {
    let _ = (first, second);
}
