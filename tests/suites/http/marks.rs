//! The two marks of the layer's own: a handler that puts them on its answer, as a proxy of another such service
//! does, is not believed.

use std::future::{Ready, ready};

use actix_web::body::BodyStream;
use actix_web::dev::Payload;
use actix_web::error::InternalError;
use actix_web::http::{Method, StatusCode};
use actix_web::web::{self, Bytes};
use actix_web::{Error, FromRequest, HttpRequest, HttpResponse, HttpResponseBuilder};
use futures_util::stream;
use idempotency_actix::{
    Idempotency, KeyScope, MemoryStore, NotExecuted, RouteOptions, idempotent,
};
use idempotency_actix_tests::app::{FaultyStore, Mode, Rig, Site, charge, marked};
use idempotency_actix_tests::{Request, Response, assert_problem, in_both_modes};

in_both_modes! {
    a_handlers_own_marks_are_neither_sent_nor_stored
    a_streams_own_marks_are_neither_sent_nor_stored
    an_answer_that_is_not_kept_goes_out_without_marks_of_its_own
    an_answer_that_is_released_goes_out_without_marks_of_its_own
    an_answer_to_a_request_without_a_key_goes_out_without_marks_of_its_own
}

fn forged(status: StatusCode) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    response
        .append_header(("idempotent-replayed", "true"))
        .append_header(("idempotent-replayed", "yes"))
        .append_header(("Idempotency-Status", "unstored"))
        .append_header(("x-upstream", "1"));
    response
}

#[track_caller]
fn assert_unmarked(answer: &Response) {
    assert_eq!(answer.header("x-upstream"), Some("1"), "{answer:?}");
    assert_eq!(answer.lines("idempotent-replayed"), [""; 0]);
    assert_eq!(answer.lines("idempotency-status"), [""; 0]);
}

#[track_caller]
fn assert_marked_once(retry: &Response) {
    assert_eq!(retry.header("x-upstream"), Some("1"), "{retry:?}");
    assert_eq!(retry.lines("idempotent-replayed"), ["true"]);
    assert_eq!(retry.lines("idempotency-status"), [""; 0]);
}

fn a_handlers_own_marks_are_neither_sent_nor_stored(mode: Mode) {
    for status in [StatusCode::CREATED, StatusCode::BAD_GATEWAY] {
        let rig = Rig::new(
            mode,
            FaultyStore::default(),
            |layer| layer,
            move |_| async move { forged(status).body("proxied") },
        );
        assert_unmarked(&rig.send("k"));
        assert_marked_once(&rig.send("k"));
        assert_eq!(rig.runs.count(), 1);
    }
}

fn a_streams_own_marks_are_neither_sent_nor_stored(mode: Mode) {
    let rig = Rig::new(
        mode,
        FaultyStore::default(),
        |layer| layer,
        |_| async {
            let chunks = ["a", "b"].map(|chunk| Ok::<_, std::io::Error>(Bytes::from(chunk)));
            forged(StatusCode::OK).body(BodyStream::new(stream::iter(chunks)))
        },
    );
    assert_unmarked(&rig.send("k"));
    let retry = rig.settle("k");
    assert_marked_once(&retry);
    assert_eq!((retry.text().as_str(), rig.runs.count()), ("ab", 1));
}

fn an_answer_that_is_not_kept_goes_out_without_marks_of_its_own(mode: Mode) {
    let rig = Rig::new(
        mode,
        FaultyStore::default(),
        |layer| layer.max_response(1),
        |_| async { forged(StatusCode::OK).body("more than is kept") },
    );
    assert_unmarked(&rig.send("k"));
    assert_problem(&rig.send("k"), 410, "response-not-kept");
}

fn an_answer_that_is_released_goes_out_without_marks_of_its_own(mode: Mode) {
    let rig = Rig::new(
        mode,
        FaultyStore::default(),
        |layer| layer,
        |run| async move {
            use actix_web::Responder;
            match run.number % 2 {
                0 => forged(StatusCode::TOO_MANY_REQUESTS).finish(),
                _ => {
                    let request = actix_web::test::TestRequest::default().to_http_request();
                    NotExecuted(forged(StatusCode::CONFLICT).finish()).respond_to(&request)
                }
            }
        },
    );
    assert_unmarked(&rig.send("k"));
    assert_unmarked(&rig.send("k"));
    assert_eq!(rig.runs.count(), 2);
}

fn an_answer_to_a_request_without_a_key_goes_out_without_marks_of_its_own(mode: Mode) {
    let rig = Rig::new(
        mode,
        FaultyStore::default(),
        |layer| layer,
        |_| async { forged(StatusCode::OK).body("proxied") },
    );
    assert_unmarked(&rig.send_request(&Request::post(rig.path())));
    assert_eq!(rig.runs.count(), 1);
}

/// An argument that is refused with the answer of another service.
struct Refused;

impl FromRequest for Refused {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(_: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Err(forged_error()))
    }
}

fn forged_error() -> Error {
    let answer = forged(StatusCode::UNAUTHORIZED).body("proxied");
    InternalError::from_response("refused elsewhere", answer).into()
}

#[idempotent]
async fn refused(_argument: Refused) -> HttpResponse {
    HttpResponse::Created().finish()
}

#[test]
fn an_argument_s_error_goes_out_without_marks_of_its_own() {
    let site = Site::new(marked(), |config| {
        config.route("/charges", web::post().to(refused));
    });
    let answer = site.send(Request::post("/charges").key("k"));
    assert_eq!(answer.status, 401);
    assert_unmarked(&answer);
}

#[test]
fn an_argument_s_error_goes_out_without_marks_of_its_own_where_there_is_no_key() {
    let layers = [
        marked(),
        Idempotency::builder(MemoryStore::new(), KeyScope::everyone())
            .all_routes()
            .build()
            .unwrap(),
    ];
    for layer in layers {
        let site = Site::new(layer, |config| {
            config.route("/charges", web::post().to(refused));
        });
        assert_unmarked(&site.send(Request::post("/charges")));
    }
}

#[idempotent(key_header = "delivery-id")]
async fn delivered() -> HttpResponse {
    HttpResponse::Created()
        .insert_header(("x-upstream", "1"))
        .finish()
}

#[test]
fn a_replay_of_a_marked_handler_inside_keeps_its_mark() {
    let layer = Idempotency::builder(MemoryStore::new(), KeyScope::everyone()).all_routes();
    let site = Site::new(layer.build().unwrap(), |config| {
        config.route("/deliveries", web::post().to(delivered));
    });
    let delivery = Request::post("/deliveries").header("delivery-id", "d");
    let (first, retry) = site.twice(&delivery);
    assert_unmarked(&first);
    assert_marked_once(&retry);
}

#[test]
fn marks_on_answers_that_the_layer_does_not_cover_are_left_alone() {
    let layer = Idempotency::builder(MemoryStore::new(), KeyScope::everyone()).all_routes();
    let layer = layer.route(Method::POST, "/forward", RouteOptions::new().skip());
    let site = Site::new(layer.build().unwrap(), |config| {
        config.route(
            "/forward",
            web::to(|| async { forged(StatusCode::OK).finish() }),
        );
    });
    for method in [Method::POST, Method::GET] {
        let answer = site.send(Request::new(method, "/forward").key("k"));
        assert_eq!(answer.lines("idempotent-replayed"), ["true", "yes"]);
        assert_eq!(answer.lines("idempotency-status"), ["unstored"]);
    }
}

#[test]
fn a_scope_s_error_goes_out_without_marks_of_its_own() {
    let scope = || KeyScope::try_by(|_| Err::<String, _>(forged_error()));
    for layer in [
        Idempotency::builder(MemoryStore::new(), scope()),
        Idempotency::builder(MemoryStore::new(), scope()).all_routes(),
    ] {
        let site = Site::new(layer.build().unwrap(), |config| {
            config.service(charge);
        });
        let answer = site.send(Request::post("/charges").key("k"));
        assert_eq!(answer.status, 401);
        assert_unmarked(&answer);
        assert_eq!(site.runs.count(), 0);
    }
}
