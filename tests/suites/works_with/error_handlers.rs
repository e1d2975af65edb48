//! `ErrorHandlers` of actix-web around the layer: errors, their replays and refusals look alike.

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::{ErrorHandlerResponse, ErrorHandlers};
use actix_web::{App, HttpResponse, web};
use idempotency_actix::idempotent;
use idempotency_actix_tests::app::{Counter, Mode, Site};
use idempotency_actix_tests::{assert_replay, in_both_modes};

use crate::modes::{layer, post};
use crate::table::Row;

pub(crate) const ROW: Row = Row {
    name: "`ErrorHandlers`, of actix-web",
    package: "actix-web",
    marked: "around",
    all_routes: "around: inside, what they answer is what is kept",
    holds: "They see an error, its replay and refusals alike, but no error that leaves a layer for all routes as an `Err`.",
    tests: &["works_with/error_handlers.rs", "http/errors_outside.rs"],
};

in_both_modes! {
    an_error_its_replay_and_a_refusal_pass_it_alike
}

#[idempotent(inner = fails)]
async fn fails_once(runs: Counter) -> HttpResponse {
    HttpResponse::BadGateway().body(format!("run {}", runs.next()))
}

fn handlers<B: 'static>() -> ErrorHandlers<B> {
    ErrorHandlers::new().default_handler(|mut response| {
        let (name, value) = (
            HeaderName::from_static("x-help"),
            HeaderValue::from_static("desk"),
        );
        response.headers_mut().insert(name, value);
        let response = response.map_into_left_body();
        Ok(ErrorHandlerResponse::Response(response))
    })
}

fn an_error_its_replay_and_a_refusal_pass_it_alike(mode: Mode) {
    let layer = layer(mode);
    let site = Site::serve(move |runs| {
        App::new()
            .app_data(runs)
            .wrap(layer.clone())
            .wrap(handlers())
            .route("/marked", web::post().to(fails_once))
            .route("/plain", web::post().to(fails))
    });
    let request = post(mode).key("k");
    let (first, retry) = site.twice(&request);
    assert_replay(&retry, 502, "run 1");
    let other = site.send(request.body("another"));
    assert_eq!(other.status, 422);
    for answer in [first, retry, other] {
        assert_eq!(answer.lines("x-help"), ["desk"], "{answer:?}");
    }
}

#[test]
fn inside_of_a_layer_for_all_routes_what_they_answer_is_kept() {
    let layer = layer(Mode::AllRoutes);
    let times = Counter::default();
    let seen = times.clone();
    let site = Site::serve(move |runs| {
        let seen = seen.clone();
        let counting = ErrorHandlers::new().default_handler(move |response| {
            seen.next();
            let response = response.map_into_left_body();
            Ok(ErrorHandlerResponse::Response(response))
        });
        App::new()
            .app_data(runs)
            .wrap(counting)
            .wrap(handlers())
            .wrap(layer.clone())
            .route("/plain", web::post().to(fails))
    });
    let (first, retry) = site.twice(&post(Mode::AllRoutes).key("k"));
    assert_replay(&retry, 502, "run 1");
    assert_eq!(
        (first.lines("x-help"), retry.lines("x-help")),
        (vec!["desk"], vec!["desk"])
    );
    assert_eq!(times.count(), 1);
}
