use actix_web::HttpResponse;
use idempotency_actix::idempotent;

#[idempotent]
struct Order;

#[idempotent(ttl = 5)]
pub trait Ledger {
    #[idempotent]
    async fn record() -> HttpResponse;
}

#[idempotent]
impl Order {}

#[idempotent]
const LIMIT: usize = 1;

fn main() {
    #[idempotent]
    let _closure = || async { HttpResponse::Ok().finish() };
    let _ = (Order, LIMIT);
}
