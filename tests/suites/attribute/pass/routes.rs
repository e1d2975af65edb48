//! The route macros of actix-web, above and below.

#![deny(warnings)]

use actix_web::http::Method;
use actix_web::{App, Responder, post, route, routes, scope, test, web};
use idempotency_actix::{Idempotency, KeyScope, MemoryStore, idempotent};

#[post("/above/{id}")]
#[idempotent(ttl = "1h")]
async fn above(id: web::Path<u32>) -> impl Responder {
    id.to_string()
}

#[idempotent(ttl = "1h")]
#[post("/below/{id}")]
async fn below(id: web::Path<u32>) -> impl Responder {
    id.to_string()
}

#[idempotent]
#[actix_web::patch("/qualified/{id}", name = "qualified")]
pub async fn qualified(id: web::Path<u32>) -> Result<String, actix_web::Error> {
    Ok(id.to_string())
}

#[route("/route_above/{id}", method = "POST", method = "PUT")]
#[idempotent]
async fn route_above(id: web::Path<u32>) -> impl Responder {
    id.to_string()
}

#[idempotent]
#[route("/route_below/{id}", method = "POST", method = "PUT")]
async fn route_below(id: web::Path<u32>) -> impl Responder {
    id.to_string()
}

#[routes]
#[post("/routes_above/{id}")]
#[idempotent]
#[put("/routes_above/{id}")]
async fn routes_above(id: web::Path<u32>) -> impl Responder {
    id.to_string()
}

#[idempotent]
#[routes]
#[post("/routes_below/{id}")]
#[put("/routes_below/{id}")]
async fn routes_below(id: web::Path<u32>) -> impl Responder {
    id.to_string()
}

#[route("/read_or_write/{id}", method = "GET", method = "POST")]
#[idempotent]
async fn read_or_write(id: web::Path<u32>) -> impl Responder {
    id.to_string()
}

#[idempotent]
#[cfg_attr(all(), post("/conditional/{id}"))]
async fn conditional(id: web::Path<u32>) -> impl Responder {
    id.to_string()
}

#[scope("/scope")]
mod scoped {
    use super::*;

    #[idempotent]
    #[post("/below/{id}")]
    pub async fn below(id: web::Path<u32>) -> impl Responder {
        id.to_string()
    }
}

#[actix_web::main]
async fn main() {
    let app = App::new()
        .wrap(Idempotency::new(MemoryStore::new(), KeyScope::everyone()))
        .service(above)
        .service(below)
        .service(qualified)
        .service(route_above)
        .service(route_below)
        .service(routes_above)
        .service(routes_below)
        .service(conditional)
        .service(read_or_write)
        .service(scoped::below);
    let app = test::init_service(app).await;
    for (method, path) in [
        (Method::POST, "/above/7"),
        (Method::POST, "/below/7"),
        (Method::PATCH, "/qualified/7"),
        (Method::PUT, "/route_above/7"),
        (Method::PUT, "/route_below/7"),
        (Method::POST, "/routes_above/7"),
        (Method::PUT, "/routes_above/7"),
        (Method::POST, "/routes_below/7"),
        (Method::PUT, "/routes_below/7"),
        (Method::POST, "/conditional/7"),
        (Method::POST, "/read_or_write/7"),
        (Method::GET, "/read_or_write/7"),
        (Method::POST, "/scope/below/7"),
    ] {
        let request = test::TestRequest::with_uri(path).method(method);
        let body = test::call_and_read_body(&app, request.to_request()).await;
        assert_eq!(body, "7", "{path}");
    }
}
