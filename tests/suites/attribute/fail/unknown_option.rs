use actix_web::HttpResponse;
use idempotency_actix::idempotent;

#[idempotent(tll = "1h")]
async fn first() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(retention = "1h")]
async fn second() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(recovery = look_up)]
async fn third() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(key_headers = "webhook-id")]
async fn fourth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(fingerprints = "json")]
async fn fifth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(on_failure = "run")]
async fn sixth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {
    let _ = (first, second, third, fourth, fifth, sixth);
}
