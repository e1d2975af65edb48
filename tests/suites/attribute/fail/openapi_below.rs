use actix_web::HttpResponse;
use idempotency_actix::idempotent;

#[idempotent]
#[utoipa::path(post, path = "/below", responses((status = 200)))]
async fn below() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent]
#[cfg_attr(all(), ::utoipa::path(post, path = "/conditional", responses((status = 200))))]
async fn conditional() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {
    let _ = (below, conditional);
}
