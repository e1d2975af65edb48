//! Functions of the application as options: what each decides, above and below route macros.

#![deny(warnings)]

use actix_web::error::ErrorUnauthorized;
use actix_web::http::{StatusCode, header::HeaderMap};
use actix_web::{App, Error, HttpRequest, HttpResponse, Responder, post, put, test, web};
use idempotency_actix::{
    Attempt, Idempotency, IdempotencyKey, KeyScope, MemoryStore, Recovery, idempotent,
};

fn event_id(request: &HttpRequest) -> Option<String> {
    Some(request.match_info().get("event")?.to_owned())
}

fn fixed_key(_: &HttpRequest) -> Option<&'static str> {
    Some("fixed")
}

fn body_key(_: &HttpRequest, body: &[u8]) -> Option<String> {
    Some(String::from_utf8_lossy(body).into_owned())
}

mod callers {
    use super::*;

    pub fn tenant(request: &HttpRequest) -> Option<Vec<u8>> {
        Some(request.headers().get("tenant")?.as_bytes().to_vec())
    }

    pub fn signed_in(request: &HttpRequest) -> Result<Vec<u8>, Error> {
        tenant(request).ok_or_else(|| ErrorUnauthorized("sign in first"))
    }
}

fn is_short(key: &str) -> bool {
    key.len() < 4
}

fn is_a_key(_: &str) -> Result<(), &'static str> {
    Ok(())
}

fn is_a_number(key: &str) -> Result<(), String> {
    key.parse::<u64>().map(drop).map_err(|error| error.to_string())
}

fn first_byte(_: &HttpRequest, body: &[u8]) -> [u8; 1] {
    [body.first().copied().unwrap_or_default()]
}

fn with_body(_: &HttpRequest, _: &[u8], replay: HttpResponse<web::Bytes>) -> HttpResponse<web::Bytes> {
    replay
}

async fn look_up() -> Recovery {
    Recovery::NotExecuted
}

async fn look_up_by(_: Attempt, _: IdempotencyKey, _: web::Bytes) -> Result<Recovery, Error> {
    Ok(Recovery::Completed(HttpResponse::Ok().finish()))
}

fn look_up_later(_: HttpRequest) -> impl Future<Output = Recovery> {
    std::future::ready(Recovery::StillUnknown)
}

#[post("/key/{event}")]
#[idempotent(key = event_id)]
async fn key_above(body: String) -> impl Responder {
    body
}

#[idempotent(key = fixed_key)]
#[put("/key")]
async fn key_below(body: String) -> impl Responder {
    body
}

#[post("/body")]
#[idempotent(key = body_key)]
async fn body_above(body: String) -> impl Responder {
    body
}

#[idempotent(key_header = "webhook-id", key = self::body_key)]
#[put("/body")]
async fn body_below(body: String) -> impl Responder {
    body
}

#[post("/scope")]
#[idempotent(scope = callers::tenant)]
async fn scope_above(body: String) -> impl Responder {
    body
}

#[idempotent(scope = self::callers::signed_in)]
#[put("/scope")]
async fn scope_below(body: String) -> impl Responder {
    body
}

#[post("/key_format")]
#[idempotent(key_format = is_short)]
async fn key_format_above(body: String) -> impl Responder {
    body
}

#[idempotent(key_format = crate::is_a_number)]
#[put("/key_format")]
async fn key_format_below(body: String) -> impl Responder {
    body
}

#[post("/fingerprint")]
#[idempotent(fingerprint = first_byte)]
async fn fingerprint_above(body: String) -> impl Responder {
    body
}

#[idempotent(fingerprint = crate::first_byte)]
#[put("/fingerprint")]
async fn fingerprint_below(body: String) -> impl Responder {
    body
}

#[post("/recover")]
#[idempotent(recover = look_up)]
async fn recover_above(body: String) -> impl Responder {
    body
}

#[idempotent(recover = look_up_by)]
#[put("/recover")]
async fn recover_below(body: String) -> impl Responder {
    body
}

#[idempotent(
    key = fixed_key,
    key_format = is_a_key,
    scope = callers::signed_in,
    fingerprint = first_byte,
    recover = look_up_later,
    on_replay = self::with_body,
    inner = together_unprotected
)]
#[post("/together")]
async fn together(body: String) -> impl Responder {
    body
}

macro_rules! handler {
    ($name:ident, $key:path, $scope:expr, $recover:ident) => {
        #[idempotent(key = $key, scope = $scope, recover = $recover)]
        async fn $name(body: String) -> impl Responder {
            body
        }
    };
}

handler!(from_macro, self::fixed_key, callers::tenant, look_up);

#[actix_web::main]
async fn main() {
    let app = App::new()
        .wrap(Idempotency::new(MemoryStore::new(), KeyScope::everyone()))
        .service((key_above, key_below))
        .service((body_above, body_below))
        .service((key_format_above, key_format_below))
        .service((scope_above, scope_below))
        .service((fingerprint_above, fingerprint_below))
        .service((recover_above, recover_below))
        .service(together)
        .route("/from_macro", web::post().to(from_macro));
    let app = test::init_service(app).await;
    let call = async |request: test::TestRequest, tenant, body| {
        let request = request.insert_header(("tenant", tenant)).set_payload(body);
        let answer = test::call_service(&app, request.to_request()).await;
        (answer.status(), is_replayed(answer.headers()))
    };
    let post = |path| test::TestRequest::post().uri(path);
    let put = |path| test::TestRequest::put().uri(path);
    let with_key = |request: test::TestRequest| request.insert_header(("idempotency-key", "1"));

    for (request, is_expected) in [
        (post("/key/1"), false),
        (post("/key/1"), true),
        (post("/key/2"), false),
        (put("/key"), false),
        (put("/key"), true),
        (post("/body"), false),
        (post("/body"), true),
        (put("/body"), false),
        (put("/body"), true),
        (post("/together"), false),
        (post("/together"), true),
        (post("/from_macro"), false),
        (post("/from_macro"), true),
        (with_key(post("/recover")), false),
        (with_key(post("/recover")), true),
        (with_key(put("/recover")), false),
        (with_key(put("/recover")), true),
        (with_key(post("/key_format")), false),
        (with_key(put("/key_format")), false),
    ] {
        let answer = call(request, "one", "body").await;
        assert_eq!(answer, (StatusCode::OK, is_expected));
    }
    for path in ["/scope", "/fingerprint"] {
        for request in [post, put] {
            let answer = call(with_key(request(path)), "one", "body").await;
            assert_eq!(answer, (StatusCode::OK, false), "{path}");
        }
    }
    for request in [post, put] {
        let answer = call(with_key(request("/scope")), "two", "body").await;
        assert_eq!(answer, (StatusCode::OK, false));
        let answer = call(with_key(request("/fingerprint")), "one", "beside").await;
        assert_eq!(answer, (StatusCode::OK, true));
        let answer = call(with_key(request("/fingerprint")), "one", "other").await;
        assert_eq!(answer, (StatusCode::UNPROCESSABLE_ENTITY, false));
    }
    for (request, expected) in [
        (post("/scope"), StatusCode::BAD_REQUEST),
        (put("/scope"), StatusCode::UNAUTHORIZED),
    ] {
        let request = with_key(request).to_request();
        assert_eq!(test::call_service(&app, request).await.status(), expected);
    }
    drop(together_unprotected("body".into()).await);
}

fn is_replayed(headers: &HeaderMap) -> bool {
    headers.contains_key("idempotent-replayed")
}
