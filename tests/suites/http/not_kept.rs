//! Answers that are not kept: the first client gets them whole, a retry is told so.

use actix_web::body::{BoxBody, SizedStream};
use actix_web::http::StatusCode;
use actix_web::middleware::Compress;
use actix_web::web::{self, Bytes, ServiceConfig};
use actix_web::{App, Error, HttpResponse, post};
use futures_util::{StreamExt, stream};
use idempotency_actix::idempotent;
use idempotency_actix_tests::app::{Counter, Site, builder, covering, marked};
use idempotency_actix_tests::{Request, assert_problem};

fn respond(case: &str, run: usize) -> HttpResponse {
    let parts = ["data: 1\n\n", "data: 2\n\n"];
    let parts = stream::iter(parts.map(|part| Ok::<_, Error>(Bytes::from(part))));
    let mut response = HttpResponse::Created();
    response.insert_header(("x-run", run.to_string()));
    match case {
        "buffer" => response.body("0123456789".repeat(10)),
        "stream" => response.streaming(stream::iter(
            (0..10).map(|_| Ok::<_, Error>(Bytes::from("0123456789"))),
        )),
        "events" => response.content_type("text/event-stream").streaming(parts),
        "broken" => response.streaming(stream::iter([
            Ok(Bytes::from("half")),
            Err(actix_web::error::ErrorInternalServerError("sesame")),
        ])),
        "short" => {
            let part = stream::iter([Ok::<_, Error>(Bytes::from("half"))]);
            response.body(BoxBody::new(SizedStream::new(8, part)))
        }
        "panic" => response.streaming(
            stream::iter([Ok::<_, Error>(Bytes::from("half"))])
                .chain(stream::poll_fn(|_| panic!("secret of a stream"))),
        ),
        "upgrade" => response
            .status(StatusCode::SWITCHING_PROTOCOLS)
            .upgrade("echo")
            .streaming(stream::empty::<Result<Bytes, Error>>()),
        "text" => response.content_type("text/plain").body(text()),
        other => panic!("no case {other}"),
    }
}

fn text() -> String {
    "all work and no play ".repeat(100)
}

#[post("/marked/{case}")]
#[idempotent]
async fn of_marked(case: web::Path<String>, runs: Counter) -> HttpResponse {
    respond(&case, runs.next())
}

async fn of_covered(case: web::Path<String>, runs: Counter) -> HttpResponse {
    respond(&case, runs.next())
}

fn routes(config: &mut ServiceConfig) {
    config
        .service(of_marked)
        .route("/covered/{case}", web::post().to(of_covered));
}

/// Both modes, with room for that many octets of an answer.
fn modes(limit: usize) -> [(Site, &'static str); 2] {
    let marked = builder().max_response(limit);
    let covering = builder().all_routes().max_response(limit);
    [
        (Site::new(marked.build().unwrap(), routes), "/marked"),
        (Site::new(covering.build().unwrap(), routes), "/covered"),
    ]
}

#[test]
fn a_buffer_over_the_limit_goes_to_the_first_client_only() {
    for (site, mode) in modes(99) {
        let request = Request::post(&format!("{mode}/buffer")).key("k");
        let (first, retry) = site.twice(&request);
        assert_eq!((first.status, first.text()), (201, "0123456789".repeat(10)));
        assert_problem(&retry, 410, "response-not-kept");
        assert_eq!(site.runs.count(), 1);
    }
}

#[test]
fn a_buffer_of_exactly_the_limit_is_kept() {
    for (site, mode) in modes(100) {
        let request = Request::post(&format!("{mode}/buffer")).key("k");
        let (first, retry) = site.twice(&request);
        assert!(retry.is_replay() && first.body == retry.body, "{mode}");
        assert_eq!(site.runs.count(), 1);
    }
}

#[test]
fn a_stream_over_the_limit_goes_to_the_first_client_only() {
    for (site, mode) in modes(99) {
        let request = Request::post(&format!("{mode}/stream")).key("k");
        let (first, retry) = site.twice(&request);
        assert_eq!((first.status, first.text()), (201, "0123456789".repeat(10)));
        assert_problem(&retry, 410, "response-not-kept");
        assert_eq!(site.runs.count(), 1);
    }
}

#[test]
fn a_stream_of_exactly_the_limit_is_kept() {
    for (site, mode) in modes(100) {
        let request = Request::post(&format!("{mode}/stream")).key("k");
        let (first, retry) = site.twice(&request);
        assert!(retry.is_replay() && first.body == retry.body, "{mode}");
        assert_eq!(site.runs.count(), 1);
    }
}

#[test]
fn an_event_stream_is_not_kept() {
    for (site, mode) in modes(1024) {
        let request = Request::post(&format!("{mode}/events")).key("k");
        let (first, retry) = site.twice(&request);
        assert_eq!(first.text(), "data: 1\n\ndata: 2\n\n");
        assert_problem(&retry, 410, "response-not-kept");
        assert_eq!(site.runs.count(), 1);
    }
}

#[test]
fn an_upgraded_connection_is_not_kept() {
    for (site, mode) in modes(1024) {
        let request = Request::post(&format!("{mode}/upgrade")).key("k");
        let mut client = site.connect();
        client.send(&request);
        assert_eq!(client.receive_head().unwrap().status, 101, "{mode}");
        let retry = site.send(request);
        assert_problem(&retry, 410, "response-not-kept");
        assert!(retry.text().contains("101"), "{}", retry.text());
        assert_eq!(site.runs.count(), 1);
    }
}

#[test]
fn a_stream_that_breaks_is_not_kept() {
    assert_cut("broken");
}

#[test]
fn a_stream_that_ends_before_its_declared_length_is_not_kept() {
    assert_cut("short");
}

#[test]
fn a_stream_that_panics_is_not_kept() {
    assert_cut("panic");
}

/// The first client sees that its answer is not whole, a retry is told that there is none.
#[track_caller]
fn assert_cut(case: &str) {
    for (site, mode) in modes(1024) {
        let request = Request::post(&format!("{mode}/{case}")).key("k");
        let mut client = site.connect();
        client.send(&request);
        assert!(client.try_receive().is_err(), "{mode}: a whole answer");
        let retry = site.send(request);
        assert_problem(&retry, 410, "response-not-kept");
        assert!(!retry.text().contains("sesame"));
        assert_eq!(site.runs.count(), 1);
        let other = Request::post(&format!("{mode}/text")).key("k");
        assert_eq!(site.send(other).status, 201);
    }
}

/// `Compress` between the layer and the handlers.
fn compressed_inside() -> Site {
    let layer = covering();
    Site::serve(move |runs| {
        App::new()
            .app_data(runs)
            .wrap(Compress::default())
            .wrap(layer.clone())
            .configure(routes)
    })
}

/// `Compress` around the layer, and a site for each mode.
fn compressed_outside() -> [(Site, &'static str); 2] {
    [(marked(), "/marked"), (covering(), "/covered")].map(|(layer, mode)| {
        let site = Site::serve(move |runs| {
            App::new()
                .app_data(runs)
                .wrap(layer.clone())
                .wrap(Compress::default())
                .configure(routes)
        });
        (site, mode)
    })
}

fn gzip(request: &Request) -> Request {
    request.clone().header("Accept-Encoding", "gzip")
}

#[test]
fn what_was_not_compressed_inside_of_the_layer_is_kept() {
    let site = compressed_inside();
    let request = Request::post("/covered/text").key("k");
    let first = site.send(request.clone());
    let retry = site.send(gzip(&request));
    assert_eq!((first.text(), retry.text()), (text(), text()));
    assert!(retry.is_replay());
    assert_ne!(retry.header("content-encoding"), Some("gzip"));
    assert_eq!(site.runs.count(), 1);
}

#[test]
fn compression_around_the_layer_encodes_for_each_client() {
    for (site, mode) in compressed_outside() {
        let request = Request::post(&format!("{mode}/text")).key("k");
        let first = site.send(gzip(&request));
        assert_eq!(first.header("content-encoding"), Some("gzip"), "{mode}");
        assert!(first.body.len() < text().len());
        let retry = site.send(request.clone());
        assert!(retry.is_replay());
        assert_ne!(retry.header("content-encoding"), Some("gzip"), "{mode}");
        assert_eq!(retry.text(), text());
        let packed = site.send(gzip(&request));
        assert!(packed.is_replay());
        assert_eq!(packed.header("content-encoding"), Some("gzip"), "{mode}");
        assert_eq!(packed.body, first.body);
        assert_eq!(site.runs.count(), 1);
    }
}
