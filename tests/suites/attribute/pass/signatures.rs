//! Every shape of function that actix-web accepts as a handler.

#![deny(warnings)]

use std::future::{Future, Ready, ready};

use actix_web::http::StatusCode;
use actix_web::{App, HttpRequest, HttpResponse, Responder, error, test, web};
use idempotency_actix::{Idempotency, KeyScope, MemoryStore, idempotent};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Order {
    amount: u32,
}

#[idempotent]
async fn none() -> &'static str {
    "none"
}

#[idempotent()]
async fn patterns(
    place: web::Path<(String, u32)>,
    web::Json(Order { amount }): web::Json<Order>,
    mut note: web::Query<Vec<(String, String)>>,
) -> impl Responder {
    let (shop, id) = place.into_inner();
    note.push(("end".into(), "1".into()));
    format!("{shop} {id} {amount} {}", note.len())
}

#[idempotent]
async fn result(order: web::Json<Order>) -> Result<impl Responder, actix_web::Error> {
    if order.amount == 0 {
        return Err(error::ErrorPaymentRequired("amount"));
    }
    let doubled = Ok::<u32, actix_web::Error>(order.amount * 2)?;
    Ok(web::Json(Order { amount: doubled }))
}

#[idempotent]
async fn named_result() -> Result<HttpResponse, error::Error> {
    Ok(HttpResponse::Created().finish())
}

#[idempotent]
async fn unit() -> Result<(), error::Error> {
    Ok(())
}

#[idempotent]
#[allow(clippy::manual_async_fn)]
fn future(order: web::Json<Order>) -> impl Future<Output = String> {
    async move { order.amount.to_string() }
}

#[idempotent]
fn named_future() -> Ready<HttpResponse> {
    ready(HttpResponse::Accepted().finish())
}

#[idempotent]
async fn r#type() -> &'static str {
    "raw"
}

#[idempotent]
#[allow(clippy::too_many_arguments)]
async fn sixteen(
    _: HttpRequest,
    _: HttpRequest,
    _: HttpRequest,
    _: HttpRequest,
    _: HttpRequest,
    _: HttpRequest,
    _: HttpRequest,
    _: HttpRequest,
    _: HttpRequest,
    _: HttpRequest,
    _: HttpRequest,
    _: HttpRequest,
    _: HttpRequest,
    _: HttpRequest,
    _: HttpRequest,
    last: web::Json<Order>,
) -> String {
    last.amount.to_string()
}

mod routes {
    pub(crate) mod deep {
        #[idempotency_actix::idempotent]
        pub(in crate::routes) async fn restricted() -> &'static str {
            "restricted"
        }

        #[idempotency_actix::idempotent]
        pub(crate) async fn visible() -> &'static str {
            "visible"
        }
    }

    pub(crate) fn configure(config: &mut actix_web::web::ServiceConfig) {
        config.route("/restricted", actix_web::web::post().to(deep::restricted));
    }
}

#[actix_web::main]
async fn main() {
    let app = App::new()
        .wrap(Idempotency::new(MemoryStore::new(), KeyScope::everyone()))
        .configure(routes::configure)
        .route("/none", web::post().to(none))
        .route("/patterns/{shop}/{id}", web::post().to(patterns))
        .route("/result", web::post().to(result))
        .route("/named_result", web::post().to(named_result))
        .route("/unit", web::post().to(unit))
        .route("/future", web::post().to(future))
        .route("/named_future", web::post().to(named_future))
        .route("/raw", web::post().to(r#type))
        .route("/sixteen", web::post().to(sixteen))
        .route("/visible", web::post().to(routes::deep::visible));
    let app = test::init_service(app).await;
    for (path, amount, status, body) in [
        ("/none", 1, StatusCode::OK, "none"),
        ("/patterns/kiosk/7?a=b", 3, StatusCode::OK, "kiosk 7 3 2"),
        ("/result", 2, StatusCode::OK, r#"{"amount":4}"#),
        ("/result", 0, StatusCode::PAYMENT_REQUIRED, "amount"),
        ("/named_result", 1, StatusCode::CREATED, ""),
        ("/unit", 1, StatusCode::NO_CONTENT, ""),
        ("/future", 5, StatusCode::OK, "5"),
        ("/named_future", 5, StatusCode::ACCEPTED, ""),
        ("/raw", 5, StatusCode::OK, "raw"),
        ("/sixteen", 6, StatusCode::OK, "6"),
        ("/visible", 1, StatusCode::OK, "visible"),
        ("/restricted", 1, StatusCode::OK, "restricted"),
    ] {
        let request = test::TestRequest::post()
            .uri(path)
            .set_json(Order { amount });
        let response = test::call_service(&app, request.to_request()).await;
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(test::read_body(response).await, body, "{path}");
    }
}
