use actix_web::HttpResponse;
use idempotency_actix::idempotent;

#[idempotent(fingerprint = "body")]
async fn first() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(fingerprint = 1)]
async fn second() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(fingerprint = true)]
async fn third() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(fingerprint = ["bytes"])]
async fn fourth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(fingerprint = |_, body| body.to_vec())]
async fn fifth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(fingerprint = payload())]
async fn sixth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {
    let _ = (first, second, third, fourth, fifth, sixth);
}
