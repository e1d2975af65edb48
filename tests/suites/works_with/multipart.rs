//! `actix-multipart`: a form is the same whatever stands between its parts.

use actix_multipart::form::MultipartForm;
use actix_multipart::form::bytes::Bytes;
use actix_multipart::form::text::Text;
use actix_web::http::Method;
use actix_web::{App, HttpResponse, web};
use idempotency_actix::{Fingerprinting, KeyScope, RouteOptions, idempotent};
use idempotency_actix_tests::app::{Counter, Mode, Site};
use idempotency_actix_tests::{
    Request, assert_first, assert_problem, assert_replay, in_both_modes,
};

use crate::modes::{made, path};
use crate::table::Row;

pub(crate) const ROW: Row = Row {
    name: "`actix-multipart`",
    package: "actix-multipart",
    marked: "an argument; `fingerprint = \"multipart\"`",
    all_routes: "an argument; `Fingerprinting::multipart()`",
    holds: "A retry whose client made another boundary is a replay, and one with another file is 422. Without that option \
            another boundary is another request.",
    tests: &["works_with/multipart.rs"],
};

in_both_modes! {
    another_boundary_is_a_replay
    another_file_is_another_request
}

#[derive(MultipartForm)]
struct Upload {
    name: Text<String>,
    file: Bytes,
}

#[idempotent(fingerprint = "multipart", inner = upload)]
async fn upload_once(runs: Counter, form: MultipartForm<Upload>) -> HttpResponse {
    let (name, octets) = (&*form.name, form.file.data.len());
    HttpResponse::Created().body(format!("{name} {octets} run {}", runs.next()))
}

#[idempotent]
async fn upload_by_octets(runs: Counter, form: MultipartForm<Upload>) -> HttpResponse {
    upload(runs, form).await
}

fn site(mode: Mode) -> Site {
    let layer = made(mode, KeyScope::everyone(), |layer| match mode {
        Mode::Marked => layer,
        Mode::AllRoutes => {
            let route = RouteOptions::new().fingerprint(Fingerprinting::multipart());
            layer.route(Method::POST, path(mode), route)
        }
    });
    Site::serve(move |runs| {
        App::new()
            .app_data(runs)
            .wrap(layer.clone())
            .route("/marked", web::post().to(upload_once))
            .route("/plain", web::post().to(upload))
            .route("/octets", web::post().to(upload_by_octets))
    })
}

fn form(path: &str, boundary: &str, file: &str) -> Request {
    let head = "Content-Disposition: form-data; name=";
    let body = [
        format!("--{boundary}\r\n{head}\"name\"\r\n\r\nplan\r\n"),
        format!("--{boundary}\r\n{head}\"file\"; filename=\"a.txt\"\r\n\r\n{file}\r\n"),
        format!("--{boundary}--\r\n"),
    ];
    let kind = format!("multipart/form-data; boundary={boundary}");
    let request = Request::post(path).key("k").header("Content-Type", &kind);
    request.body(body.concat())
}

fn another_boundary_is_a_replay(mode: Mode) {
    let site = site(mode);
    assert_first(
        &site.send(form(path(mode), "one", "octets")),
        201,
        "plan 6 run 1",
    );
    assert_replay(
        &site.send(form(path(mode), "two", "octets")),
        201,
        "plan 6 run 1",
    );
    assert_eq!(site.runs.count(), 1);
}

fn another_file_is_another_request(mode: Mode) {
    let site = site(mode);
    site.send(form(path(mode), "one", "octets"));
    let other = site.send(form(path(mode), "two", "others"));
    assert_problem(&other, 422, "key-reused");
    assert_eq!(site.runs.count(), 1);
}

#[test]
fn without_the_option_another_boundary_is_another_request() {
    let site = site(Mode::Marked);
    site.send(form("/octets", "one", "octets"));
    let other = site.send(form("/octets", "two", "octets"));
    assert_problem(&other, 422, "key-reused");
}
