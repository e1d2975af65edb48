//! The two marks of the layer's own: a handler that puts them on its answer, as a proxy of another such service
//! does, is not believed.

use actix_web::HttpResponse;
use actix_web::HttpResponseBuilder;
use actix_web::body::BodyStream;
use actix_web::http::StatusCode;
use actix_web::web::Bytes;
use futures_util::stream;
use idempotency_actix::NotExecuted;
use idempotency_actix_tests::app::{FaultyStore, Mode, Rig};
use idempotency_actix_tests::{Response, assert_problem, in_both_modes};

in_both_modes! {
    a_handlers_own_marks_are_neither_sent_nor_stored
    a_streams_own_marks_are_neither_sent_nor_stored
    an_answer_that_is_not_kept_goes_out_without_marks_of_its_own
    an_answer_that_is_released_goes_out_without_marks_of_its_own
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
