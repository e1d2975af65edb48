//! Names that the generated code must neither shadow nor pick up.

#![deny(warnings)]
#![allow(non_camel_case_types)]
#![no_implicit_prelude]

use ::actix_web::{App, HttpRequest, test, web};
use ::idempotency_actix::{Idempotency, KeyScope, MemoryStore};
use ::std::assert_eq;
use ::std::option::Option::{self, Some};
use ::std::string::{String, ToString};

const OPTIONS: u32 = 7;

mod idempotency_actix {}

struct Marked;
struct HttpResponse;
struct By;
struct PhantomData;
struct Fingerprinting;
struct OnUnknown;

fn marked() -> u32 {
    OPTIONS
}

#[::idempotency_actix::idempotent(ttl = "1h", release_on = [429])]
async fn options(_: web::Bytes) -> String {
    let (_, _) = (Marked, HttpResponse);
    OPTIONS.to_string()
}

#[::idempotency_actix::idempotent]
async fn private() -> String {
    marked().to_string()
}

#[::idempotency_actix::idempotent]
async fn run(__marked: String) -> String {
    let options = __marked.len();
    options.to_string()
}

fn key(_: &HttpRequest) -> Option<&'static str> {
    let (_, _, _, _) = (By, PhantomData, Fingerprinting, OnUnknown);
    Some("key")
}

#[::idempotency_actix::idempotent(key = key, fingerprint = "json", on_unknown = "rerun")]
async fn by(key: String) -> String {
    key.len().to_string()
}

#[::actix_web::main]
async fn main() {
    let app = App::new()
        .wrap(Idempotency::new(MemoryStore::new(), KeyScope::everyone()))
        .route("/options", web::post().to(options))
        .route("/marked", web::post().to(private))
        .route("/by", web::post().to(by))
        .route("/run", web::post().to(run));
    let app = test::init_service(app).await;
    for path in ["/options", "/marked", "/by", "/run"] {
        let request = test::TestRequest::post().uri(path).set_payload("7 bytes");
        let body = test::call_and_read_body(&app, request.to_request()).await;
        assert_eq!(body, "7", "{path}");
    }
}
