//! Replays that the application edits on their way out.

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_LENGTH, HeaderName, HeaderValue};
use actix_web::web::{Bytes, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Responder, post};
use idempotency_actix::{Fingerprinting, idempotent};
use idempotency_actix_tests::app::{Counter, Site, builder, marked};
use idempotency_actix_tests::{Request, assert_first, assert_problem, assert_replay};

use crate::places::{Place, in_each_place};

/// What of a call counts: all but its id, in front of the colon.
fn call(_: &HttpRequest, body: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(body).into_owned();
    text.split_once(':')
        .map_or(text.clone(), |(_, call)| call.to_owned())
        .into_bytes()
}

/// Puts the id of the retry's own call in front, and tries to take the mark.
fn own_id(_: &HttpRequest, body: &[u8], mut replay: HttpResponse<Bytes>) -> HttpResponse<Bytes> {
    let id = String::from_utf8_lossy(body);
    let id = id.split(':').next().unwrap_or_default();
    replay.headers_mut().remove("idempotent-replayed");
    replay
        .headers_mut()
        .insert(CONTENT_LENGTH, HeaderValue::from_static("1"));
    replay.headers_mut().insert(
        HeaderName::from_static("x-id"),
        HeaderValue::from_str(id).expect("an id"),
    );
    replay.map_body(|_, body| Bytes::from([id.as_bytes(), b"=", &body].concat()))
}

#[test]
fn a_replay_is_edited_and_the_record_is_not() {
    in_each_place(
        |layer| {
            layer
                .fingerprint(Fingerprinting::by(call))
                .on_replay(own_id)
        },
        |route| {
            route
                .fingerprint(Fingerprinting::by(call))
                .on_replay(own_id)
        },
        |place: Place, site| {
            let send = |body: &str| site.send(Request::post(place.path()).key("k").body(body));
            assert_first(&send("1:pay"), 201, "1:1:pay");
            for id in ["2", "3", "2"] {
                let retry = send(&format!("{id}:pay"));
                assert_replay(&retry, 201, &format!("{id}=1:1:pay"));
                assert_eq!(retry.header("x-id"), Some(id));
                assert_eq!(
                    retry.lines("content-length"),
                    [retry.body.len().to_string()]
                );
            }
            assert_problem(&send("4:refund"), 422, "key-reused");
            assert_eq!(site.runs.count(), 1);
        },
    );
}

#[test]
fn another_answer_in_its_place_is_marked_too() {
    let other = |_: &HttpRequest, _: &[u8], _: HttpResponse<Bytes>| {
        HttpResponse::with_body(StatusCode::ACCEPTED, Bytes::from_static(b"other"))
    };
    in_each_place(
        |layer| layer.on_replay(other),
        |route| route.on_replay(other),
        |place, site| {
            let (first, retry) = site.twice(&Request::post(place.path()).key("k"));
            assert_first(&first, 201, "1:");
            assert_replay(&retry, 202, "other");
        },
    );
}

#[test]
fn an_edit_that_panics_is_500_and_the_next_retry_asks_again() {
    let once = |_: &HttpRequest, body: &[u8], replay: HttpResponse<Bytes>| match body {
        b"bad:" => panic!("no edit"),
        _ => replay,
    };
    in_each_place(
        |layer| layer.fingerprint(Fingerprinting::by(call)).on_replay(once),
        |route| route.fingerprint(Fingerprinting::by(call)).on_replay(once),
        |place, site| {
            let send = |body: &str| site.send(Request::post(place.path()).key("k").body(body));
            assert_eq!(send("1:").status, 201);
            let panicked = send("bad:");
            assert_eq!((panicked.status, panicked.is_replay()), (500, false));
            assert!(!panicked.text().contains("no edit"));
            assert_replay(&send("2:"), 201, "1:1:");
            assert_eq!(site.runs.count(), 1);
        },
    );
}

#[post("/edited")]
#[idempotent(on_replay = own_id, fingerprint = call)]
async fn with_own_id(runs: Counter) -> impl Responder {
    runs.next();
    HttpResponse::NoContent().finish()
}

#[post("/unedited")]
#[idempotent]
async fn plainly(runs: Counter) -> impl Responder {
    runs.next();
    HttpResponse::NoContent().finish()
}

#[test]
fn the_attribute_edits_too() {
    let routes = |config: &mut ServiceConfig| {
        config.service(with_own_id).service(plainly);
    };
    let site = Site::new(marked(), routes);
    let send = |body: &str| site.send(Request::post("/edited").key("k").body(body));
    assert_eq!(send("1:").header("x-id"), None);
    let retry = send("2:");
    assert_eq!(
        (retry.status, retry.is_replay(), retry.header("x-id")),
        (204, true, Some("2"))
    );

    let site = Site::new(builder().all_routes().build().expect("a layer"), routes);
    let late = site.send(Request::post("/edited").key("k"));
    assert_eq!((late.status, site.runs.count()), (500, 0));
}
