//! The key header: which forms are a key, which are one key, which are refused.

use actix_web::guard::Get;
use actix_web::http::Method;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, Responder, post};
use idempotency_actix::idempotent;
use idempotency_actix_tests::app::{Counter, Site, builder, charge, covering, marked, plain};
use idempotency_actix_tests::{Request, Response, assert_problem};

#[idempotent(required)]
async fn list(runs: Counter) -> impl Responder {
    HttpResponse::Ok().body(runs.next().to_string())
}

#[post("/required")]
#[idempotent(required)]
async fn required(runs: Counter) -> impl Responder {
    HttpResponse::Created().body(runs.next().to_string())
}

#[post("/optional")]
#[idempotent(required = false)]
async fn optional(runs: Counter) -> impl Responder {
    HttpResponse::Created().body(runs.next().to_string())
}

async fn any(runs: Counter) -> impl Responder {
    HttpResponse::Ok().body(runs.next().to_string())
}

fn routes(config: &mut ServiceConfig) {
    config
        .service(charge)
        .service(web::resource("/charges").guard(Get()).to(list))
        .service(required)
        .service(optional)
        .service(plain)
        .route("/any", web::to(any));
}

fn keyed(site: &Site, target: &str, line: &[u8]) -> Response {
    let mut bytes = format!("POST {target} HTTP/1.1\r\nHost: localhost\r\n").into_bytes();
    bytes.extend(b"Content-Length: 0\r\nIdempotency-Key: ");
    bytes.extend(line);
    bytes.extend(b"\r\n\r\n");
    site.send_bytes(&bytes)
}

#[track_caller]
fn assert_one_key(first: &[u8], retry: &[u8]) {
    let site = Site::new(marked(), routes);
    assert_eq!(keyed(&site, "/charges", first).status, 201);
    assert!(keyed(&site, "/charges", retry).is_replay());
    assert_eq!(site.runs.count(), 1);
}

#[test]
fn bare_and_quoted_forms_are_one_key() {
    assert_one_key(b"8e03978e-40d5", b"\"8e03978e-40d5\"");
}

#[test]
fn escapes_are_decoded() {
    assert_one_key(br"a\b", br#""a\\b""#);
}

#[test]
fn parameters_are_ignored() {
    assert_one_key(b"\"k\"", b"\"k\";v=1;w");
}

#[test]
fn white_space_around_a_key_is_ignored() {
    assert_one_key(b"k", b"  k  ");
}

#[test]
fn a_bare_number_is_the_key_of_its_digits() {
    assert_one_key(b"0042", b"\"0042\"");
}

#[test]
fn keys_that_differ_in_case_are_two_keys() {
    let site = Site::new(marked(), routes);
    keyed(&site, "/charges", b"k");
    assert!(!keyed(&site, "/charges", b"K").is_replay());
    assert_eq!(site.runs.count(), 2);
}

#[test]
fn a_key_of_255_characters_is_accepted() {
    let site = Site::new(marked(), routes);
    let key = "k".repeat(255);
    assert_eq!(keyed(&site, "/charges", key.as_bytes()).status, 201);
    assert!(keyed(&site, "/charges", format!("\"{key}\"").as_bytes()).is_replay());
    assert_eq!(site.runs.count(), 1);
}

#[test]
fn a_key_counts_decoded_characters() {
    let site = Site::new(marked(), routes);
    let key = format!("\"{}\"", "\\\"".repeat(255));
    assert_eq!(keyed(&site, "/charges", key.as_bytes()).status, 201);
    assert_eq!(site.runs.count(), 1);
}

macro_rules! refused {
    ($($name:ident: $line:expr;)*) => {
        mod refused_on_a_marked_handler {
            use super::*;

            $(
                #[test]
                fn $name() {
                    let site = Site::new(marked(), routes);
                    assert_problem(&keyed(&site, "/charges", $line), 400, "invalid-key");
                    assert_eq!(site.runs.count(), 0);
                }
            )*
        }

        mod refused_on_a_covered_route {
            use super::*;

            $(
                #[test]
                fn $name() {
                    let site = Site::new(covering(), routes);
                    assert_problem(&keyed(&site, "/plain", $line), 400, "invalid-key");
                    assert_eq!(site.runs.count(), 0);
                }
            )*
        }
    };
}

refused! {
    empty: b"";
    an_empty_string: b"\"\"";
    too_long: &[b'k'; 256];
    too_long_in_quotes: format!("\"{}\"", "k".repeat(256)).as_bytes();
    a_repeated_line: b"k\r\nIdempotency-Key: k";
    a_list: b"a, b";
    a_list_of_strings: b"\"a\", \"b\"";
    a_space_inside: b"a b";
    a_semicolon_inside: b"a;b";
    an_unterminated_quote: b"\"a";
    a_quote_inside: b"a\"b";
    a_latin_1_byte: b"caf\xe9";
    a_latin_1_byte_in_quotes: b"\"caf\xe9\"";
    utf_8: "caf\u{e9}".as_bytes();
    an_unknown_escape: br#""a\n""#;
    junk_after_the_quote: b"\"a\" b";
}

#[test]
fn a_strict_layer_refuses_bare_keys() {
    let site = Site::new(builder().strict_keys(true).build().unwrap(), routes);
    assert_problem(&keyed(&site, "/charges", b"k"), 400, "invalid-key");
    assert_eq!(site.runs.count(), 0);
}

#[test]
fn a_strict_layer_accepts_strings() {
    let site = Site::new(builder().strict_keys(true).build().unwrap(), routes);
    assert_eq!(keyed(&site, "/charges", b"\"k\"").status, 201);
    assert!(keyed(&site, "/charges", b"\"k\"").is_replay());
    assert_eq!(site.runs.count(), 1);
}

#[test]
fn the_key_is_read_from_the_header_that_was_named() {
    let layer = builder().key_header("X-Request-Key").build().unwrap();
    let site = Site::new(layer, routes);
    let request = Request::post("/charges").header("x-request-key", "k");
    let (_, retry) = site.twice(&request);
    assert!(retry.is_replay());
    assert_eq!(site.runs.count(), 1);
}

#[test]
fn the_usual_header_is_ignored_once_another_was_named() {
    let layer = builder().key_header("X-Request-Key").build().unwrap();
    let site = Site::new(layer, routes);
    let (_, retry) = site.twice(&Request::post("/charges").key("k"));
    assert!(!retry.is_replay());
    assert_eq!(site.runs.count(), 2);
}

#[test]
fn a_malformed_key_on_a_marked_get_handler_is_ignored() {
    let site = Site::new(marked(), routes);
    let request = Request::new(Method::GET, "/charges").key("a, b");
    let (first, second) = site.twice(&request);
    assert_eq!((first.status, second.status), (200, 200));
    assert_eq!(site.runs.count(), 2);
}

#[test]
fn safe_methods_with_a_malformed_key_are_not_touched_in_all_routes_mode() {
    let site = Site::new(covering(), routes);
    for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
        let mut bytes = format!("{method} /any HTTP/1.0\r\nHost: localhost\r\n").into_bytes();
        bytes.extend(b"Idempotency-Key: \"\r\n\r\n");
        let mut client = site.connect();
        client.write(&bytes);
        assert_eq!(client.receive_head().unwrap().status, 200, "{method}");
    }
    assert_eq!(site.runs.count(), 3);
}

#[test]
fn a_marked_get_handler_runs_without_a_required_key() {
    let site = Site::new(marked(), routes);
    let answer = site.send(Request::new(Method::GET, "/charges"));
    assert_eq!((answer.status, site.runs.count()), (200, 1));
}

#[test]
fn a_route_that_requires_a_key_refuses_a_request_without_one() {
    let site = Site::new(marked(), routes);
    let answer = site.send(Request::post("/required"));
    assert_problem(&answer, 400, "missing-key");
    assert_eq!(site.runs.count(), 0);
}

#[test]
fn a_route_that_requires_a_key_runs_with_one() {
    let site = Site::new(marked(), routes);
    let (first, retry) = site.twice(&Request::post("/required").key("k"));
    assert_eq!(first.status, 201);
    assert!(retry.is_replay());
    assert_eq!(site.runs.count(), 1);
}

#[test]
fn a_layer_that_requires_keys_refuses_a_marked_handler_without_one() {
    let site = Site::new(builder().required(true).build().unwrap(), routes);
    assert_problem(&site.send(Request::post("/charges")), 400, "missing-key");
    assert_eq!(site.runs.count(), 0);
}

#[test]
fn a_layer_that_requires_keys_leaves_unmarked_handlers_alone() {
    let site = Site::new(builder().required(true).build().unwrap(), routes);
    assert_eq!(site.send(Request::post("/plain")).status, 201);
    assert_eq!(site.runs.count(), 1);
}

#[test]
fn a_route_may_take_back_what_the_layer_requires() {
    let site = Site::new(builder().required(true).build().unwrap(), routes);
    assert_eq!(site.send(Request::post("/optional")).status, 201);
    assert_eq!(site.runs.count(), 1);
}

#[test]
fn a_covering_layer_that_requires_keys_refuses_every_route_without_one() {
    let layer = builder().all_routes().required(true).build().unwrap();
    let site = Site::new(layer, routes);
    assert_problem(&site.send(Request::post("/plain")), 400, "missing-key");
    assert_eq!(site.runs.count(), 0);
}

#[test]
fn the_missing_key_answer_names_the_header() {
    let layer = builder().key_header("X-Request-Key").required(true);
    let site = Site::new(layer.build().unwrap(), routes);
    let answer = site.send(Request::post("/charges"));
    assert!(answer.text().contains("x-request-key"), "{}", answer.text());
}
