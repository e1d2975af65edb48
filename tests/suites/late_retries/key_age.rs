//! How old a key may be: by its own time, or by that of the first try. No retry runs twice, however late it comes.

use std::time::{Duration, SystemTime};

use actix_web::http::Method;
use actix_web::web::ServiceConfig;
use actix_web::{HttpResponse, Responder, post};
use idempotency_actix::{
    Clock, ConfigError, Idempotency, IdempotencyBuilder, KEY_CLOCK_SKEW, KeyFormat, KeyScope,
    MemoryStore, RouteMistake, RouteOptions, idempotent,
};
use idempotency_actix_tests::app::{Counter, Site, builder};
use idempotency_actix_tests::{
    Request, Response, assert_first, assert_problem, assert_replay, log,
};

use crate::keys::{http_date, minutes, ulid, uuid7};
use crate::places::{Place, routes};

const HOUR: Duration = minutes(60);

/// A store and a layer by one clock.
fn layer(clock: &Clock) -> IdempotencyBuilder {
    let store = MemoryStore::builder().clock(clock.clone()).build();
    Idempotency::builder(store, KeyScope::everyone()).clock(clock.clone())
}

fn site(clock: &Clock, options: impl Fn(IdempotencyBuilder) -> IdempotencyBuilder) -> Site {
    Site::new(options(layer(clock)).build().expect("a layer"), routes)
}

/// How a request tells its time.
#[derive(Clone, Copy, Debug)]
enum Told {
    Uuid7,
    Ulid,
    Header,
}

impl Told {
    const ALL: [Self; 3] = [Self::Uuid7, Self::Ulid, Self::Header];

    fn to_layer(self, layer: IdempotencyBuilder) -> IdempotencyBuilder {
        match self {
            Self::Uuid7 => layer.key_format(KeyFormat::uuid7()),
            Self::Ulid => layer.key_format(KeyFormat::ulid()),
            Self::Header => layer.first_sent_header("repeatability-first-sent"),
        }
    }

    fn to_route(self, route: RouteOptions) -> RouteOptions {
        match self {
            Self::Uuid7 => route.key_format(KeyFormat::uuid7()),
            Self::Ulid => route.key_format(KeyFormat::ulid()),
            Self::Header => route.first_sent_header("repeatability-first-sent"),
        }
    }

    fn request(self, path: &str, time: SystemTime) -> Request {
        let request = Request::post(path);
        match self {
            Self::Uuid7 => request.key(&uuid7(time)),
            Self::Ulid => request.key(&ulid(time)),
            Self::Header => (request.key("k")).header("Repeatability-First-Sent", &http_date(time)),
        }
    }
}

/// For each way to tell the time, and each place of the options: an age and a `ttl` of one hour.
fn in_each_way(test: impl Fn(&dyn Fn(SystemTime) -> Response, &Clock, &Site)) {
    for told in Told::ALL {
        for place in Place::ALL {
            let clock = Clock::manual();
            let layer = place.layer(
                layer(&clock),
                |layer| told.to_layer(layer).ttl(HOUR).max_key_age(HOUR),
                |route| told.to_route(route).ttl(HOUR).max_key_age(HOUR),
            );
            let site = Site::new(layer, routes);
            let send = |time| site.send(told.request(place.path(), time));
            test(&send, &clock, &site);
        }
    }
}

#[test]
fn a_retry_in_time_is_a_replay() {
    in_each_way(|send, clock, site| {
        let made = clock.time_of_day();
        assert_first(&send(made), 201, "1:");
        clock.advance(minutes(59));
        assert_replay(&send(made), 201, "1:");
        assert_eq!(site.runs.count(), 1);
    });
}

#[test]
fn a_key_that_is_too_old_is_412_and_runs_nothing() {
    in_each_way(|send, clock, site| {
        let old = clock.time_of_day() - HOUR - KEY_CLOCK_SKEW - Duration::from_secs(2);
        let answer = send(old);
        assert_problem(&answer, 412, "key-expired");
        let json: serde_json::Value = serde_json::from_slice(&answer.body).expect("json");
        assert_eq!(json["max_key_age"], 3600);
        assert_eq!(site.runs.count(), 0);
    });
}

#[test]
fn a_key_is_too_old_whatever_is_recorded() {
    in_each_way(|send, clock, site| {
        let made = clock.time_of_day() - HOUR;
        assert_first(&send(made), 201, "1:");
        clock.advance(KEY_CLOCK_SKEW + Duration::from_secs(2));
        assert_problem(&send(made), 412, "key-expired");
        assert_eq!(site.runs.count(), 1);
    });
}

#[test]
fn a_clock_that_is_five_minutes_off_is_let_in() {
    in_each_way(|send, clock, site| {
        let now = clock.time_of_day();
        let almost = KEY_CLOCK_SKEW - Duration::from_secs(2);
        assert_first(&send(now + almost), 201, "1:");
        assert_eq!(site.runs.count(), 1);
    });
    in_each_way(|send, clock, _| {
        let now = clock.time_of_day();
        let almost = KEY_CLOCK_SKEW - Duration::from_secs(2);
        assert_first(&send(now - HOUR - almost), 201, "1:");
    });
}

#[test]
fn a_time_further_ahead_is_400() {
    for (told, problem) in [
        (Told::Uuid7, "invalid-key"),
        (Told::Ulid, "invalid-key"),
        (Told::Header, "invalid-first-sent"),
    ] {
        let clock = Clock::manual();
        let site = site(&clock, |layer| told.to_layer(layer).max_key_age(HOUR));
        let ahead = clock.time_of_day() + KEY_CLOCK_SKEW + Duration::from_secs(2);
        let answer = site.send(told.request("/charges", ahead));
        assert_problem(&answer, 400, problem);
        assert!(answer.text().contains("ahead"), "{answer:?}");
        assert_eq!(site.runs.count(), 0);
    }
}

/// The promise: minute by minute, whatever the clock of the client.
#[test]
fn no_retry_ever_runs_twice() {
    for ahead in [0, 1, 5, 9] {
        in_each_way(|send, clock, site| {
            // From 5 minutes behind to 4 ahead.
            let made = clock.time_of_day() + minutes(ahead) - minutes(5);
            assert_first(&send(made), 201, "1:");
            for _ in 0..80 {
                clock.advance(minutes(1));
                let retry = send(made);
                match retry.is_replay() {
                    true => assert_replay(&retry, 201, "1:"),
                    false => assert_problem(&retry, 412, "key-expired"),
                }
            }
            assert_eq!(site.runs.count(), 1);
        });
    }
}

#[test]
fn a_handler_that_keeps_its_record_for_less_is_no_gap() {
    #[post("/short")]
    #[idempotent(ttl = "1s")]
    async fn short(runs: Counter) -> impl Responder {
        HttpResponse::Ok().body(runs.next().to_string())
    }

    for all_routes in [false, true] {
        let clock = Clock::manual();
        let layer = layer(&clock)
            .key_format(KeyFormat::uuid7())
            .max_key_age(HOUR);
        let layer = if all_routes {
            layer.all_routes()
        } else {
            layer
        };
        let site = Site::new(
            layer.build().expect("a layer"),
            |config: &mut ServiceConfig| {
                config.service(short);
            },
        );
        let request = Request::post("/short").key(&uuid7(clock.time_of_day()));
        assert_first(&site.send(request.clone()), 200, "1");
        clock.advance(HOUR);
        assert_replay(&site.send(request), 200, "1");
        assert_eq!(site.runs.count(), 1);
    }
}

#[test]
fn a_first_sent_header_has_one_form() {
    let clock = Clock::manual();
    let site = site(&clock, |layer| {
        Told::Header.to_layer(layer).max_key_age(HOUR)
    });
    let now = http_date(clock.time_of_day());
    for wrong in [
        "",
        "yesterday",
        "2026-11-29T03:36:28Z",
        "1795923388",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Mon, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        &now.to_lowercase(),
    ] {
        let request = Request::post("/charges").key("k");
        let answer = site.send(request.header("Repeatability-First-Sent", wrong));
        assert_problem(&answer, 400, "invalid-first-sent");
    }
    let twice = Request::post("/charges").key("k");
    let twice = twice.header("Repeatability-First-Sent", &now);
    let twice = twice.header("Repeatability-First-Sent", &now);
    assert_problem(&site.send(twice), 400, "invalid-first-sent");
    let without = Request::post("/charges").key("k");
    assert_problem(&site.send(without), 400, "invalid-first-sent");
    assert_eq!(site.runs.count(), 0);
    let unkeyed = site.send(Request::post("/charges"));
    assert_first(&unkeyed, 201, "1:");
}

#[test]
fn a_first_sent_header_that_is_written_anew_is_another_request() {
    let clock = Clock::manual();
    let site = site(&clock, |layer| {
        Told::Header
            .to_layer(layer)
            .vary(["x-version"])
            .max_key_age(HOUR)
    });
    let made = clock.time_of_day();
    assert_eq!(
        site.send(Told::Header.request("/charges", made)).status,
        201
    );
    clock.advance(minutes(1));
    let anew = site.send(Told::Header.request("/charges", clock.time_of_day()));
    assert_problem(&anew, 422, "key-reused");
    let retry = site.send(Told::Header.request("/charges", made));
    assert!(retry.is_replay());
    assert_eq!(site.runs.count(), 1);
}

#[test]
fn a_first_sent_header_outranks_the_key() {
    let clock = Clock::manual();
    let site = site(&clock, |layer| {
        let layer = Told::Header.to_layer(layer).key_format(KeyFormat::uuid7());
        layer.max_key_age(HOUR)
    });
    let now = clock.time_of_day();
    let old = Request::post("/charges").key(&uuid7(now - 3 * HOUR));
    let old = old.header("Repeatability-First-Sent", &http_date(now));
    assert_eq!(site.send(old).status, 201);
}

#[test]
fn a_route_takes_back_the_age() {
    let clock = Clock::manual();
    let layer = layer(&clock)
        .key_format(KeyFormat::uuid7())
        .max_key_age(HOUR);
    let route = RouteOptions::new().max_key_age(Duration::ZERO);
    let layer = layer.all_routes().route(Method::POST, "/plain", route);
    let site = Site::new(layer.build().expect("a layer"), routes);
    let old = uuid7(clock.time_of_day() - 3 * HOUR);
    assert_eq!(site.send(Request::post("/plain").key(&old)).status, 201);
    let refused = site.send(Request::post("/charges").key(&old));
    assert_problem(&refused, 412, "key-expired");
}

#[test]
fn a_layer_whose_age_cannot_hold_is_not_built() {
    let longer = builder()
        .key_format(KeyFormat::uuid7())
        .ttl(HOUR)
        .max_key_age(2 * HOUR);
    let error = longer.build().expect_err("an age above the ttl");
    let (max_key_age, ttl) = (2 * HOUR, HOUR);
    assert_eq!(error, ConfigError::MaxKeyAge { max_key_age, ttl });
    for format in [KeyFormat::any(), KeyFormat::uuid(), KeyFormat::by(|_| true)] {
        let error = builder().key_format(format).max_key_age(HOUR).build();
        assert_eq!(error.expect_err("no time"), ConfigError::NoKeyTime);
    }
    let route = RouteOptions::new().max_key_age(HOUR);
    let layer = builder().all_routes().route(Method::POST, "/plain", route);
    let Err(ConfigError::Route { mistake, .. }) = layer.build() else {
        panic!("a route without the time of a key");
    };
    assert_eq!(
        mistake,
        RouteMistake::Option(Box::new(ConfigError::NoKeyTime))
    );
    let name = builder().first_sent_header("first sent").build();
    assert_eq!(
        name.expect_err("no name"),
        ConfigError::HeaderName("first sent".into())
    );
}

#[post("/timeless")]
#[idempotent(max_key_age = "1h")]
async fn timeless(runs: Counter) -> impl Responder {
    HttpResponse::Ok().body(runs.next().to_string())
}

#[post("/uuid7")]
#[idempotent(max_key_age = "1h", key_format = "uuid7")]
async fn by_uuid7(runs: Counter) -> impl Responder {
    HttpResponse::Ok().body(runs.next().to_string())
}

#[post("/first-sent")]
#[idempotent(max_key_age = "1h", first_sent_header = "Repeatability-First-Sent")]
async fn by_first_sent(runs: Counter) -> impl Responder {
    HttpResponse::Ok().body(runs.next().to_string())
}

fn attributes(config: &mut ServiceConfig) {
    config
        .service(timeless)
        .service(by_uuid7)
        .service(by_first_sent);
}

#[test]
fn the_attribute_bounds_the_age_too() {
    let clock = Clock::manual();
    let site = Site::new(layer(&clock).build().expect("a layer"), attributes);
    let now = clock.time_of_day();
    for (told, path) in [(Told::Uuid7, "/uuid7"), (Told::Header, "/first-sent")] {
        let fresh = told.request(path, now);
        assert!(!site.send(fresh.clone()).is_replay());
        assert!(site.send(fresh).is_replay());
        assert_problem(
            &site.send(told.request(path, now - 2 * HOUR)),
            412,
            "key-expired",
        );
    }
    assert_eq!(site.runs.count(), 2);
}

#[test]
fn an_attribute_that_finds_no_time_with_its_layer_is_500_and_logged() {
    log::listen();
    let clock = Clock::manual();
    let site = Site::new(layer(&clock).build().expect("a layer"), attributes);
    let refused = site.send(Request::post("/timeless").key("k"));
    assert_eq!(refused.status, 500);
    // These tests are a debug build.
    assert!(refused.text().contains("`max_key_age` of #[idempotent]"));
    assert_eq!(
        log::lines_with(&["`max_key_age` of #[idempotent] needs the time"]).len(),
        1
    );
    assert_eq!(site.runs.count(), 0);
    let layer = layer(&clock).key_format(KeyFormat::ulid()).build();
    let site = Site::new(layer.expect("a layer"), attributes);
    let key = ulid(clock.time_of_day());
    assert_eq!(site.send(Request::post("/timeless").key(&key)).status, 200);
}
