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
    key_header = "x-request-id",
    strict_keys = true,
    key_format = "ulid",
    max_key_age = "1h 30m",
    first_sent_header = "Repeatability-First-Sent",
    fingerprint = "multipart",
    vary = ["Host", "x-api-version", "host"],
    wait = "1s 500ms",
    max_in_flight = 1_000,
    transaction = "serializable",
    transaction_runs = 5,
    on_unknown = "rerun",
    on_store_failure = "reject",
    release_on = [401, 429, 500..=599],
    max_body = "2MiB",
    max_response = 1_048_576,
    record = "whole",
    drop_headers = ["X-Request-Id", "server-timing"],
    keep_cookies = false,
)]
async fn together() -> &'static str {
    "ok"
}

#[idempotent(key_header = "Webhook-Id", strict_keys = false)]
async fn key_header() -> &'static str {
    "ok"
}

#[idempotent(strict_keys)]
async fn strict_keys() -> &'static str {
    "ok"
}

#[idempotent(drop_headers = [])]
async fn all_headers() -> &'static str {
    "ok"
}

#[idempotent(keep_headers = ["x-version"], record = "status")]
async fn few_headers() -> &'static str {
    "ok"
}

#[idempotent(fingerprint = "bytes", key_format = "any", max_key_age = "0s", vary = [], wait = "0s", on_unknown = "reject")]
async fn taken_back() -> &'static str {
    "ok"
}

#[idempotent(
    fingerprint = "json",
    key_format = "uuid7",
    wait = "5m",
    on_unknown = "rerun",
    max_in_flight = 1
)]
async fn set() -> &'static str {
    "ok"
}

macro_rules! handler {
    ($name:ident, $ttl:literal, $release:expr, $header:literal, $count:expr) => {
        #[idempotent(
                    ttl = $ttl,
                    release_on = $release,
                    key_header = $header,
                    max_in_flight = $count,
                    fingerprint = $header,
                )]
        async fn $name() -> &'static str {
            "ok"
        }
    };
}

handler!(from_macro, "7days", [429], "bytes", 10);

#[actix_web::main]
async fn main() {
    let app = App::new()
        .wrap(Idempotency::new(MemoryStore::new(), KeyScope::everyone()))
        .route("/required", web::post().to(required))
        .route("/ttl", web::post().to(ttl))
        .route("/lease", web::post().to(lease))
        .route("/never_released", web::post().to(never_released))
        .route("/key_header", web::post().to(key_header))
        .route("/strict_keys", web::post().to(strict_keys))
        .route("/taken_back", web::post().to(taken_back))
        .route("/all_headers", web::post().to(all_headers))
        .route("/few_headers", web::post().to(few_headers))
        .route("/set", web::post().to(set))
        .route("/together", web::post().to(together))
        .route("/from_macro", web::post().to(from_macro));
    let app = test::init_service(app).await;
    for path in [
        "/ttl",
        "/lease",
        "/never_released",
        "/key_header",
        "/strict_keys",
        "/taken_back",
        "/all_headers",
        "/few_headers",
        "/set",
        "/together",
        "/from_macro",
    ] {
        let request = test::TestRequest::post().uri(path).to_request();
        let body = test::call_and_read_body(&app, request).await;
        assert_eq!(body, "ok", "{path}");
    }
}
