//! `#[utoipa::path]` above the attribute describes the user's function, not the generated one.

#![deny(warnings)]

use actix_web::{App, Responder, post, test, web};
use idempotency_actix::{Idempotency, KeyScope, MemoryStore, idempotent};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

#[derive(Serialize, Deserialize, ToSchema)]
struct Order {
    amount: u32,
}

/// Places an order.
#[utoipa::path(responses((status = 200, body = Order)))]
#[post("/route_above/{shop}")]
#[idempotent(ttl = "1h")]
async fn route_above(_shop: web::Path<String>, order: web::Json<Order>) -> impl Responder {
    order
}

/// Places an order.
#[utoipa::path(responses((status = 200, body = Order)))]
#[idempotent(ttl = "1h")]
#[post("/route_below/{shop}")]
async fn route_below(_shop: web::Path<String>, order: web::Json<Order>) -> impl Responder {
    order
}

/// Places an order.
#[utoipa::path(post, path = "/routed/{shop}", responses((status = 200, body = Order)))]
#[idempotent]
async fn routed(_shop: web::Path<String>, order: web::Json<Order>) -> impl Responder {
    order
}

#[derive(OpenApi)]
#[openapi(paths(route_above, route_below, routed))]
struct Api;

#[actix_web::main]
async fn main() {
    let app = App::new()
        .wrap(Idempotency::new(MemoryStore::new(), KeyScope::everyone()))
        .service(route_above)
        .service(route_below)
        .route("/routed/{shop}", web::post().to(routed));
    let app = test::init_service(app).await;
    let api = Api::openapi();
    for route in ["/route_above", "/route_below", "/routed"] {
        let request = test::TestRequest::post()
            .uri(&format!("{route}/kiosk"))
            .set_json(Order { amount: 9 });
        let body = test::call_and_read_body(&app, request.to_request()).await;
        assert_eq!(body, r#"{"amount":9}"#, "{route}");

        let operation = api.paths.paths[&format!("{route}/{{shop}}")].post.as_ref();
        let operation = operation.expect("a POST operation");
        assert_eq!(operation.summary.as_deref(), Some("Places an order."));
        assert!(operation.request_body.is_some(), "{route}");
        assert_eq!(
            operation.parameters.as_ref().map(Vec::len),
            Some(1),
            "{route}"
        );
    }
}
