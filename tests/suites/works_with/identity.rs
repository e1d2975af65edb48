//! `actix-identity`: who is signed in is the caller.

use actix_identity::{Identity, IdentityExt, IdentityMiddleware};
use actix_session::SessionMiddleware;
use actix_session::storage::CookieSessionStore;
use actix_web::cookie::Key;
use actix_web::error::ErrorUnauthorized;
use actix_web::{App, Error, HttpMessage, HttpRequest, HttpResponse, web};
use idempotency_actix::{KeyScope, idempotent};
use idempotency_actix_tests::app::{Counter, Mode, Site};
use idempotency_actix_tests::{Request, Response, in_both_modes};

use crate::modes::{made, path};
use crate::table::Row;

pub(crate) const ROW: Row = Row {
    name: "`actix-identity`",
    package: "actix-identity",
    marked: "inside, after the session: the handler takes `Identity`, which guards replays too",
    all_routes: "around, with the session",
    holds: "The scope asks `get_identity` who is signed in. Nobody gets a replay who is not, or is another.",
    tests: &["works_with/identity.rs"],
};

in_both_modes! {
    another_identity_has_keys_of_its_own
    who_is_not_signed_in_gets_no_replay
}

async fn sign_in(request: HttpRequest, name: String) -> HttpResponse {
    Identity::login(&request.extensions(), name).expect("a session");
    HttpResponse::Ok().finish()
}

#[idempotent(inner = charge)]
async fn charge_once(identity: Identity, runs: Counter) -> HttpResponse {
    let name = identity.id().expect("a name");
    HttpResponse::Created().body(format!("{name} {}", runs.next()))
}

fn signed_in(request: &HttpRequest) -> Result<String, Error> {
    let name = request.get_identity().and_then(|identity| identity.id());
    name.map_err(|_| ErrorUnauthorized("sign in first"))
}

fn site(mode: Mode) -> Site {
    let layer = made(mode, KeyScope::try_by(signed_in), |layer| layer);
    let sessions = || SessionMiddleware::new(CookieSessionStore::default(), Key::from(&[7; 64]));
    let identities = || IdentityMiddleware::default();
    let routes = |config: &mut web::ServiceConfig| {
        config
            .route("/sign-in", web::post().to(sign_in))
            .route("/marked", web::post().to(charge_once))
            .route("/plain", web::post().to(charge));
    };
    match mode {
        Mode::Marked => Site::serve(move |runs| {
            let app = App::new().app_data(runs).configure(routes);
            app.wrap(identities()).wrap(sessions()).wrap(layer.clone())
        }),
        Mode::AllRoutes => Site::serve(move |runs| {
            let app = App::new().app_data(runs).configure(routes);
            app.wrap(layer.clone()).wrap(identities()).wrap(sessions())
        }),
    }
}

/// Signs in, and asks with that identity under the same key as everybody.
fn charge_as(site: &Site, mode: Mode, name: &str) -> Response {
    let opened = site.send(Request::post("/sign-in").body(name));
    let cookie = opened.header("set-cookie").expect("a session");
    let (cookie, _) = cookie.split_once(';').expect("attributes");
    site.send(Request::post(path(mode)).key("k").header("Cookie", cookie))
}

fn another_identity_has_keys_of_its_own(mode: Mode) {
    let site = site(mode);
    assert_eq!(charge_as(&site, mode, "ada").text(), "ada 1");
    assert_eq!(charge_as(&site, mode, "ben").text(), "ben 2");
    let retry = charge_as(&site, mode, "ada");
    assert_eq!((retry.text().as_str(), retry.is_replay()), ("ada 1", true));
}

fn who_is_not_signed_in_gets_no_replay(mode: Mode) {
    let site = site(mode);
    charge_as(&site, mode, "ada");
    let stranger = site.send(Request::post(path(mode)).key("k"));
    assert_eq!((stranger.status, stranger.is_replay()), (401, false));
    assert_eq!(site.runs.count(), 1);
}
