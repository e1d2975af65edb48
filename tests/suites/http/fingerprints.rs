//! What makes two requests under one key the same: octets, canonical JSON, or a function's result.

use actix_web::HttpRequest;
use idempotency_actix::{Fingerprinting, Idempotency, KeyScope, MemoryStore};
use idempotency_actix_tests::app::Site;
use idempotency_actix_tests::{Request, Response, assert_problem};

use crate::places::{Place, in_each_place, routes};

const JSON: &str = r#"{"amount": 12.50, "to": {"name": "é", "id": 7}}"#;

/// The same text by RFC 8785, written otherwise.
const SAME_JSON: &str = "{\"to\":{\"id\":7.0,\"name\":\"\\u00e9\"},\n\"amount\":1.25e1}";

const OTHER_JSON: &str = r#"{"amount": 12.51, "to": {"name": "é", "id": 7}}"#;

/// All but the signature, which changes with each delivery.
fn payload(_: &HttpRequest, body: &[u8]) -> Vec<u8> {
    let end = body.iter().position(|&byte| byte == b'|');
    body[..end.unwrap_or(body.len())].to_vec()
}

fn in_json(test: impl Fn(&dyn Fn(&str) -> Response)) {
    in_mode(Fingerprinting::json(), test);
}

/// Hands a test a way to send bodies under one key to a route of that mode.
fn in_mode(mode: Fingerprinting, test: impl Fn(&dyn Fn(&str) -> Response)) {
    in_each_place(
        |layer| layer.fingerprint(mode.clone()),
        |route| route.fingerprint(mode.clone()),
        |place, site| test(&|body| site.send(request(place, body))),
    );
}

fn request(place: Place, body: &str) -> Request {
    let json = ("content-type", "application/json");
    Request::post(place.path())
        .key("k")
        .header(json.0, json.1)
        .body(body)
}

#[test]
fn by_octets_another_order_of_names_is_another_request() {
    in_mode(Fingerprinting::bytes(), |send| {
        assert_eq!(send(JSON).status, 201);
        assert_problem(&send(SAME_JSON), 422, "key-reused");
        assert!(send(JSON).is_replay());
    });
}

#[test]
fn by_json_order_of_names_space_and_form_of_numbers_do_not_count() {
    in_json(|send| {
        assert_eq!(send(JSON).status, 201);
        let retry = send(SAME_JSON);
        assert!(retry.is_replay());
        assert_eq!(retry.text(), format!("1:{JSON}"));
    });
}

#[test]
fn by_json_another_value_is_another_request() {
    in_json(|send| {
        assert_eq!(send(JSON).status, 201);
        assert_problem(&send(OTHER_JSON), 422, "key-reused");
    });
}

#[test]
fn by_json_the_order_in_a_list_counts() {
    in_json(|send| {
        assert_eq!(send("[1,2]").status, 201);
        assert_problem(&send("[2,1]"), 422, "key-reused");
    });
}

#[test]
fn by_json_numbers_that_a_double_would_round_are_told_apart() {
    in_json(|send| {
        assert_eq!(send("[9007199254740992]").status, 201);
        assert_problem(&send("[9007199254740993]"), 422, "key-reused");
        assert!(send("[9007199254740992]").is_replay());
    });
}

#[test]
fn by_json_a_repeated_name_is_not_dropped() {
    in_json(|send| {
        assert_eq!(send(r#"{"a":1,"a":2}"#).status, 201);
        assert_problem(&send(r#"{"a":2}"#), 422, "key-reused");
        assert!(send(r#"{"a":1,"a":2}"#).is_replay());
    });
}

#[test]
fn by_json_what_is_no_json_counts_by_its_octets() {
    in_json(|send| {
        assert_eq!(send("{ 1").status, 201);
        assert_problem(&send("{  1"), 422, "key-reused");
        assert!(send("{ 1").is_replay());
    });
}

/// A body that looks like the canonical form of another must not be taken for it.
#[test]
fn by_json_octets_and_canonical_forms_are_told_apart() {
    in_each_place(
        |layer| layer.fingerprint(Fingerprinting::json()),
        |route| route.fingerprint(Fingerprinting::json()),
        |place, site| {
            let query = |target: &str, body: &str| {
                let path = format!("{}{target}", place.path());
                Request::post(&path).key("k").body(body)
            };
            assert_eq!(site.send(query("?a", "[1]")).status, 201);
            assert!(site.send(query("?a", "[ 1 ]")).is_replay());
            assert_problem(&site.send(query("?b", "[1]")), 422, "key-reused");
            let typed = query("?a", "[1]").header("content-type", "text/plain");
            assert_problem(&site.send(typed), 422, "key-reused");
        },
    );
}

#[test]
fn by_a_function_only_its_result_counts() {
    in_mode(Fingerprinting::by(payload), |send| {
        assert_eq!(send("order 1|signed monday").status, 201);
        assert!(send("order 1|signed tuesday").is_replay());
        assert_problem(&send("order 2|signed monday"), 422, "key-reused");
    });
}

#[test]
fn a_function_sees_the_request_too() {
    let by_query = |request: &HttpRequest, _: &[u8]| request.query_string().to_owned();
    let mode = Fingerprinting::by(by_query);
    in_each_place(
        |layer| layer.fingerprint(mode.clone()),
        |route| route.fingerprint(mode.clone()),
        |place, site| {
            let send = |query: &str, body: &str| {
                let target = format!("{}?{query}", place.path());
                site.send(Request::post(&target).key("k").body(body))
            };
            assert_eq!(send("order=1", "a").status, 201);
            assert!(send("order=1", "b").is_replay());
            assert_problem(&send("order=2", "a"), 422, "key-reused");
        },
    );
}

/// The answers to the same body, then to another, of a layer that has changed its mode in between.
fn after_a_change(from: Fingerprinting, to: Fingerprinting) -> Vec<(Response, Response)> {
    let mut answers = Vec::new();
    for place in Place::ALL {
        let store = MemoryStore::new();
        let site = |mode: &Fingerprinting| {
            let layer = Idempotency::builder(store.clone(), KeyScope::everyone());
            let layer = place.layer(
                layer,
                |layer| layer.fingerprint(mode.clone()),
                |route| route.fingerprint(mode.clone()),
            );
            Site::new(layer, routes)
        };
        let first = site(&from).send(request(place, JSON));
        assert_eq!(first.status, 201);
        let changed = site(&to);
        let same = changed.send(request(place, JSON));
        answers.push((same, changed.send(request(place, OTHER_JSON))));
        assert_eq!(changed.runs.count(), 0);
    }
    answers
}

#[test]
fn a_record_is_compared_by_the_scheme_that_it_was_written_by() {
    let modes = [Fingerprinting::bytes(), Fingerprinting::json()];
    let [bytes, json] = modes;
    for (from, to) in [
        (&bytes, &json),
        (&json, &bytes),
        (&bytes, &Fingerprinting::by(payload)),
        (&json, &Fingerprinting::by(payload)),
    ] {
        for (same, other) in after_a_change(from.clone(), to.clone()) {
            assert!(same.is_replay(), "{same:?}");
            assert_problem(&other, 422, "key-reused");
        }
    }
}

#[test]
fn a_record_of_a_function_that_is_gone_is_503_and_never_a_mismatch() {
    let by_function = Fingerprinting::by(payload);
    for (same, other) in after_a_change(by_function, Fingerprinting::bytes()) {
        assert_problem(&same, 503, "store-unavailable");
        assert_problem(&other, 503, "store-unavailable");
    }
}
