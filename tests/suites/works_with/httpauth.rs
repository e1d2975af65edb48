//! `actix-web-httpauth` around the layer: the principal that it finds is the caller, and not the token.

use actix_web::dev::ServiceRequest;
use actix_web::error::ErrorForbidden;
use actix_web::{App, Error, HttpMessage, web};
use actix_web_httpauth::extractors::bearer::BearerAuth;
use actix_web_httpauth::middleware::HttpAuthentication;
use idempotency_actix::KeyScope;
use idempotency_actix_tests::app::{Account, Mode, Site, principal};
use idempotency_actix_tests::{Request, in_both_modes};

use crate::modes::{layer, made, marked, plain, post};
use crate::table::Row;

pub(crate) const ROW: Row = Row {
    name: "`actix-web-httpauth`",
    package: "actix-web-httpauth",
    marked: "around; inside it guards replays too",
    all_routes: "around: inside, a replay asks for no token",
    holds: "The validator puts the principal into the extensions, where `KeyScope::by` finds it. A retry with a new token of the \
            same principal is a replay; one with a token that is good no more is refused.",
    tests: &["works_with/httpauth.rs"],
};

in_both_modes! {
    a_retry_with_a_new_token_is_a_replay
    another_principal_has_keys_of_its_own
    a_retry_whose_token_is_good_no_more_gets_no_replay
    a_request_without_a_token_leaves_its_key_unused
}

/// A token is a principal and a number.
async fn validate(
    request: ServiceRequest,
    credentials: BearerAuth,
) -> Result<ServiceRequest, (Error, ServiceRequest)> {
    match credentials.token().split_once('-') {
        Some((_, "revoked")) | None => Err((ErrorForbidden("no longer"), request)),
        Some((principal, _)) => {
            let account = Account(principal.to_owned());
            request.extensions_mut().insert(account);
            Ok(request)
        }
    }
}

fn site(mode: Mode) -> Site {
    let layer = made(mode, KeyScope::by(principal), |layer| layer);
    Site::serve(move |runs| {
        App::new()
            .app_data(runs)
            .wrap(layer.clone())
            .wrap(HttpAuthentication::bearer(validate))
            .route("/marked", web::post().to(marked))
            .route("/plain", web::post().to(plain))
    })
}

fn with(mode: Mode, token: &str) -> Request {
    let line = format!("Bearer {token}");
    post(mode).key("k").header("Authorization", &line)
}

fn a_retry_with_a_new_token_is_a_replay(mode: Mode) {
    let site = site(mode);
    assert_eq!(site.send(with(mode, "ada-1")).text(), "run 1");
    let retry = site.send(with(mode, "ada-2"));
    assert_eq!((retry.text().as_str(), retry.is_replay()), ("run 1", true));
}

fn another_principal_has_keys_of_its_own(mode: Mode) {
    let site = site(mode);
    assert_eq!(site.send(with(mode, "ada-1")).text(), "run 1");
    assert_eq!(site.send(with(mode, "ben-1")).text(), "run 2");
}

fn a_retry_whose_token_is_good_no_more_gets_no_replay(mode: Mode) {
    let site = site(mode);
    site.send(with(mode, "ada-1"));
    let retry = site.send(with(mode, "ada-revoked"));
    assert_eq!((retry.status, retry.is_replay()), (403, false));
    assert_eq!(retry.text(), "no longer");
}

fn a_request_without_a_token_leaves_its_key_unused(mode: Mode) {
    let site = site(mode);
    let stranger = site.send(post(mode).key("k"));
    assert_eq!(stranger.status, 401);
    assert!(stranger.header("www-authenticate").is_some());
    let own = site.send(with(mode, "ada-1"));
    assert_eq!((own.text().as_str(), own.is_replay()), ("run 1", false));
}

/// A site of one space of keys, inside of whose layer tokens are checked.
fn checked_inside(mode: Mode) -> Site {
    let layer = layer(mode);
    Site::serve(move |runs| {
        App::new()
            .app_data(runs)
            .wrap(HttpAuthentication::bearer(validate))
            .wrap(layer.clone())
            .route("/marked", web::post().to(marked))
            .route("/plain", web::post().to(plain))
    })
}

#[test]
fn inside_of_a_layer_for_marked_handlers_it_guards_replays_too() {
    let (site, mode) = (checked_inside(Mode::Marked), Mode::Marked);
    site.send(with(mode, "ada-1"));
    assert_eq!(site.send(with(mode, "ada-revoked")).status, 403);
    assert!(site.send(with(mode, "ada-2")).is_replay());
}

#[test]
fn inside_of_a_layer_for_all_routes_a_replay_asks_for_no_token() {
    let (site, mode) = (checked_inside(Mode::AllRoutes), Mode::AllRoutes);
    site.send(with(mode, "ada-1"));
    let stranger = site.send(post(mode).key("k"));
    assert!(stranger.is_replay(), "{stranger:?}");
}
