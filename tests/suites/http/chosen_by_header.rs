//! Handlers that share a path and are chosen by a header: `vary`, and callers per host.

use actix_web::guard::{Header, Host};
use actix_web::http::Method;
use actix_web::rt::System;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Responder};
use idempotency_actix::store::RecordId;
use idempotency_actix::{
    Caller, ConfigError, Fingerprinting, Idempotency, IdempotencyBuilder, KeyScope, MemoryStore,
    RouteMistake, RouteOptions, idempotent,
};
use idempotency_actix_tests::app::{Counter, Site, builder};
use idempotency_actix_tests::{Request, Response, assert_problem};

use crate::places::{self, in_each_place};

#[idempotent]
async fn one(runs: Counter) -> impl Responder {
    HttpResponse::Created().body(format!("one:{}", runs.next()))
}

#[idempotent]
async fn other(runs: Counter) -> impl Responder {
    HttpResponse::Created().body(format!("other:{}", runs.next()))
}

#[idempotent(vary = ["Host", "x-api-version"])]
async fn varied(runs: Counter) -> impl Responder {
    HttpResponse::Created().body(runs.next().to_string())
}

fn routes(config: &mut ServiceConfig) {
    let second = |host| Header("x-api-version", host);
    config
        .route("/charges", web::post().guard(Host("a.test")).to(one))
        .route("/charges", web::post().guard(second("2")).to(other))
        .route("/charges", web::post().guard(Host("b.test")).to(other))
        .route("/varied", web::post().to(varied));
}

/// A request to a host, with other lines beside.
fn raw(path: &str, lines: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\n{lines}\r\nIdempotency-Key: \"k\"\r\nContent-Length: 0\r\n\
         Connection: close\r\n\r\n"
    )
    .into_bytes()
}

fn at(site: &Site, lines: &str) -> Response {
    site.send_bytes(&raw("/charges", lines))
}

#[test]
fn vary_refuses_a_key_that_comes_to_another_handler() {
    for all_routes in [false, true] {
        let layer = builder().vary(["host"]);
        let layer = match all_routes {
            true => layer.all_routes(),
            false => layer,
        };
        let site = Site::new(layer.build().unwrap(), routes);
        assert_eq!(at(&site, "Host: a.test").text(), "one:1");
        assert_problem(&at(&site, "Host: b.test"), 422, "key-reused");
        assert!(at(&site, "Host: a.test").is_replay());
        assert_eq!(site.runs.count(), 1);
    }
}

#[test]
fn callers_per_host_run_once_each() {
    let scope = KeyScope::everyone().per_host();
    let site = Site::new(Idempotency::new(MemoryStore::new(), scope), routes);
    assert_eq!(at(&site, "Host: a.test").text(), "one:1");
    assert_eq!(at(&site, "Host: b.test").text(), "other:2");
    assert!(at(&site, "Host: a.test").is_replay());
    assert!(at(&site, "Host: b.test").is_replay());
    assert_eq!(site.runs.count(), 2);
}

/// As HTTP/2 has it, in `:authority`.
#[test]
fn a_host_in_the_target_is_the_same_host() {
    let scope = KeyScope::everyone().per_host();
    let site = Site::new(Idempotency::new(MemoryStore::new(), scope), routes);
    assert_eq!(site.send_bytes(&raw("/varied", "Host: a.test")).status, 201);
    let retry = raw("http://a.test/varied", "Host: a.test");
    assert!(site.send_bytes(&retry).is_replay());
    let other = raw("http://b.test/varied", "Host: b.test");
    assert!(!site.send_bytes(&other).is_replay());
    assert_eq!(site.runs.count(), 2);
}

#[test]
fn per_host_refuses_a_request_that_names_no_host_or_two() {
    let scope = KeyScope::everyone().per_host();
    let site = Site::new(Idempotency::new(MemoryStore::new(), scope), routes);
    for (path, host) in [
        ("/varied", "X-Forwarded-Host: a.test"),
        ("/varied", "Host: "),
        ("http://a.test/varied", "Host: b.test"),
    ] {
        let answer = site.send_bytes(&raw(path, host));
        assert_eq!(answer.status, 400, "{path} {host}");
    }
    assert_eq!(site.runs.count(), 0);
}

#[test]
fn an_operator_names_a_caller_per_host() {
    let scope = KeyScope::by(|_| Some("ada")).per_host();
    let layer = Idempotency::new(MemoryStore::new(), scope);
    let site = Site::new(layer.clone(), routes);
    assert_eq!(at(&site, "Host: a.test").status, 201);
    let found = |caller: Caller| {
        let id = RecordId::of(&caller, &Method::POST, "/charges", "k");
        let record = System::new().block_on(layer.inspect(&id));
        record.expect("a store that answers").is_some()
    };
    let ada = || Caller::principal("ada");
    assert!(found(ada().at_host("A.test")));
    assert!(!found(ada().at_host("b.test")) && !found(ada()));
}

/// What the layer has and an entry of the table as well.
fn in_places(names: &[&str], test: impl Fn(&dyn Fn(&[(&str, &str)]) -> Response)) {
    in_each_place(
        |layer| layer.vary(names),
        |route| route.vary(names),
        |place, site| {
            test(&|lines| {
                let request = Request::post(place.path()).key("k");
                let with = |request: Request, line: &(&str, &str)| request.header(line.0, line.1);
                site.send(lines.iter().fold(request, with))
            });
        },
    );
}

#[test]
fn all_lines_of_a_header_count_and_absent_is_not_empty() {
    in_places(&["X-B", "x-a", "x-b"], |send| {
        assert_eq!(send(&[("x-a", "1"), ("x-a", "2")]).status, 201);
        for other in [
            &[][..],
            &[("x-a", "1")],
            &[("x-a", "2"), ("x-a", "1")],
            &[("x-a", "1"), ("x-a", "2"), ("x-b", "")],
            &[("x-a", "1"), ("x-b", "2")],
        ] {
            assert_problem(&send(other), 422, "key-reused");
        }
        let same = [("x-c", "3"), ("X-A", "1"), ("X-A", "2")];
        assert!(send(&same).is_replay());
    });
}

#[test]
fn the_attribute_takes_names_too() {
    let site = Site::new(builder().build().unwrap(), routes);
    let request = |version| {
        let request = Request::post("/varied").key("k");
        request.header("X-Api-Version", version)
    };
    assert_eq!(site.send(request("1")).status, 201);
    assert_problem(&site.send(request("2")), 422, "key-reused");
    assert!(site.send(request("1")).is_replay());
}

#[test]
fn headers_count_beside_a_function_and_every_other_mode() {
    let nothing = |_: &HttpRequest, _: &[u8]| [0_u8; 0];
    for mode in [
        Fingerprinting::bytes(),
        Fingerprinting::json(),
        Fingerprinting::multipart(),
        Fingerprinting::by(nothing),
    ] {
        let layer = builder().fingerprint(mode).vary(["x-a"]);
        let site = Site::new(layer.build().unwrap(), places::routes);
        let request = |value| Request::post("/charges").key("k").header("x-a", value);
        assert_eq!(site.send(request("1")).status, 201);
        assert_problem(&site.send(request("2")), 422, "key-reused");
        assert!(site.send(request("1")).is_replay());
    }
}

#[test]
fn what_is_no_header_name_is_refused() {
    for wrong in ["", "x a", ":authority", "host,x"] {
        let named = || vec!["host", wrong];
        let mistake = ConfigError::HeaderName(wrong.into());
        let error = builder().vary(named()).build();
        assert_eq!(error.expect_err("no header name"), mistake);
        let entry = RouteOptions::new().vary(named());
        let layer = builder().all_routes().route(Method::POST, "/plain", entry);
        let error = layer.build().expect_err("no header name");
        let ConfigError::Route { mistake: of, .. } = error else {
            panic!("{error:?}");
        };
        assert_eq!(of, RouteMistake::Option(Box::new(mistake)));
    }
}

/// How a first request and the same one, with another host, are answered around a deploy.
fn around_a_deploy(
    from: fn(IdempotencyBuilder) -> IdempotencyBuilder,
    to: fn(IdempotencyBuilder) -> IdempotencyBuilder,
) -> (Response, Response) {
    let store = MemoryStore::new();
    let site = |options: fn(IdempotencyBuilder) -> IdempotencyBuilder| {
        let layer = Idempotency::builder(store.clone(), KeyScope::everyone());
        Site::new(options(layer).build().unwrap(), places::routes)
    };
    let first = Request::post("/charges").key("k").header("x-a", "1");
    assert_eq!(site(from).send(first.clone()).status, 201);
    let site = site(to);
    let other = Request::post("/charges").key("k").header("x-a", "2");
    let answers = (site.send(first), site.send(other));
    assert_eq!(site.runs.count(), 0);
    answers
}

#[test]
fn a_record_is_compared_without_the_names_of_a_later_deploy() {
    let (same, other) = around_a_deploy(|layer| layer, |layer| layer.vary(["x-a"]));
    assert!(same.is_replay() && other.is_replay());
}

#[test]
fn a_record_of_other_names_is_503_and_never_a_mismatch() {
    let later: [fn(IdempotencyBuilder) -> IdempotencyBuilder; 3] = [
        |layer| layer,
        |layer| layer.vary(["x-b"]),
        |layer| layer.vary(["x-a", "x-b"]),
    ];
    for to in later {
        let (same, other) = around_a_deploy(|layer| layer.vary(["x-a"]), to);
        assert_problem(&same, 503, "store-unavailable");
        assert_problem(&other, 503, "store-unavailable");
    }
}

#[test]
fn a_record_with_names_outlives_a_change_of_mode() {
    let (same, other) = around_a_deploy(
        |layer| layer.vary(["x-a", "X-B"]),
        |layer| {
            layer
                .vary(["x-b", "x-a"])
                .fingerprint(Fingerprinting::json())
        },
    );
    assert!(same.is_replay());
    assert_problem(&other, 422, "key-reused");
}

/// A guard tells hosts apart by their case.
#[test]
fn vary_counts_the_case_of_a_host() {
    let site = Site::new(builder().vary(["host"]).build().unwrap(), routes);
    assert_eq!(site.send_bytes(&raw("/varied", "Host: a.test")).status, 201);
    let other = site.send_bytes(&raw("/varied", "Host: A.test"));
    assert_problem(&other, 422, "key-reused");
}
