//! Answers in a content coding: kept as they are, for retries that can read them.

use actix_web::body::BodyStream;
use actix_web::middleware::Compress;
use actix_web::web::{self, Bytes};
use actix_web::{App, HttpResponse};
use futures_util::stream;
use idempotency_actix_tests::app::{Counter, FaultyStore, Mode, Rig, Site, covering};
use idempotency_actix_tests::{Request, Response, assert_problem, in_both_modes};

in_both_modes! {
    an_encoded_answer_is_replayed_to_a_retry_that_accepts_its_coding
    a_retry_that_does_not_accept_its_coding_is_410
    a_retry_that_accepts_one_of_two_codings_is_410
    an_encoded_stream_is_kept_as_well
    an_answer_without_a_coding_is_for_everyone
    a_handlers_own_vary_is_not_doubled
}

/// Octets that only the named codings make sense of.
fn encoded(mode: Mode, codings: &'static [&'static str]) -> Rig {
    Rig::new(
        mode,
        FaultyStore::default(),
        |layer| layer,
        move |_| async move {
            let mut response = HttpResponse::Created();
            response.insert_header(("location", "/charges/1"));
            for coding in codings {
                response.append_header(("content-encoding", *coding));
            }
            response.body("\u{1f}\u{8b} octets")
        },
    )
}

/// The request of the key, from a client that accepts these codings.
fn send(rig: &Rig, accepted: Option<&str>) -> Response {
    let request = rig.request("k");
    rig.send_request(&match accepted {
        Some(accepted) => request.header("Accept-Encoding", accepted),
        None => request,
    })
}

fn lines(answer: &Response) -> Vec<(String, String)> {
    let own = ["idempotent-replayed", "date"];
    let lines = answer.headers.iter();
    let mut lines: Vec<_> = lines
        .filter(|(name, _)| !own.contains(&&**name))
        .cloned()
        .collect();
    lines.sort();
    lines
}

#[track_caller]
fn assert_unread(retry: &Response) {
    assert_problem(retry, 410, "response-not-kept");
    assert_eq!(retry.lines("vary"), ["Accept-Encoding"]);
    assert_eq!(retry.header("content-encoding"), None);
    assert_eq!(retry.header("location"), Some("/charges/1"));
    assert!(retry.text().contains("\"original_status\":201"));
}

fn an_encoded_answer_is_replayed_to_a_retry_that_accepts_its_coding(mode: Mode) {
    let rig = encoded(mode, &["gzip"]);
    let first = send(&rig, Some("gzip"));
    assert_eq!(first.header("content-encoding"), Some("gzip"));
    for accepted in [
        "gzip",
        "br, GZIP;q=0.1",
        "x-gzip",
        "X-GZIP",
        "*",
        "br;q=0, *;q=0.5",
        "\u{e9}t\u{e9}, gzip",
    ] {
        let retry = send(&rig, Some(accepted));
        assert!(retry.is_replay(), "{accepted}: {retry:?}");
        assert_eq!((retry.status, &retry.body), (201, &first.body));
        assert_eq!(lines(&retry), lines(&first), "{accepted}");
        assert_eq!(retry.lines("vary"), ["Accept-Encoding"]);
    }
    assert_eq!(rig.runs.count(), 1);
}

fn a_retry_that_does_not_accept_its_coding_is_410(mode: Mode) {
    let rig = encoded(mode, &["gzip"]);
    assert_eq!(send(&rig, Some("gzip")).status, 201);
    for accepted in [
        None,
        Some(""),
        Some("identity"),
        Some("br, deflate"),
        Some("gzip;q=0"),
        Some("*;q=0"),
        Some("*, gzip;q=0"),
    ] {
        assert_unread(&send(&rig, accepted));
    }
    assert!(send(&rig, Some("gzip")).is_replay());
    assert_eq!(rig.runs.count(), 1);
}

fn a_retry_that_accepts_one_of_two_codings_is_410(mode: Mode) {
    for codings in [&["br, gzip"][..], &["br", "identity", "gzip"]] {
        let rig = encoded(mode, codings);
        assert_eq!(send(&rig, Some("br, gzip")).status, 201);
        assert_unread(&send(&rig, Some("gzip")));
        assert_unread(&send(&rig, Some("gzip, br;q=0.0")));
        let both = rig.request("k").header("Accept-Encoding", "gzip");
        let both = rig.send_request(&both.header("Accept-Encoding", "br;q=0.3"));
        assert!(both.is_replay(), "{both:?}");
        assert_eq!(rig.runs.count(), 1);
    }
}

fn an_encoded_stream_is_kept_as_well(mode: Mode) {
    let rig = Rig::new(
        mode,
        FaultyStore::default(),
        |layer| layer,
        |_| async {
            let chunks = ["a", "b"].map(|chunk| Ok::<_, std::io::Error>(Bytes::from(chunk)));
            HttpResponse::Created()
                .insert_header(("location", "/charges/1"))
                .insert_header(("content-encoding", "zstd"))
                .body(BodyStream::new(stream::iter(chunks)))
        },
    );
    let first = send(&rig, Some("zstd"));
    assert_eq!(first.lines("vary"), ["Accept-Encoding"]);
    rig.settle("k");
    assert_unread(&send(&rig, Some("gzip")));
    let retry = send(&rig, Some("zstd"));
    assert!(retry.is_replay());
    assert_eq!((retry.body, rig.runs.count()), (first.body, 1));
}

fn an_answer_without_a_coding_is_for_everyone(mode: Mode) {
    for codings in [&[][..], &["identity"]] {
        let rig = encoded(mode, codings);
        let first = send(&rig, Some("gzip"));
        assert_eq!(first.header("vary"), None);
        for accepted in [None, Some("gzip"), Some("identity;q=0")] {
            let retry = send(&rig, accepted);
            assert!(retry.is_replay(), "{accepted:?}: {retry:?}");
            assert_eq!(retry.header("vary"), None);
        }
    }
}

fn a_handlers_own_vary_is_not_doubled(mode: Mode) {
    for own in ["Origin, accept-encoding", "*"] {
        let rig = Rig::new(
            mode,
            FaultyStore::default(),
            |layer| layer,
            move |_| async move {
                HttpResponse::Ok()
                    .insert_header(("content-encoding", "gzip"))
                    .insert_header(("vary", own))
                    .body("octets")
            },
        );
        assert_eq!(send(&rig, Some("gzip")).lines("vary"), [own]);
        assert_eq!(send(&rig, Some("gzip")).lines("vary"), [own]);
    }
}

fn text() -> String {
    "all work and no play ".repeat(100)
}

/// `Compress` between an all-routes layer and its handlers.
fn compressed_inside() -> Site {
    let layer = covering();
    Site::serve(move |runs| {
        App::new()
            .app_data(runs)
            .wrap(Compress::default())
            .wrap(layer.clone())
            .route("/text", web::post().to(long_text))
    })
}

async fn long_text(runs: Counter) -> HttpResponse {
    runs.next();
    HttpResponse::Created()
        .content_type("text/plain")
        .body(text())
}

#[test]
fn what_was_compressed_inside_of_the_layer_is_replayed_to_who_accepts_it() {
    let site = compressed_inside();
    let request = Request::post("/text").key("k");
    let gzip = request.clone().header("Accept-Encoding", "gzip");
    let first = site.send(gzip.clone());
    assert_eq!(first.header("content-encoding"), Some("gzip"));
    assert!(first.body.len() < text().len());
    let other = site.send(request);
    assert_problem(&other, 410, "response-not-kept");
    assert_eq!(other.header("vary"), Some("Accept-Encoding"));
    let retry = site.send(gzip);
    assert!(retry.is_replay(), "{retry:?}");
    assert_eq!(lines(&retry).len(), lines(&first).len());
    assert_eq!(retry.header("content-encoding"), Some("gzip"));
    let vary = retry.lines("vary").join(", ").to_ascii_lowercase();
    assert_eq!(vary.matches("accept-encoding").count(), 1, "{vary}");
    assert_eq!((retry.body, site.runs.count()), (first.body, 1));
}
