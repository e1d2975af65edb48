use actix_web::HttpResponse;
use idempotency_actix::idempotent;

#[idempotent(on_unknown = "reject", recover = look_up)]
async fn first() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(recover = look_up, required, on_unknown = "rerun")]
async fn second() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {
    let _ = (first, second);
}
