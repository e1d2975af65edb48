//! Keys in the body, alone and after a header.

use actix_web::web::{Bytes, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Responder, post};
use idempotency_actix::{IdempotencyKey, KeyFormat, RouteOptions, idempotent};
use idempotency_actix_tests::app::{Counter, Gate, Site, builder, covering, marked};
use idempotency_actix_tests::{
    Request, assert_first, assert_in_flight, assert_problem, assert_replay,
};

use crate::places::{Place, in_each_place};

/// The key in front of the first comma.
fn before_comma(_: &HttpRequest, body: &[u8]) -> Option<String> {
    let comma = body.iter().position(|&octet| octet == b',')?;
    Some(String::from_utf8_lossy(&body[..comma]).into_owned())
}

fn each(test: impl Fn(Place, Site)) {
    in_each_place(
        |layer| layer.key(before_comma),
        |route| route.key(before_comma),
        test,
    );
}

fn request(place: Place, body: &str) -> Request {
    Request::post(place.path()).body(body)
}

#[test]
fn the_body_has_the_key() {
    each(|place, site| {
        assert_first(
            &site.send(request(place, "k1,100 EUR")),
            201,
            "1:k1,100 EUR",
        );
        assert_replay(
            &site.send(request(place, "k1,100 EUR")),
            201,
            "1:k1,100 EUR",
        );
        assert_problem(&site.send(request(place, "k1,200 EUR")), 422, "key-reused");
        assert_first(
            &site.send(request(place, "k2,100 EUR")),
            201,
            "2:k2,100 EUR",
        );
        assert_eq!(site.runs.count(), 2);
    });
}

#[test]
fn a_body_without_a_key_passes_whole() {
    let long = "x".repeat(200_000);
    each(|place, site| {
        for body in ["", "100 EUR", &long] {
            let (first, second) = site.twice(&request(place, body));
            for answer in [first, second] {
                assert_eq!(answer.status, 201);
                assert!(!answer.is_replay());
                let text = answer.text();
                let (_, echoed) = text.split_once(':').expect("a number");
                assert_eq!(echoed, body);
            }
        }
        let chunks = [&b"one "[..], b"two ", b"three"];
        let answer = site.send(Request::post(place.path()).chunked(&chunks));
        assert_first(&answer, 201, "7:one two three");
        assert_eq!(site.runs.count(), 7);
    });
}

#[test]
fn a_body_in_chunks_has_the_key_too() {
    each(|place, site| {
        let chunked = Request::post(place.path()).chunked(&[b"k", b"1,", b"100 EUR"]);
        assert_first(&site.send(chunked.clone()), 201, "1:k1,100 EUR");
        assert_replay(&site.send(chunked), 201, "1:k1,100 EUR");
    });
}

#[test]
fn the_usual_header_is_no_source_beside_a_function_alone() {
    each(|place, site| {
        let (first, second) = site.twice(&request(place, "100 EUR").key("k"));
        assert!(!first.is_replay() && !second.is_replay());
        assert_eq!(site.runs.count(), 2);
    });
}

#[test]
fn a_header_comes_first_where_both_are_named() {
    in_each_place(
        |layer| layer.key(before_comma).key_header("webhook-id"),
        |route| route.key_header("webhook-id").key(before_comma),
        |place, site| {
            let by_header = request(place, "k1,100 EUR").header("webhook-id", "h");
            assert_first(&site.send(by_header.clone()), 201, "1:k1,100 EUR");
            assert_first(
                &site.send(request(place, "k1,100 EUR")),
                201,
                "2:k1,100 EUR",
            );
            assert_replay(&site.send(by_header), 201, "1:k1,100 EUR");
            assert_replay(
                &site.send(request(place, "k1,100 EUR")),
                201,
                "2:k1,100 EUR",
            );
            let other = request(place, "100 EUR").header("webhook-id", "h2");
            assert!(site.twice(&other).1.is_replay());
            let malformed = request(place, "k1,100 EUR").header("webhook-id", "a, b");
            assert_problem(&site.send(malformed), 400, "invalid-key");
            assert_eq!(site.runs.count(), 3);
        },
    );
}

#[test]
fn a_required_key_that_no_body_has_is_400() {
    in_each_place(
        |layer| layer.key(before_comma).required(true),
        |route| route.key(before_comma).required(true),
        |place, site| {
            assert_problem(&site.send(request(place, "100 EUR")), 400, "missing-key");
            assert_eq!(site.send(request(place, "k,100 EUR")).status, 201);
            assert_eq!(site.runs.count(), 1);
        },
    );
    in_each_place(
        |layer| {
            layer
                .key(before_comma)
                .key_header("webhook-id")
                .required(true)
        },
        |route| {
            route
                .key(before_comma)
                .key_header("webhook-id")
                .required(true)
        },
        |place, site| {
            let answer = site.send(request(place, "100 EUR"));
            assert_problem(&answer, 400, "missing-key");
            assert!(answer.text().contains("webhook-id"), "{answer:?}");
        },
    );
}

#[test]
fn a_value_that_is_no_key_is_400() {
    in_each_place(
        |layer| {
            layer
                .key(before_comma)
                .key_format(KeyFormat::by(|key| key.starts_with('k')))
        },
        |route| {
            route
                .key(before_comma)
                .key_format(KeyFormat::by(|key| key.starts_with('k')))
        },
        |place, site| {
            for body in [
                ",100 EUR",
                "caf\u{e9},1",
                "other,1",
                &format!("{},1", "k".repeat(256)),
            ] {
                assert_problem(&site.send(request(place, body)), 400, "invalid-key");
            }
            assert_eq!(site.runs.count(), 0);
        },
    );
}

#[test]
fn a_body_over_its_limit_is_413_key_or_not() {
    in_each_place(
        |layer| layer.key(before_comma).max_body(10),
        |route| route.key(before_comma).max_body(10),
        |place, site| {
            for body in ["k,12345678901", "12345678901"] {
                assert_problem(&site.send(request(place, body)), 413, "body-too-large");
            }
            let unsized_body = Request::post(place.path()).chunked(&[b"12345", b"678901"]);
            assert_problem(&site.send(unsized_body), 413, "body-too-large");
            assert_eq!(site.runs.count(), 0);
            assert_eq!(site.send(request(place, "k,12345678")).status, 201);
        },
    );
}

#[test]
fn a_function_that_panics_is_500_and_runs_nothing() {
    fn broken(_: &HttpRequest, _: &[u8]) -> Option<String> {
        panic!("no key")
    }
    in_each_place(
        |layer| layer.key(broken),
        |route| route.key(broken),
        |place, site| {
            assert_eq!(site.send(request(place, "k,1")).status, 500);
            assert_eq!(site.runs.count(), 0);
        },
    );
}

#[test]
fn a_function_of_the_head_alone_reads_no_body() {
    fn of_head(request: &HttpRequest) -> Option<String> {
        let line = request.headers().get("x-key")?;
        Some(line.to_str().ok()?.to_owned())
    }
    let options = RouteOptions::new().key_header("webhook-id").key(of_head);
    let layer = builder().all_routes().max_body(4);
    let layer = layer.route(actix_web::http::Method::POST, "/plain", options);
    let site = Site::new(layer.build().expect("a layer"), crate::places::routes);
    // Without a key nothing is read, and no limit holds.
    let long = Request::post("/plain").body("12345678");
    assert_first(&site.send(long), 201, "1:12345678");
    let keyed = Request::post("/plain").header("x-key", "k");
    assert!(site.twice(&keyed).1.is_replay());
}

#[post("/slow")]
#[idempotent(key = before_comma, wait = "0s")]
async fn slow(gate: Gate, runs: Counter, key: IdempotencyKey, body: Bytes) -> impl Responder {
    runs.next();
    gate.pass().await;
    HttpResponse::Ok().body(format!(
        "{}|{}",
        key.as_str(),
        String::from_utf8_lossy(&body)
    ))
}

fn slow_route(gate: &Gate) -> impl Fn(&mut ServiceConfig) + Clone + Send + 'static {
    let gate = gate.clone();
    move |config| {
        config.app_data(gate.clone()).service(slow);
    }
}

#[test]
fn a_handler_that_is_under_way_is_409_and_finished_without_its_client() {
    let gate = Gate::closed();
    let site = Site::new(marked(), slow_route(&gate));
    let request = Request::post("/slow").body("k,1");
    let mut client = site.connect();
    client.send(&request);
    gate.wait();
    assert_in_flight(&site.send(request.clone()));
    drop(client);
    gate.let_one_through();
    idempotency_actix_tests::eventually("a replay", || site.send(request.clone()).is_replay());
    assert_replay(&site.send(request), 200, "k|k,1");
    assert_eq!(site.runs.count(), 1);
}

#[test]
fn an_argument_of_a_key_that_no_body_has_is_400() {
    let site = Site::new(marked(), slow_route(&Gate::closed()));
    assert_problem(
        &site.send(Request::post("/slow").body("1")),
        400,
        "missing-key",
    );
    assert_eq!(site.runs.count(), 0);
}

#[test]
fn a_key_in_the_body_comes_too_late_under_an_all_routes_layer() {
    let site = Site::new(covering(), slow_route(&Gate::closed()));
    let answer = site.send(Request::post("/slow").key("k").body("k,1"));
    assert_eq!((answer.status, site.runs.count()), (500, 0));
}
