//! A mistake in the attribute stays the only error: the function can still be routed and called.

use actix_web::{App, HttpResponse, post, web};
use idempotency_actix::idempotent;

#[post("/above")]
#[idempotent(ttl = 1)]
async fn above(_: web::Bytes) -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(ttl = 2)]
#[post("/below")]
async fn below(_: web::Bytes) -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(ttl = 3, inner = kept_inner)]
async fn kept<T: 'static>(_: web::Data<T>) -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {
    let _ = App::new()
        .service(above)
        .service(below)
        .route("/kept", web::post().to(kept::<usize>));
    let _ = kept_inner(web::Data::new(1));
}
