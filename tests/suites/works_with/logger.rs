//! `Logger` of actix-web around the layer: it sees replays and refusals.

use actix_web::middleware::Logger;
use actix_web::{App, web};
use idempotency_actix_tests::app::{Mode, Site};
use idempotency_actix_tests::{eventually, in_both_modes, log};

use crate::modes::{layer, marked, path, plain, post};
use crate::table::Row;

pub(crate) const ROW: Row = Row {
    name: "`Logger`, of actix-web",
    package: "actix-web",
    marked: "around",
    all_routes: "around",
    holds: "It sees replays and refusals: `%{idempotent-replayed}o` tells replays.",
    tests: &["works_with/logger.rs"],
};

in_both_modes! {
    a_replay_and_a_refusal_are_logged
}

fn a_replay_and_a_refusal_are_logged(mode: Mode) {
    log::listen();
    let layer = layer(mode);
    let site = Site::serve(move |runs| {
        let logger = Logger::new("seen %U %s replayed:%{idempotent-replayed}o");
        App::new()
            .app_data(runs)
            .wrap(layer.clone())
            .wrap(logger.log_target("idempotency_actix_tests"))
            .route("/marked", web::post().to(marked))
            .route("/plain", web::post().to(plain))
    });
    let request = post(mode).key("k");
    site.twice(&request);
    site.send(request.body("another"));
    for seen in ["201 replayed:-", "201 replayed:true", "422 replayed:-"] {
        let line = format!("seen {} {seen}", path(mode));
        eventually(&line, || log::lines_with(&[&line]).len() == 1);
    }
}
