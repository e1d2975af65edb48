//! `NormalizePath` of actix-web around the layer: a path in another spelling is the same operation.

use actix_web::middleware::NormalizePath;
use actix_web::{App, web};
use idempotency_actix_tests::app::{Mode, Site};
use idempotency_actix_tests::{Request, assert_first, assert_replay, in_both_modes};

use crate::modes::{layer, marked, path, plain};
use crate::table::Row;

pub(crate) const ROW: Row = Row {
    name: "`NormalizePath`, of actix-web",
    package: "actix-web",
    marked: "around",
    all_routes: "around: inside, each spelling of a path is an operation of its own",
    holds: "A retry to `/charges/` of a request to `/charges` is a replay.",
    tests: &["works_with/normalize_path.rs", "http/coverage.rs"],
};

in_both_modes! {
    around_the_layer_two_spellings_are_one_operation
}

fn around_the_layer_two_spellings_are_one_operation(mode: Mode) {
    let layer = layer(mode);
    let site = Site::serve(move |runs| {
        App::new()
            .app_data(runs)
            .wrap(layer.clone())
            .wrap(NormalizePath::trim())
            .route("/marked", web::post().to(marked))
            .route("/plain", web::post().to(plain))
    });
    let path = path(mode);
    assert_first(&site.send(Request::post(path).key("k")), 201, "run 1");
    for other in [format!("{path}/"), format!("/{path}//")] {
        assert_replay(&site.send(Request::post(&other).key("k")), 201, "run 1");
    }
}

#[test]
fn inside_of_a_layer_for_all_routes_two_spellings_are_two_operations() {
    let layer = layer(Mode::AllRoutes);
    let site = Site::serve(move |runs| {
        App::new()
            .app_data(runs)
            .wrap(NormalizePath::trim())
            .wrap(layer.clone())
            .route("/plain", web::post().to(plain))
    });
    assert_first(&site.send(Request::post("/plain").key("k")), 201, "run 1");
    assert_first(&site.send(Request::post("/plain/").key("k")), 201, "run 2");
}
