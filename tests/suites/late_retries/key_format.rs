//! What a key looks like: by the layer, by a route, by the attribute.

use actix_web::web::ServiceConfig;
use actix_web::{HttpResponse, Responder, post};
use idempotency_actix::{KeyFormat, RouteOptions, idempotent};
use idempotency_actix_tests::app::{Counter, Site, builder, marked};
use idempotency_actix_tests::{Request, Response, assert_problem};

use crate::places::in_each_place;

const UUID4: &str = "919108f7-52d1-4320-9bac-f847db4148a8";
const UUID7: &str = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";
const ULID: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

/// One key of each form, and whether the format takes it.
fn assert_takes(format: impl Fn() -> KeyFormat, expected: [bool; 4]) {
    in_each_place(
        |layer| layer.key_format(format()),
        |route| route.key_format(format()),
        |place, site| {
            for (key, is_taken) in [UUID4, UUID7, ULID, "k"].into_iter().zip(expected) {
                for sent in [key.to_owned(), format!("\"{key}\"")] {
                    let answer = site.send(Request::post(place.path()).key(&sent));
                    match is_taken {
                        true => assert_eq!(answer.status, 201, "{sent} {place:?}"),
                        false => assert_problem(&answer, 400, "invalid-key"),
                    }
                }
            }
            let runs = expected.into_iter().filter(|is_taken| *is_taken).count();
            assert_eq!(site.runs.count(), runs);
        },
    );
}

#[test]
fn any_key_is_taken_unless_a_route_asks_for_a_form() {
    assert_takes(KeyFormat::any, [true, true, true, true]);
}

#[test]
fn a_uuid_may_be_of_any_version() {
    assert_takes(KeyFormat::uuid, [true, true, false, false]);
}

#[test]
fn a_uuid_of_version_7_is_no_other() {
    assert_takes(KeyFormat::uuid7, [false, true, false, false]);
}

#[test]
fn a_ulid_is_no_uuid() {
    assert_takes(KeyFormat::ulid, [false, false, true, false]);
}

#[test]
fn a_function_takes_what_it_takes() {
    assert_takes(
        || KeyFormat::by(|key| key.len() < 30),
        [false, false, true, true],
    );
}

#[test]
fn the_reason_is_told() {
    let detail = |format: KeyFormat, key: &str| {
        let layer = builder().key_format(format).build().expect("a layer");
        let site = Site::new(layer, |config| {
            config.service(idempotency_actix_tests::app::charge);
        });
        let answer = site.send(Request::post("/charges").key(key));
        assert_problem(&answer, 400, "invalid-key");
        let json: serde_json::Value = serde_json::from_slice(&answer.body).expect("json");
        json["detail"].as_str().expect("a detail").to_owned()
    };
    assert!(detail(KeyFormat::uuid(), "k").contains("UUID"));
    assert!(detail(KeyFormat::uuid7(), UUID4).contains("version 7"));
    assert!(detail(KeyFormat::ulid(), "k").contains("ULID"));
    let own = KeyFormat::try_by(|_| Err::<(), _>("Ask the desk for a key."));
    assert_eq!(detail(own, "k"), "Ask the desk for a key.");
    // What no key is in any form is told first.
    assert!(detail(KeyFormat::uuid(), "a, b").contains("list"));
}

#[test]
fn upper_and_lower_case_are_two_keys() {
    in_each_place(
        |layer| layer.key_format(KeyFormat::uuid()),
        |route| route.key_format(KeyFormat::uuid()),
        |place, site| {
            let send = |key: &str| site.send(Request::post(place.path()).key(key));
            assert_eq!(send(UUID4).status, 201);
            assert!(!send(&UUID4.to_uppercase()).is_replay());
            assert!(send(UUID4).is_replay());
            assert_eq!(site.runs.count(), 2);
        },
    );
}

#[test]
fn a_route_takes_back_a_format() {
    let any = RouteOptions::new().key_format(KeyFormat::any());
    let layer = builder().all_routes().key_format(KeyFormat::uuid());
    let layer = layer.route(actix_web::http::Method::POST, "/plain", any);
    let site = Site::new(layer.build().expect("a layer"), crate::places::routes);
    assert_eq!(site.send(Request::post("/plain").key("k")).status, 201);
    assert_problem(
        &site.send(Request::post("/charges").key("k")),
        400,
        "invalid-key",
    );
}

#[test]
fn a_check_that_panics_is_500_and_runs_nothing() {
    in_each_place(
        |layer| layer.key_format(KeyFormat::by(|_| panic!("a check"))),
        |route| route.key_format(KeyFormat::by(|_| panic!("a check"))),
        |place, site| {
            assert_eq!(site.send(Request::post(place.path()).key("k")).status, 500);
            assert_eq!(site.runs.count(), 0);
        },
    );
}

fn reasoned(key: &str) -> Result<(), String> {
    key.parse::<u64>()
        .map(drop)
        .map_err(|error| error.to_string())
}

#[post("/word")]
#[idempotent(key_format = "ulid")]
async fn word(runs: Counter) -> impl Responder {
    HttpResponse::Ok().body(runs.next().to_string())
}

#[post("/function")]
#[idempotent(key_format = reasoned)]
async fn function(runs: Counter) -> impl Responder {
    HttpResponse::Ok().body(runs.next().to_string())
}

#[test]
fn the_attribute_takes_a_word_or_a_function() {
    let site = Site::new(marked(), |config: &mut ServiceConfig| {
        config.service(word).service(function);
    });
    let send = |path: &str, key: &str| -> Response { site.send(Request::post(path).key(key)) };
    assert_eq!(send("/word", ULID).status, 200);
    assert_problem(&send("/word", UUID7), 400, "invalid-key");
    assert_eq!(send("/function", "7").status, 200);
    let refused = send("/function", "seven");
    assert_problem(&refused, 400, "invalid-key");
    assert!(refused.text().contains("invalid digit"), "{refused:?}");
    assert_eq!(site.runs.count(), 2);
}
