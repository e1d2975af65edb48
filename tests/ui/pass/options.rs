//! Every option, alone and together, also through a macro of the user.

#![deny(warnings)]

use actix_web::{App, test, web};
use idempotency_actix::{Idempotency, KeyScope, MemoryStore, idempotent};

#[idempotent(ttl = "24h")]
async fn ttl() -> &'static str {
    "ok"
}

#[idempotent(lease = "30s", required = false)]
async fn lease() -> &'static str {
    "ok"
}

#[idempotent(required)]
async fn required() -> &'static str {
    "ok"
}

#[idempotent(release_on = [])]
async fn never_released() -> &'static str {
    "ok"
}

#[idempotent(
    ttl = "1h 30m",
    lease = "500ms",
    required = false,
    release_on = [401, 429, 500..=599],
    max_body = "2MiB",
    max_response = 1_048_576,
    keep_cookies = false,
    on_store_failure = "reject",
)]
async fn together() -> &'static str {
    "ok"
}

macro_rules! handler {
    ($name:ident, $ttl:literal, $release:expr) => {
        #[idempotent(ttl = $ttl, release_on = $release)]
        async fn $name() -> &'static str {
            "ok"
        }
    };
}

handler!(from_macro, "7days", [429]);

#[actix_web::main]
async fn main() {
    let app = App::new()
        .wrap(Idempotency::new(MemoryStore::new(), KeyScope::everyone()))
        .route("/required", web::post().to(required))
        .route("/ttl", web::post().to(ttl))
        .route("/lease", web::post().to(lease))
        .route("/never_released", web::post().to(never_released))
        .route("/together", web::post().to(together))
        .route("/from_macro", web::post().to(from_macro));
    let app = test::init_service(app).await;
    for path in [
        "/ttl",
        "/lease",
        "/never_released",
        "/together",
        "/from_macro",
    ] {
        let request = test::TestRequest::post().uri(path).to_request();
        let body = test::call_and_read_body(&app, request).await;
        assert_eq!(body, "ok", "{path}");
    }
}
