//! Attributes of other crates and of the compiler, on either side.

#![deny(warnings, unfulfilled_lint_expectations)]

use actix_web::{App, HttpResponse, Responder, post, test, web};
use idempotency_actix::{Idempotency, KeyScope, MemoryStore, idempotent};

#[tracing::instrument]
#[idempotent]
async fn instrument_above(amount: web::Path<u32>) -> impl Responder {
    amount.to_string()
}

#[idempotent]
#[tracing::instrument(skip_all, fields(amount = %amount), err)]
async fn instrument_below(amount: web::Path<u32>) -> Result<String, actix_web::Error> {
    Ok(amount.to_string())
}

/// Says more.
#[must_use]
#[doc(alias = "lints")]
#[allow(non_snake_case)]
#[idempotent]
#[inline]
#[expect(unused_variables)]
#[cfg_attr(all(), tracing::instrument(skip_all), doc = "And more.")]
#[cfg(any(unix, windows))]
async fn Lints(amount: web::Path<u32>) -> HttpResponse {
    let unused = 1;
    HttpResponse::Ok().body(amount.to_string())
}

#[idempotent(inner = lints_inner)]
#[expect(unused_variables)]
#[allow(unused_mut)]
#[post("/lints_beside/{amount}")]
#[cfg(any(unix, windows))]
async fn lints_beside(mut amount: web::Path<u32>) -> HttpResponse {
    let unused = 1;
    HttpResponse::Ok().body(amount.to_string())
}

#[deprecated = "use another"]
#[idempotent(inner = old_inner)]
async fn old(amount: web::Path<u32>) -> String {
    amount.to_string()
}

#[expect(dead_code)]
#[idempotent]
async fn not_routed() -> &'static str {
    "not routed"
}

#[idempotent]
#[cfg(any())]
async fn left_out() -> Missing {
    missing()
}

#[idempotent]
async fn inner_attribute(amount: web::Path<u32>) -> String {
    #![allow(unused_variables)]
    let unused = 1;
    amount.to_string()
}

#[actix_web::main]
async fn main() {
    #[expect(deprecated)]
    let app = App::new()
        .wrap(Idempotency::new(MemoryStore::new(), KeyScope::everyone()))
        .service(lints_beside)
        .route(
            "/instrument_above/{amount}",
            web::post().to(instrument_above),
        )
        .route(
            "/instrument_below/{amount}",
            web::post().to(instrument_below),
        )
        .route("/lints/{amount}", web::post().to(Lints))
        .route("/old/{amount}", web::post().to(old))
        .route("/inner_attribute/{amount}", web::post().to(inner_attribute));
    let app = test::init_service(app).await;
    for path in [
        "/instrument_above/7",
        "/instrument_below/7",
        "/lints/7",
        "/lints_beside/7",
        "/old/7",
        "/inner_attribute/7",
    ] {
        let request = test::TestRequest::post().uri(path).to_request();
        let body = test::call_and_read_body(&app, request).await;
        assert_eq!(body, "7", "{path}");
    }
    assert_eq!(old_inner(web::Path::from(8)).await, "8");
    drop(lints_inner(web::Path::from(8)).await);
}
