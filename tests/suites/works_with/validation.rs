//! `garde-actix-web`: a body that fails its rules fails as an argument.

use actix_web::http::Method;
use actix_web::{App, HttpResponse, web};
use garde::Validate;
use garde_actix_web::web::Json;
use idempotency_actix::idempotent;
use idempotency_actix_tests::app::{Counter, Mode, Site};
use idempotency_actix_tests::{Request, assert_first, assert_problem, assert_replay};
use serde::Deserialize;

use crate::modes::{layer, path};
use crate::table::Row;

pub(crate) const ROW: Row = Row {
    name: "`garde-actix-web`",
    package: "garde-actix-web",
    marked: "an argument: a body that fails leaves the key unused",
    all_routes: "an argument: a body that fails binds the key, unless the handler is marked as well",
    holds: "With a marked handler the corrected body runs under the same key, in either mode. With any other the failure is \
            replayed, and the corrected body is 422.",
    tests: &["works_with/validation.rs"],
};

#[derive(Deserialize, Validate)]
struct Charge {
    #[garde(range(min = 1))]
    cents: i64,
}

#[idempotent(inner = charge)]
async fn charge_once(charge: Json<Charge>, runs: Counter) -> HttpResponse {
    let cents = charge.cents;
    HttpResponse::Created().body(format!("{cents} run {}", runs.next()))
}

fn site(mode: Mode) -> Site {
    let layer = layer(mode);
    Site::serve(move |runs| {
        App::new()
            .app_data(runs)
            .wrap(layer.clone())
            .route("/marked", web::post().to(charge_once))
            .route("/plain", web::post().to(charge))
    })
}

fn cents(mode: Mode, cents: i64) -> Request {
    let request = Request::new(Method::POST, path(mode)).key("k");
    let request = request.header("Content-Type", "application/json");
    request.body(format!("{{\"cents\": {cents}}}"))
}

#[test]
fn what_fails_before_a_marked_handler_leaves_the_key_unused_in_either_mode() {
    for mode in [Mode::Marked, Mode::AllRoutes] {
        let site = site(mode);
        let (first, retry) = site.twice(&cents(Mode::Marked, 0));
        assert_eq!((first.status, retry.status), (400, 400));
        assert!(!retry.is_replay(), "{retry:?}");
        assert_first(&site.send(cents(Mode::Marked, 7)), 201, "7 run 1");
        assert_replay(&site.send(cents(Mode::Marked, 7)), 201, "7 run 1");
    }
}

#[test]
fn what_fails_before_another_handler_binds_the_key() {
    let (site, mode) = (site(Mode::AllRoutes), Mode::AllRoutes);
    let (first, retry) = site.twice(&cents(mode, 0));
    assert_eq!((first.status, retry.status), (400, 400));
    assert!(retry.is_replay(), "{retry:?}");
    assert_problem(&site.send(cents(mode, 7)), 422, "key-reused");
    assert_eq!(site.runs.count(), 0);
}
