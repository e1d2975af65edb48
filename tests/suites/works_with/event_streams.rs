//! Server-sent events of `actix-web-lab`: they have no end that could be kept.

use actix_web::{App, Responder, web};
use actix_web_lab::sse::{Data, Event, Sse};
use futures_util::stream;
use idempotency_actix::idempotent;
use idempotency_actix_tests::app::{Counter, Mode, Site};
use idempotency_actix_tests::{assert_problem, in_both_modes};

use crate::modes::{layer, post};
use crate::table::Row;

pub(crate) const ROW: Row = Row {
    name: "`actix-web-lab`, its `sse`",
    package: "actix-web-lab",
    marked: "an answer",
    all_routes: "an answer",
    holds: "An event stream passes as it comes and is not kept: a retry gets 410 with `original_status`, and nothing runs again.",
    tests: &["works_with/event_streams.rs"],
};

in_both_modes! {
    a_retry_of_an_event_stream_is_410
}

#[idempotent(inner = events)]
async fn events_once(runs: Counter) -> impl Responder {
    let run = Event::Data(Data::new(format!("run {}", runs.next())));
    Sse::from_infallible_stream(stream::iter([run, Event::Comment("end".into())]))
}

fn a_retry_of_an_event_stream_is_410(mode: Mode) {
    let layer = layer(mode);
    let site = Site::serve(move |runs| {
        App::new()
            .app_data(runs)
            .wrap(layer.clone())
            .route("/marked", web::post().to(events_once))
            .route("/plain", web::post().to(events))
    });
    let (first, retry) = site.twice(&post(mode).key("k"));
    assert_eq!(first.header("content-type"), Some("text/event-stream"));
    assert_eq!(first.text(), "data: run 1\n\n: end\n\n");
    assert_problem(&retry, 410, "response-not-kept");
    assert!(
        retry.text().contains("\"original_status\":200"),
        "{retry:?}"
    );
    assert_eq!(site.runs.count(), 1);
}
