use actix_web::{HttpResponse, get, head, route, routes};
use idempotency_actix::idempotent;

#[get("/x")]
#[idempotent(required)]
async fn get_above() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent(required)]
#[get("/x")]
async fn get_below() -> HttpResponse {
    HttpResponse::Ok().finish()
}

/// Others may stand between.
#[head("/x")]
#[doc(hidden)]
#[idempotent]
#[expect(clippy::unused_async)]
pub(crate) async fn head_above() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent]
#[actix_web::options("/x")]
async fn options_below() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[actix_web::trace("/x")]
#[idempotent]
async fn trace_above() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[route("/x", method = "GET", method = "HEAD")]
#[idempotent]
async fn route_above() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent]
#[route("/x", method = "GET")]
async fn route_below() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[routes]
#[get("/x")]
#[head("/x")]
#[idempotent]
async fn routes_above() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[idempotent]
#[cfg_attr(all(), get("/x"))]
async fn conditional() -> HttpResponse {
    HttpResponse::Ok().finish()
}

macro_rules! in_a_macro {
    ($name:ident) => {
        #[get("/x")]
        #[idempotent]
        async fn $name() -> HttpResponse {
            HttpResponse::Ok().finish()
        }
    };
}

in_a_macro!(generated);

fn main() {}
