//! Where keys come from and whose they are, by route.

use actix_web::HttpRequest;
use actix_web::http::Method;
use idempotency_actix::{ConfigError, KeyScope, RouteMistake, RouteOptions};
use idempotency_actix_tests::app::{Site, builder, covering};
use idempotency_actix_tests::{Client, Request, Response, assert_problem};

use crate::places::{Place, in_each_place, routes};

fn request(place: Place) -> Request {
    Request::post(place.path())
}

/// The key of a provider that puts it into the query.
fn delivery(request: &HttpRequest) -> Option<String> {
    let delivery = request.query_string().strip_prefix("delivery=")?;
    Some(delivery.to_owned())
}

fn by_query(test: impl Fn(&dyn Fn(&str) -> Response, Site)) {
    in_each_place(
        |layer| layer.key(delivery),
        |route| route.key(delivery),
        |place, site| {
            let server = site.addr();
            let send = move |query: &str| {
                let target = format!("{}?{query}", place.path());
                let mut client = Client::connect(server);
                client.send(&Request::post(&target));
                client.receive()
            };
            test(&send, site);
        },
    );
}

#[test]
fn a_header_of_the_route_s_own_has_the_key() {
    in_each_place(
        |layer| layer.key_header("Webhook-Id"),
        |route| route.key_header("Webhook-Id"),
        |place, site| {
            let delivery = request(place).header("webhook-id", "msg_1");
            let (first, retry) = site.twice(&delivery);
            assert_eq!((first.status, retry.is_replay()), (201, true));
            let usual = request(place).key("msg_1");
            let (one, other) = site.twice(&usual);
            assert!(!one.is_replay() && !other.is_replay());
            assert_eq!(site.runs.count(), 3);
        },
    );
}

#[test]
fn a_required_key_is_asked_for_by_the_name_of_its_header() {
    in_each_place(
        |layer| layer.key_header("Webhook-Id").required(true),
        |route| route.key_header("Webhook-Id").required(true),
        |place, site| {
            let answer = site.send(request(place).key("k"));
            assert_problem(&answer, 400, "missing-key");
            assert!(answer.text().contains("webhook-id"), "{answer:?}");
            assert_eq!(site.runs.count(), 0);
        },
    );
}

#[test]
fn a_malformed_key_in_a_header_of_the_route_s_own_is_400() {
    in_each_place(
        |layer| layer.key_header("webhook-id"),
        |route| route.key_header("webhook-id"),
        |place, site| {
            let answer = site.send(request(place).header("webhook-id", "a, b"));
            assert_problem(&answer, 400, "invalid-key");
            assert_eq!(site.runs.count(), 0);
        },
    );
}

#[test]
fn a_function_reads_the_key_from_the_request() {
    by_query(|send, site| {
        assert_eq!(send("delivery=1").status, 201);
        assert!(send("delivery=1").is_replay());
        assert_eq!(send("delivery=2").text(), "2:");
        assert_eq!(site.runs.count(), 2);
    });
}

#[test]
fn a_request_in_which_a_function_finds_no_key_passes_through() {
    by_query(|send, site| {
        assert!(!send("other").is_replay() && !send("other").is_replay());
        assert_eq!(site.runs.count(), 2);
    });
}

#[test]
fn a_function_s_value_that_is_no_key_is_400() {
    by_query(|send, site| {
        assert_problem(&send("delivery="), 400, "invalid-key");
        let long = format!("delivery={}", "k".repeat(256));
        assert_problem(&send(&long), 400, "invalid-key");
        assert_eq!(site.runs.count(), 0);
        let longest = format!("delivery={}", "k".repeat(255));
        assert_eq!(send(&longest).status, 201);
    });
}

#[test]
fn a_required_key_that_a_function_does_not_find_is_400() {
    in_each_place(
        |layer| layer.key(delivery).required(true),
        |route| route.key(delivery).required(true),
        |place, site| {
            assert_problem(&site.send(request(place).key("k")), 400, "missing-key");
            assert_eq!(site.runs.count(), 0);
        },
    );
}

#[test]
fn strict_keys_are_strings_only() {
    in_each_place(
        |layer| layer.strict_keys(true),
        |route| route.strict_keys(true),
        |place, site| {
            assert_problem(&site.send(request(place).key("bare")), 400, "invalid-key");
            assert_eq!(site.send(request(place).key("\"quoted\"")).status, 201);
        },
    );
}

#[test]
fn a_route_takes_back_strict_keys() {
    let lenient = RouteOptions::new().strict_keys(false);
    let layer = covering_with(lenient, |layer| layer.strict_keys(true));
    let key = Request::post("/plain").key("bare");
    assert_eq!(layer.send(key).status, 201);
}

fn covering_with(
    entry: RouteOptions,
    options: impl Fn(idempotency_actix::IdempotencyBuilder) -> idempotency_actix::IdempotencyBuilder,
) -> Site {
    let layer = options(builder().all_routes()).route(Method::POST, "/plain", entry);
    Site::new(layer.build().expect("options that can hold"), routes)
}

#[test]
fn a_route_has_callers_of_its_own() {
    let by_provider = || KeyScope::header("x-provider");
    let site = covering_with(RouteOptions::new().scope(by_provider()), |layer| layer);
    let from = |provider: &str| {
        let request = Request::post("/plain").key("k");
        site.send(request.header("x-provider", provider))
    };
    assert_eq!(from("one").text(), "1:");
    assert!(from("one").is_replay());
    assert_eq!(from("two").text(), "2:");
    let nobody = site.send(Request::post("/plain").key("k"));
    assert_problem(&nobody, 400, "no-scope");
    assert_eq!(site.runs.count(), 2);
}

#[test]
fn names_that_are_no_header_names_are_refused_when_the_layer_is_built() {
    let name = ConfigError::HeaderName("webhook id".into());
    let layer = builder().key_header("webhook id").build();
    assert_eq!(layer.expect_err("no header name"), name);
    let scope = RouteOptions::new().scope(KeyScope::header("webhook id"));
    for entry in [RouteOptions::new().key_header("webhook id"), scope] {
        let layer = builder().all_routes().route(Method::POST, "/plain", entry);
        let error = layer.build().expect_err("no header name");
        let ConfigError::Route { mistake, .. } = error else {
            panic!("{error:?}");
        };
        assert_eq!(mistake, RouteMistake::Option(Box::new(name.clone())));
    }
}

#[test]
fn a_layer_that_covers_all_routes_leaves_what_has_no_key_of_its_alone() {
    let site = Site::new(covering(), routes);
    let delivery = Request::post("/plain").header("webhook-id", "msg_1");
    let (first, second) = site.twice(&delivery);
    assert!(!first.is_replay() && !second.is_replay());
}
