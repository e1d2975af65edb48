//! Routes that record the status of an answer, and no body.

use actix_web::web::{Bytes, ServiceConfig};
use actix_web::{Error, HttpRequest, HttpResponse, Responder, error, post};
use futures_util::{StreamExt, stream};
use idempotency_actix::{KeptAnswer, idempotent};
use idempotency_actix_tests::app::{Counter, Site, builder, covering, marked};
use idempotency_actix_tests::{Request, Response, assert_problem};

use crate::places::Place;

fn answer(runs: &Counter, request: &HttpRequest) -> HttpResponse {
    runs.next();
    let mut answer = HttpResponse::Accepted();
    answer.insert_header(("location", "/exports/1"));
    answer.insert_header(("etag", "\"1\""));
    answer.insert_header(("x-version", "7"));
    let chunk = |text: &'static str| Ok::<_, Error>(Bytes::from_static(text.as_bytes()));
    let chunks = move || stream::iter([chunk("one "), chunk("two")]);
    match request.query_string() {
        "whole" => answer.content_type("text/plain").body("a whole body"),
        "large" => answer.body("x".repeat(100)),
        "stream" => answer.streaming(chunks()),
        "long-stream" => {
            answer.streaming(stream::repeat_with(move || chunk("0123456789")).take(10))
        }
        "events" => answer.content_type("text/event-stream").streaming(chunks()),
        "broken" => {
            let end = stream::iter([Err(error::ErrorBadGateway("gone"))]);
            answer.streaming(chunks().chain(end))
        }
        "none" => HttpResponse::NoContent()
            .insert_header(("etag", "\"1\""))
            .finish(),
        other => panic!("{other}"),
    }
}

#[post("/charges")]
#[idempotent]
async fn charges(runs: Counter, request: HttpRequest) -> impl Responder {
    answer(&runs, &request)
}

#[post("/plain")]
async fn plain(runs: Counter, request: HttpRequest) -> HttpResponse {
    answer(&runs, &request)
}

fn routes(config: &mut ServiceConfig) {
    config.service(charges).service(plain);
}

fn in_each_place(what: &str, body: &str, test: impl Fn(Response)) {
    for place in Place::ALL {
        let layer = builder().max_response(50);
        let layer = place.layer(
            layer,
            |layer| layer.record(KeptAnswer::Status),
            |route| route.record(KeptAnswer::Status),
        );
        let site = Site::new(layer, routes);
        let request = Request::post(&format!("{}?{what}", place.path())).key("k");
        let first = site.send(request.clone());
        assert_eq!(first.text(), body, "{place:?}");
        assert!(!first.is_replay());
        test(site.send(request));
        assert_eq!(site.runs.count(), 1);
    }
}

#[track_caller]
fn assert_status_alone(retry: &Response) {
    assert!(retry.is_replay(), "{retry:?}");
    assert_eq!((retry.status, &*retry.text()), (202, ""));
    let names = retry.headers.iter().map(|(name, _)| &**name);
    let mut names: Vec<_> = names.filter(|name| *name != "date").collect();
    names.sort();
    assert_eq!(names, ["content-length", "idempotent-replayed", "location"]);
    assert_eq!(retry.header("location"), Some("/exports/1"));
}

#[test]
fn a_retry_gets_status_and_location_and_no_body() {
    in_each_place("whole", "a whole body", |retry| assert_status_alone(&retry));
    in_each_place("stream", "one two", |retry| assert_status_alone(&retry));
}

#[test]
fn no_answer_is_too_large_for_its_status() {
    let large = "x".repeat(100);
    in_each_place("large", &large, |retry| assert_status_alone(&retry));
    let long = "0123456789".repeat(10);
    in_each_place("long-stream", &long, |retry| assert_status_alone(&retry));
    in_each_place("events", "one two", |retry| assert_status_alone(&retry));
}

#[test]
fn an_answer_without_a_body_is_one_again() {
    in_each_place("none", "", |retry| {
        assert_eq!((retry.status, retry.is_replay()), (204, true));
        assert_eq!(retry.header("etag"), None);
    });
}

#[test]
fn a_stream_that_breaks_off_is_not_kept() {
    for place in Place::ALL {
        let layer = place.layer(
            builder(),
            |layer| layer.record(KeptAnswer::Status),
            |route| route.record(KeptAnswer::Status),
        );
        let site = Site::new(layer, routes);
        let request = Request::post(&format!("{}?broken", place.path())).key("k");
        let mut client = site.connect();
        client.send(&request);
        assert!(client.try_receive().is_err());
        idempotency_actix_tests::eventually("the end of the stream", || {
            site.send(request.clone()).status == 410
        });
        assert_problem(&site.send(request), 410, "response-not-kept");
        assert_eq!(site.runs.count(), 1);
    }
}

#[post("/status")]
#[idempotent(record = "status")]
async fn status(runs: Counter) -> impl Responder {
    runs.next();
    HttpResponse::Accepted()
        .insert_header(("location", "/exports/1"))
        .body("body")
}

#[test]
fn the_attribute_records_the_status_also_under_an_all_routes_layer() {
    for layer in [
        marked(),
        covering(),
        builder()
            .record(KeptAnswer::Status)
            .build()
            .expect("a layer"),
    ] {
        let site = Site::new(layer, |config: &mut ServiceConfig| {
            config.service(status);
        });
        let (first, retry) = site.twice(&Request::post("/status").key("k"));
        assert_eq!(first.text(), "body");
        assert_status_alone(&retry);
    }
}
