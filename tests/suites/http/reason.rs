//! Reason phrases of the handler's own, which are a part of its answer over HTTP/1.1.

use actix_web::HttpResponse;
use actix_web::body::BodyStream;
use actix_web::http::StatusCode;
use actix_web::web::Bytes;
use futures_util::stream;
use idempotency_actix_tests::app::{FaultyStore, Mode, Rig};
use idempotency_actix_tests::{Client, in_both_modes};

in_both_modes! {
    a_custom_reason_phrase_is_replayed
    a_reason_phrase_of_a_stream_is_replayed
    an_empty_reason_phrase_is_replayed
    a_usual_reason_phrase_is_replayed
}

/// Sends the request of the key, and expects the answer to begin like that.
#[track_caller]
fn assert_status_line(rig: &Rig, line: &str) {
    let mut client: Client = rig.ask("k");
    let begin = client.take(line.len() + 2).expect("a status line");
    assert_eq!(String::from_utf8_lossy(&begin), format!("{line}\r\n"));
}

/// The same line for the first answer and for the replay.
#[track_caller]
fn assert_replayed(rig: &Rig, line: &str) {
    assert_status_line(rig, line);
    assert!(rig.settle("k").is_replay());
    assert_status_line(rig, line);
    assert_eq!(rig.runs.count(), 1);
}

fn answering(mode: Mode, answer: impl Fn() -> HttpResponse + Clone + Send + Sync + 'static) -> Rig {
    Rig::new(
        mode,
        FaultyStore::default(),
        |layer| layer,
        move |_| {
            let answer = answer.clone();
            async move { answer() }
        },
    )
}

fn a_custom_reason_phrase_is_replayed(mode: Mode) {
    let rig = answering(mode, || {
        let mut response = HttpResponse::Created();
        response.reason("Charged, Again").body("1")
    });
    assert_replayed(&rig, "HTTP/1.1 201 Charged, Again");
}

fn a_reason_phrase_of_a_stream_is_replayed(mode: Mode) {
    let rig = answering(mode, || {
        let chunks = ["a", "b"].map(|chunk| Ok::<_, std::io::Error>(Bytes::from(chunk)));
        let mut response = HttpResponse::build(StatusCode::from_u16(599).unwrap());
        let body = BodyStream::new(stream::iter(chunks));
        response.reason("Flowing").body(body)
    });
    assert_replayed(&rig, "HTTP/1.1 599 Flowing");
}

fn an_empty_reason_phrase_is_replayed(mode: Mode) {
    let rig = answering(mode, || HttpResponse::Ok().reason("").body("1"));
    assert_replayed(&rig, "HTTP/1.1 200 ");
}

fn a_usual_reason_phrase_is_replayed(mode: Mode) {
    let rig = answering(mode, || HttpResponse::Created().reason("Created").finish());
    assert_replayed(&rig, "HTTP/1.1 201 Created");
}
