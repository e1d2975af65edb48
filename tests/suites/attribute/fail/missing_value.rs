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

#[idempotent(key_header)]
async fn seventh() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(key)]
async fn eighth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(scope)]
async fn ninth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(fingerprint)]
async fn tenth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(wait)]
async fn eleventh() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(max_in_flight)]
async fn twelfth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(on_unknown)]
async fn thirteenth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(recover)]
async fn fourteenth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {
    let _ = (
        first, second, third, fourth, fifth, sixth, seventh, eighth, ninth, tenth, eleventh,
        twelfth, thirteenth, fourteenth,
    );
}
