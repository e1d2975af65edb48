//! `actix-cors` around the layer: each answer is for the origin that asked for it.

use actix_cors::Cors;
use actix_web::http::Method;
use actix_web::{App, web};
use idempotency_actix::KeyScope;
use idempotency_actix_tests::app::{Mode, Site};
use idempotency_actix_tests::{Request, Response, assert_problem, in_both_modes};

use crate::modes::{layer, made, marked, path, plain, post};
use crate::table::Row;

pub(crate) const ROW: Row = Row {
    name: "`actix-cors`",
    package: "actix-cors",
    marked: "around",
    all_routes: "around: inside, a replay has the first client's origin",
    holds: "Preflights pass, of routes that require a key too. A replay to another origin has that origin's headers, and so do \
            refusals. What scripts may send and see is [named](#scripts-in-browsers).",
    tests: &["works_with/cors.rs"],
};

in_both_modes! {
    a_preflight_passes
    a_script_sees_that_it_got_a_replay
    a_replay_to_another_origin_has_the_headers_of_that_origin
    a_refusal_has_the_headers_of_its_origin
}

const FIRST: &str = "https://one.test";
const SECOND: &str = "https://two.test";

fn cors() -> Cors {
    Cors::default()
        .allowed_origin(FIRST)
        .allowed_origin(SECOND)
        .allowed_methods(["POST"])
        .allowed_headers(["content-type", "idempotency-key"])
        .expose_headers([
            "idempotency-status",
            "idempotent-replayed",
            "link",
            "location",
            "retry-after",
        ])
}

fn site(mode: Mode) -> Site {
    let layer = made(mode, KeyScope::everyone(), |layer| layer.required(true));
    Site::serve(move |runs| {
        App::new()
            .app_data(runs)
            .wrap(layer.clone())
            .wrap(cors())
            .route("/marked", web::post().to(marked))
            .route("/plain", web::post().to(plain))
    })
}

fn from(mode: Mode, origin: &str) -> Request {
    post(mode).key("k").header("Origin", origin)
}

fn origin(answer: &Response) -> Option<&str> {
    answer.header("access-control-allow-origin")
}

fn a_preflight_passes(mode: Mode) {
    let site = site(mode);
    let preflight = Request::new(Method::OPTIONS, path(mode))
        .header("Origin", FIRST)
        .header("Access-Control-Request-Method", "POST")
        .header(
            "Access-Control-Request-Headers",
            "content-type,idempotency-key",
        );
    let answer = site.send(preflight);
    assert_eq!((answer.status, origin(&answer)), (200, Some(FIRST)));
    let allowed = answer.header("access-control-allow-headers");
    assert!(allowed.is_some_and(|names| names.contains("idempotency-key")));
    assert_eq!(site.runs.count(), 0);
}

fn a_script_sees_that_it_got_a_replay(mode: Mode) {
    let site = site(mode);
    let (_, retry) = site.twice(&from(mode, FIRST));
    assert!(retry.is_replay(), "{retry:?}");
    let exposed = retry.header("access-control-expose-headers");
    assert!(exposed.is_some_and(|names| names.contains("idempotent-replayed")));
}

fn a_replay_to_another_origin_has_the_headers_of_that_origin(mode: Mode) {
    let site = site(mode);
    let first = site.send(from(mode, FIRST));
    let retry = site.send(from(mode, SECOND));
    assert_eq!(origin(&first), Some(FIRST));
    assert!(retry.is_replay(), "{retry:?}");
    assert_eq!(retry.lines("access-control-allow-origin"), [SECOND]);
    assert_eq!(site.runs.count(), 1);
}

fn a_refusal_has_the_headers_of_its_origin(mode: Mode) {
    let site = site(mode);
    site.send(from(mode, FIRST));
    let other = site.send(from(mode, SECOND).body("another"));
    assert_problem(&other, 422, "key-reused");
    assert_eq!(origin(&other), Some(SECOND));
    let exposed = other.header("access-control-expose-headers");
    assert!(
        exposed.is_some_and(|names| names.contains("link")),
        "by which a client decides"
    );
}

#[test]
fn inside_of_a_layer_for_all_routes_a_replay_has_the_headers_of_the_first_origin() {
    let layer = layer(Mode::AllRoutes);
    let site = Site::serve(move |runs| {
        App::new()
            .app_data(runs)
            .wrap(cors())
            .wrap(layer.clone())
            .route("/plain", web::post().to(plain))
    });
    site.send(from(Mode::AllRoutes, FIRST));
    let retry = site.send(from(Mode::AllRoutes, SECOND));
    assert!(retry.is_replay(), "{retry:?}");
    assert_eq!(origin(&retry), Some(FIRST));
}
