use actix_web::HttpResponse;
use idempotency_actix::idempotent;

#[idempotent(recover = "look_up")]
async fn first() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(recover = look_up())]
async fn second() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(recover = async || Recovery::NotExecuted)]
async fn third() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(key = "event_id")]
async fn fourth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(key = |_| None)]
async fn fifth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(key = self)]
async fn sixth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(scope = "tenant")]
async fn seventh() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(scope = 1)]
async fn eighth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(scope = true)]
async fn ninth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(scope = [tenant])]
async fn tenth() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(scope = &tenant)]
async fn eleventh() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {
    let _ = (
        first, second, third, fourth, fifth, sixth, seventh, eighth, ninth, tenth, eleventh,
    );
}
