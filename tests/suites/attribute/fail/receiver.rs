use actix_web::HttpResponse;
use idempotency_actix::idempotent;

struct Api;

impl Api {
    #[idempotent]
    async fn by_reference(&self) -> HttpResponse {
        HttpResponse::Ok().finish()
    }

    #[idempotent(associated)]
    async fn by_value(self) -> HttpResponse {
        HttpResponse::Ok().finish()
    }

    #[idempotent]
    async fn typed(self: Box<Self>) -> HttpResponse {
        HttpResponse::Ok().finish()
    }
}

fn main() {
    let _ = (Api::by_reference, Api::by_value, Api::typed);
}
