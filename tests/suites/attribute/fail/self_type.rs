use actix_web::{HttpResponse, web};
use idempotency_actix::idempotent;
use serde::Deserialize;

#[derive(Deserialize)]
struct Order;

impl Order {
    #[idempotent]
    async fn place(_: web::Json<Self>) -> HttpResponse {
        HttpResponse::Ok().finish()
    }
}

#[idempotent(associated)]
async fn free() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {
    let _ = Order::place;
}
