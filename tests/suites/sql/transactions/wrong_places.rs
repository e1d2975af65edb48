//! Where no transaction can be had: 500, and a log line that says what to write.

use std::time::Duration;

use actix_web::http::Method;
use actix_web::web::Data;
use idempotency_actix::{
    Idempotency, KeyScope, MemoryStore, OnStoreFailure, OnUnknown, Recovery, RouteOptions,
};
use idempotency_actix_tests::app::{Gate, Site};
use idempotency_actix_tests::{Request, log};

use super::bank::{Bank, Charges, request};
use super::postgres::on_postgres;

#[track_caller]
fn assert_refused(site: &Site, request: &Request, says: &[&str]) {
    let answer = site.send(request.clone());
    assert_eq!((answer.status, answer.header("retry-after")), (500, None));
    assert!(!log::lines_with(says).is_empty(), "no line with {says:?}");
    // These tests are a debug build.
    assert!(answer.text().contains(says[0]), "{answer:?}");
    assert_eq!(site.runs.count(), 0);
}

#[test]
fn under_another_store_or_an_all_routes_claim_there_is_none() {
    log::listen();
    let site = |layer: Idempotency| {
        Site::new(layer, |config| {
            config
                .app_data(Gate::closed())
                .app_data(Data::new(Charges("charges".to_owned())))
                .configure(on_postgres::routes);
        })
    };
    let layer = || Idempotency::builder(MemoryStore::new(), KeyScope::everyone());
    let other = site(layer().build().expect("options that hold"));
    assert_refused(&other, &request("k"), &["of another type", "/charges"]);
    let all = site(layer().all_routes().build().expect("options that hold"));
    assert_refused(
        &all,
        &request("k"),
        &["RouteOptions::new().skip()", "/charges"],
    );
}

#[test]
fn in_an_unmarked_handler_and_without_a_layer_there_is_none() {
    log::listen();
    let Bank { site, .. } = super::postgres::bank();
    let to = |path: &str| Request::post(path).key("k");
    assert_refused(&site, &to("/unmarked"), &["mark the handler", "/unmarked"]);
    assert_refused(&site, &to("/two"), &["take it once", "/two"]);
    assert_refused(
        &site,
        &to("/leased"),
        &["`lease`", "take the option away", "/leased"],
    );
    let bare = Site::serve(|runs| {
        actix_web::App::new()
            .app_data(runs)
            .configure(on_postgres::routes)
    });
    assert_refused(
        &bare,
        &to("/unmarked"),
        &["not covered by an idempotency layer", "/unmarked"],
    );
}

/// A route without a key, too: what means nothing there is not passed over.
#[test]
fn options_that_mean_nothing_are_refused_without_a_key_as_well() {
    log::listen();
    let Bank { site, .. } = super::postgres::bank();
    assert_refused(&site, &Request::post("/leased"), &["`lease`", "/leased"]);
}

/// Inside of an all-routes layer a route is skipped by the table, or has no key.
#[test]
fn options_that_mean_nothing_are_refused_in_the_table_as_well() {
    log::listen();
    type Set = fn(RouteOptions) -> RouteOptions;
    let set: [(&str, Set); 4] = [
        ("lease", |row| row.lease(Duration::from_secs(60))),
        ("recover", |row| {
            row.recover(async || Recovery::StillUnknown)
        }),
        ("on_unknown", |row| row.on_unknown(OnUnknown::Rerun)),
        ("on_store_failure", |row| {
            row.on_store_failure(OnStoreFailure::Run)
        }),
    ];
    let says = |option| format!("`{option}` of the layer's entry");
    let site = |row: RouteOptions| {
        super::postgres::site(|layer| layer.all_routes().route(Method::POST, "/charges", row))
    };
    for (option, set) in set {
        let covered = site(set(RouteOptions::new()));
        let plain = Request::post("/charges");
        assert_refused(&covered, &plain, &[&says(option), "/charges"]);
    }
    let skipped = RouteOptions::new().skip();
    let leased = site(skipped.clone().lease(Duration::from_secs(60)));
    assert_refused(&leased, &request("k"), &[&says("lease"), "/charges"]);
    assert_eq!(site(skipped).send(request("k")).status, 201);
}

/// Plain handlers of the same layer need them.
#[test]
fn options_of_the_whole_layer_are_not_refused() {
    let site = super::postgres::site(|layer| {
        layer
            .on_unknown(OnUnknown::Rerun)
            .on_store_failure(OnStoreFailure::Run)
    });
    assert_eq!(site.send(request("k")).status, 201);
}

#[test]
fn a_store_behind_an_arc_is_found() {
    let Bank { site, .. } = super::postgres::shared_bank();
    assert_eq!(site.send(request("k")).status, 201);
}
