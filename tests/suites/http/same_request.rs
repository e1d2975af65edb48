//! Requests that are the same although their octets differ: media types, and multipart boundaries.

use idempotency_actix::Fingerprinting;
use idempotency_actix_tests::{Request, Response, assert_problem};

use crate::places::in_each_place;

/// Hands a test a way to send bodies of a media type under one key to a route of that mode.
fn in_mode(mode: Fingerprinting, test: impl Fn(&dyn Fn(&str, &str) -> Response)) {
    in_each_place(
        |layer| layer.fingerprint(mode.clone()),
        |route| route.fingerprint(mode.clone()),
        |place, site| {
            test(&|media, body| {
                let request = Request::post(place.path()).key("k");
                site.send(request.header("content-type", media).body(body))
            });
        },
    );
}

#[test]
fn by_json_spellings_of_one_media_type_are_one() {
    in_mode(Fingerprinting::json(), |send| {
        assert_eq!(send("application/json", "[1]").status, 201);
        for same in [
            "application/json; charset=utf-8",
            "Application/JSON ; charset=\"UTF-8\"",
            "application/json\t;\tCharset=Utf-8",
        ] {
            assert!(send(same, "[ 1 ]").is_replay(), "{same}");
        }
        for other in [
            "application/json; charset=utf-16",
            "application/json; profile=a",
            "application/vnd.api+json",
            "text/plain",
        ] {
            assert_problem(&send(other, "[1]"), 422, "key-reused");
        }
    });
}

#[test]
fn by_json_a_body_of_another_media_type_counts_by_its_octets() {
    for media in ["application/x-www-form-urlencoded", "text/plain", "?"] {
        in_mode(Fingerprinting::json(), |send| {
            assert_eq!(send(media, "[1]").status, 201);
            assert_problem(&send(media, "[ 1 ]"), 422, "key-reused");
            assert!(send(media, "[1]").is_replay());
        });
    }
}

/// A form of one file and one field, between such boundaries.
fn form(boundary: &str, file: &str, field: &str) -> (String, String) {
    let media = format!("multipart/form-data; boundary={boundary}");
    let body = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\
         Content-Type: text/plain\r\n\r\n{file}\r\n\
         --{boundary}\r\nContent-Disposition: form-data; name=\"field\"\r\n\r\n{field}\r\n\
         --{boundary}--\r\n"
    );
    (media, body)
}

#[test]
fn by_multipart_the_boundary_does_not_count() {
    in_mode(Fingerprinting::multipart(), |send| {
        let send = |(media, body): (String, String)| send(&media, &body);
        assert_eq!(send(form("one", "text", "1")).status, 201);
        assert!(send(form("another", "text", "1")).is_replay());
        assert_problem(&send(form("one", "text", "2")), 422, "key-reused");
        assert_problem(&send(form("one", "texts", "1")), 422, "key-reused");
        let (media, body) = form("one", "text", "1");
        let renamed = body.replace("a.txt", "b.txt");
        assert_problem(&send((media.clone(), renamed)), 422, "key-reused");
        let mixed = media.replace("form-data", "mixed");
        assert_problem(&send((mixed, body)), 422, "key-reused");
    });
}

#[test]
fn by_multipart_other_bodies_count_by_their_octets() {
    let (whole, body) = form("one", "text", "1");
    let cut = body.trim_end_matches("--one--\r\n");
    for (media, body) in [
        ("text/plain", body.as_str()),
        ("multipart/form-data", &body),
        ("multipart/form-data; boundary=two", &body),
        (&whole, cut),
    ] {
        in_mode(Fingerprinting::multipart(), |send| {
            assert_eq!(send(media, body).status, 201);
            let other = body.replace("one", "two");
            assert_problem(&send(media, &other), 422, "key-reused");
            assert!(send(media, body).is_replay());
        });
    }
}

#[test]
fn by_octets_the_boundary_counts() {
    in_mode(Fingerprinting::bytes(), |send| {
        let send = |(media, body): (String, String)| send(&media, &body);
        assert_eq!(send(form("one", "text", "1")).status, 201);
        assert_problem(&send(form("another", "text", "1")), 422, "key-reused");
    });
}
