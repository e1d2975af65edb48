//! Which headers of the first answer a replay has.

use actix_web::http::Method;
use actix_web::web::ServiceConfig;
use actix_web::{HttpResponse, Responder, post};
use idempotency_actix::{ConfigError, IdempotencyBuilder, RouteMistake, RouteOptions, idempotent};
use idempotency_actix_tests::app::{Counter, Site, builder, marked};
use idempotency_actix_tests::{Request, Response};

use crate::places::Place;

fn answer(runs: &Counter) -> HttpResponse {
    HttpResponse::Created()
        .insert_header(("x-request-id", runs.next().to_string()))
        .append_header(("server-timing", "db;dur=53"))
        .append_header(("server-timing", "app;dur=47"))
        .insert_header(("location", "/charges/1"))
        .insert_header(("content-type", "text/plain"))
        .insert_header(("etag", "\"1\""))
        .insert_header(("x-version", "7"))
        .insert_header(("set-cookie", "a=b"))
        .body("charged")
}

#[post("/charges")]
#[idempotent]
async fn charges(runs: Counter) -> impl Responder {
    answer(&runs)
}

#[post("/plain")]
async fn plain(runs: Counter) -> impl Responder {
    answer(&runs)
}

fn routes(config: &mut ServiceConfig) {
    config.service(charges).service(plain);
}

/// The names that a retry gets, in order, of what the handler has set.
fn names(first: &Response, retry: &Response) -> Vec<String> {
    assert!(retry.is_replay() && !first.is_replay(), "{retry:?}");
    assert_eq!((&first.status, &first.body), (&retry.status, &retry.body));
    let own = ["content-length", "date", "idempotent-replayed"];
    let names = retry.headers.iter().map(|(name, _)| name.clone());
    let mut names: Vec<_> = names.filter(|name| !own.contains(&&**name)).collect();
    names.sort();
    names
}

/// The names in each place of the options. The first answer always has all of them.
fn assert_kept(
    to_layer: impl Fn(IdempotencyBuilder) -> IdempotencyBuilder,
    to_route: impl Fn(RouteOptions) -> RouteOptions,
    expected: &[&str],
) {
    for place in Place::ALL {
        let layer = place.layer(builder(), &to_layer, &to_route);
        let site = Site::new(layer, routes);
        let (first, retry) = site.twice(&Request::post(place.path()).key("k"));
        for name in [
            "x-request-id",
            "server-timing",
            "location",
            "etag",
            "x-version",
            "set-cookie",
        ] {
            assert!(first.header(name).is_some(), "{name} {place:?}");
        }
        assert_eq!(names(&first, &retry), expected, "{place:?}");
        assert_eq!(site.runs.count(), 1);
    }
}

#[test]
fn a_dropped_header_is_not_replayed() {
    assert_kept(
        |layer| layer.drop_headers(["X-Request-Id", "server-timing"]),
        |route| route.drop_headers(["X-Request-Id", "server-timing"]),
        &["content-type", "etag", "location", "x-version"],
    );
}

#[test]
fn kept_headers_stand_beside_what_an_answer_cannot_be_without() {
    assert_kept(
        |layer| layer.keep_headers(["X-Version"]),
        |route| route.keep_headers(["X-Version"]),
        &["content-type", "etag", "location", "x-version"],
    );
    assert_kept(
        |layer| layer.keep_headers([""; 0]),
        |route| route.keep_headers([""; 0]),
        &["content-type", "etag", "location"],
    );
}

#[test]
fn cookies_are_an_option_of_their_own() {
    assert_kept(
        |layer| layer.keep_headers(["set-cookie"]),
        |route| route.keep_headers(["set-cookie"]),
        &["content-type", "etag", "location"],
    );
    assert_kept(
        |layer| layer.keep_headers([""; 0]).keep_cookies(true),
        |route| route.keep_headers([""; 0]).keep_cookies(true),
        &["content-type", "etag", "location", "set-cookie"],
    );
    assert_kept(
        |layer| {
            layer
                .drop_headers(["set-cookie", "etag"])
                .keep_cookies(true)
        },
        |route| {
            route
                .drop_headers(["set-cookie", "etag"])
                .keep_cookies(true)
        },
        &[
            "content-type",
            "location",
            "server-timing",
            "server-timing",
            "x-request-id",
            "x-version",
        ],
    );
}

#[test]
fn a_route_takes_back_what_the_layer_drops() {
    let layer = builder().all_routes().drop_headers(["x-request-id"]);
    let all = RouteOptions::new().drop_headers([""; 0]);
    let layer = layer.route(Method::POST, "/plain", all).build();
    let site = Site::new(layer.expect("a layer"), routes);
    let (_, retry) = site.twice(&Request::post("/plain").key("k"));
    assert_eq!(retry.header("x-request-id"), Some("1"));
    let (_, retry) = site.twice(&Request::post("/charges").key("k"));
    assert!(retry.is_replay() && retry.header("x-request-id").is_none());
}

#[post("/dropping")]
#[idempotent(drop_headers = ["X-Request-Id"])]
async fn dropping(runs: Counter) -> impl Responder {
    answer(&runs)
}

#[post("/keeping")]
#[idempotent(keep_headers = ["x-request-id"])]
async fn keeping(runs: Counter) -> impl Responder {
    answer(&runs)
}

#[test]
fn the_attribute_has_both_also_under_an_all_routes_layer() {
    for layer in [marked(), idempotency_actix_tests::app::covering()] {
        let site = Site::new(layer, |config: &mut ServiceConfig| {
            config.service(dropping).service(keeping);
        });
        let (_, retry) = site.twice(&Request::post("/dropping").key("k"));
        assert!(retry.is_replay() && retry.header("x-request-id").is_none());
        assert_eq!(retry.lines("server-timing").len(), 2);
        let (_, retry) = site.twice(&Request::post("/keeping").key("k"));
        assert!(retry.is_replay() && retry.header("server-timing").is_none());
        assert_eq!(retry.header("x-request-id"), Some("2"));
    }
}

#[test]
fn headers_that_cannot_hold_are_refused_when_the_layer_is_built() {
    let both = builder().drop_headers(["a"]).keep_headers(["b"]).build();
    assert_eq!(both.expect_err("both"), ConfigError::HeadersTwice);
    for name in ["Content-Type", "content-encoding"] {
        let error = builder().drop_headers([name]).build().expect_err(name);
        assert_eq!(error, ConfigError::DroppedHeader(name.to_lowercase()));
    }
    let name = ConfigError::HeaderName("request id".into());
    for layer in [
        builder().drop_headers(["request id"]),
        builder().keep_headers(["request id"]),
    ] {
        assert_eq!(layer.build().expect_err("no name"), name);
    }
    let route = RouteOptions::new().drop_headers(["a"]).keep_headers(["b"]);
    let layer = builder().all_routes().route(Method::POST, "/plain", route);
    let Err(ConfigError::Route { mistake, .. }) = layer.build() else {
        panic!("both, for a route");
    };
    assert_eq!(
        mistake,
        RouteMistake::Option(Box::new(ConfigError::HeadersTwice))
    );
}
