//! Which answers tell clients for how long they may retry.

use std::time::{Duration, SystemTime};

use actix_web::http::header::HttpDate;
use actix_web::web::{Bytes, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Responder, post};
use futures_util::stream;
use idempotency_actix::{ConfigError, IdempotencyBuilder, RouteOptions, idempotent};
use idempotency_actix_tests::app::{Counter, Site, builder};
use idempotency_actix_tests::{Request, Response, assert_problem};

use crate::places::Place;

const HEADER: &str = "idempotency-key-ttl";

fn answer(runs: &Counter, request: &HttpRequest) -> HttpResponse {
    runs.next();
    let chunks = stream::iter(["a", "b"].map(|it| Ok::<_, std::io::Error>(Bytes::from(it))));
    match request.query_string() {
        "busy" => HttpResponse::TooManyRequests().finish(),
        "events" => HttpResponse::Ok()
            .content_type("text/event-stream")
            .streaming(chunks),
        "stream" => HttpResponse::Ok().streaming(chunks),
        // As a proxy of another such service has it.
        "forged" => HttpResponse::Ok().insert_header((HEADER, "1")).finish(),
        _ => HttpResponse::Created().finish(),
    }
}

#[post("/charges")]
#[idempotent]
async fn charges(runs: Counter, request: HttpRequest) -> impl Responder {
    answer(&runs, &request)
}

#[post("/plain")]
async fn plain(runs: Counter, request: HttpRequest) -> impl Responder {
    answer(&runs, &request)
}

fn routes(config: &mut ServiceConfig) {
    config.service(charges).service(plain);
}

fn told(answer: &Response) -> Vec<&str> {
    answer.lines(HEADER)
}

fn in_each_place(
    to_layer: impl Fn(IdempotencyBuilder) -> IdempotencyBuilder,
    to_route: impl Fn(RouteOptions) -> RouteOptions,
    test: impl Fn(&Site, &str),
) {
    for place in Place::ALL {
        let layer = place.layer(
            builder().window_header("Idempotency-Key-Ttl"),
            &to_layer,
            &to_route,
        );
        test(&Site::new(layer, routes), place.path());
    }
}

#[test]
fn a_first_answer_and_its_replays_tell_the_ttl() {
    let hour = Duration::from_secs(3600);
    in_each_place(
        |layer| layer.ttl(hour),
        |route| route.ttl(hour),
        |site, path| {
            for query in ["", "stream", "forged"] {
                let target = format!("{path}?{query}");
                let request = Request::post(&target).key(&format!("k{query}"));
                let (first, retry) = site.twice(&request);
                assert!(
                    !first.is_replay() && retry.is_replay(),
                    "{target} {retry:?}"
                );
                assert_eq!(
                    (told(&first), told(&retry)),
                    (vec!["3600"], vec!["3600"]),
                    "{target}"
                );
            }
            assert_eq!(site.runs.count(), 3);
        },
    );
}

#[test]
fn keys_of_a_bounded_age_tell_that() {
    let bounded = |route: RouteOptions| {
        route
            .first_sent_header("repeatability-first-sent")
            .max_key_age(Duration::from_secs(600))
    };
    in_each_place(
        |layer| {
            layer
                .first_sent_header("repeatability-first-sent")
                .max_key_age(Duration::from_secs(600))
        },
        bounded,
        |site, path| {
            let now = HttpDate::from(SystemTime::now()).to_string();
            let request = Request::post(path)
                .key("k")
                .header("repeatability-first-sent", &now);
            let (first, retry) = site.twice(&request);
            assert_eq!((told(&first), told(&retry)), (vec!["600"], vec!["600"]));
            assert_eq!(site.runs.count(), 1);
        },
    );
}

#[test]
fn what_is_not_recorded_tells_nothing() {
    in_each_place(
        |layer| layer,
        |route| route,
        |site, path| {
            assert_eq!(told(&site.send(Request::post(path))), [""; 0]);
            let busy = format!("{path}?busy");
            assert_eq!(told(&site.send(Request::post(&busy).key("b"))), [""; 0]);
            let other = Request::post(path).key("b").body("other");
            assert_eq!(told(&site.send(other)), ["86400"]);
            let reused = site.send(Request::post(path).key("b").body("another"));
            assert_problem(&reused, 422, "key-reused");
            assert_eq!(told(&reused), [""; 0]);
            assert_eq!(site.runs.count(), 3);
        },
    );
}

#[test]
fn an_answer_that_is_not_kept_tells_how_long_its_key_is_used_up() {
    in_each_place(
        |layer| layer,
        |route| route,
        |site, path| {
            let events = format!("{path}?events");
            let request = Request::post(&events).key("k");
            let (first, retry) = site.twice(&request);
            assert_eq!(told(&first), ["86400"]);
            assert_problem(&retry, 410, "response-not-kept");
            assert_eq!(site.runs.count(), 1);
        },
    );
}

#[test]
fn without_the_option_nothing_is_told() {
    let site = Site::new(builder().build().expect("options that can hold"), routes);
    let (first, retry) = site.twice(&Request::post("/charges").key("k"));
    assert_eq!((told(&first), told(&retry)), (vec![], vec![]));
}

#[test]
fn what_is_no_header_name_is_refused() {
    let refused = builder().window_header("key ttl").build();
    assert!(matches!(refused, Err(ConfigError::HeaderName(name)) if name == "key ttl"));
}
