//! `actix-session`: inside of a layer for marked handlers, around one for all routes.

use actix_session::storage::{CookieSessionStore, RedisSessionStore};
use actix_session::{Session, SessionExt, SessionMiddleware};
use actix_web::cookie::Key;
use actix_web::{App, HttpRequest, HttpResponse, web};
use idempotency_actix::{Idempotency, KeyScope, idempotent};
use idempotency_actix_tests::app::{Counter, Gate, Mode, Site};
use idempotency_actix_tests::redis::{RedisServer, Reply};
use idempotency_actix_tests::{Request, Response, eventually, in_both_modes};
use tokio::runtime::Runtime;

use crate::modes::{layer, made, marked, plain, post};
use crate::table::Row;

pub(crate) const ROW: Row = Row {
    name: "`actix-session`, on cookies and on Redis",
    package: "actix-session",
    marked: "inside: what a handler writes is saved though its client has left",
    all_routes: "around, and what a handler writes is lost with a client that leaves",
    holds: "The session may tell whose key it is. A replay opens no session again, so leave out the handler that signs in: a client \
            that lost its answer could not by a retry.",
    tests: &["works_with/sessions.rs"],
};

in_both_modes! {
    a_replay_opens_no_session_again
    a_session_tells_whose_key_it_is
    a_session_on_redis_is_the_same_to_a_retry
}

fn cookies() -> SessionMiddleware<CookieSessionStore> {
    SessionMiddleware::new(CookieSessionStore::default(), Key::from(&[7; 64]))
}

/// Opens a session of who the body names.
#[idempotent(inner = sign_in)]
async fn sign_in_once(session: Session, name: String, runs: Counter) -> HttpResponse {
    session.insert("user", name).expect("a name that is text");
    HttpResponse::Created().body(format!("session {}", runs.next()))
}

fn user(request: &HttpRequest) -> Option<String> {
    request.get_session().get("user").ok().flatten()
}

fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/sign-in", web::post().to(sign_in))
        .route("/marked", web::post().to(marked))
        .route("/plain", web::post().to(plain))
        .route("/marked/sign-in", web::post().to(sign_in_once))
        .route("/plain/sign-in", web::post().to(sign_in));
}

fn site(mode: Mode, scope: KeyScope) -> Site {
    let layer = made(mode, scope, |layer| layer);
    match mode {
        Mode::Marked => Site::serve(move |runs| {
            let app = App::new().app_data(runs).configure(routes);
            app.wrap(cookies()).wrap(layer.clone())
        }),
        Mode::AllRoutes => Site::serve(move |runs| {
            let app = App::new().app_data(runs).configure(routes);
            app.wrap(layer.clone()).wrap(cookies())
        }),
    }
}

/// A request of the session that an answer opened.
fn of_session(request: Request, opened: &Response) -> Request {
    let cookie = opened.header("set-cookie").expect("a session");
    let (cookie, _) = cookie.split_once(';').expect("attributes");
    request.header("Cookie", cookie)
}

fn a_replay_opens_no_session_again(mode: Mode) {
    let site = site(mode, KeyScope::everyone());
    let path = format!("{}/sign-in", crate::modes::path(mode));
    let (first, retry) = site.twice(&Request::post(&path).key("k").body("ada"));
    assert!(first.header("set-cookie").is_some());
    assert_eq!((retry.text(), retry.is_replay()), (first.text(), true));
    assert_eq!(retry.header("set-cookie"), None);
    assert_eq!(site.runs.count(), 1);
}

fn a_session_tells_whose_key_it_is(mode: Mode) {
    let site = site(mode, KeyScope::by(user));
    let sign_in = |name: &str| site.send(Request::post("/sign-in").body(name));
    let [ada, ben] = ["ada", "ben"].map(sign_in);
    let charge = |opened: &Response| site.send(of_session(post(mode).key("k"), opened));
    assert_eq!(charge(&ada).text(), "run 3");
    assert_eq!(charge(&ben).text(), "run 4");
    let retry = charge(&ada);
    assert_eq!((retry.text().as_str(), retry.is_replay()), ("run 3", true));
    assert_eq!(site.send(post(mode).key("k")).status, 400);
}

/// Redis, and the threads on which sessions talk to it.
struct Sessions {
    server: RedisServer,
    store: RedisSessionStore,
    _runtime: Runtime,
}

impl Sessions {
    fn new() -> Self {
        let server = RedisServer::start(&[]);
        let runtime = Runtime::new().expect("threads");
        let store = runtime.block_on(RedisSessionStore::new(server.url()));
        Self {
            server,
            store: store.expect("a server that listens"),
            _runtime: runtime,
        }
    }

    fn middleware(
        &self,
    ) -> impl Fn() -> SessionMiddleware<RedisSessionStore> + Clone + Send + use<> {
        let store = self.store.clone();
        move || SessionMiddleware::new(store.clone(), Key::from(&[7; 64]))
    }

    fn count(&self) -> i64 {
        match self.server.command(&["DBSIZE"]) {
            Reply::Int(count) => count,
            other => panic!("{other:?}"),
        }
    }
}

/// Opens a session, and then takes its time.
#[idempotent(inner = slow)]
async fn slow_once(session: Session, gate: Gate, runs: Counter) -> HttpResponse {
    session.insert("user", "ada").expect("a name that is text");
    runs.next();
    gate.pass().await;
    HttpResponse::Created().body("done")
}

/// A site whose sessions are on Redis, and whose handler waits at that gate.
fn on_redis(layer: &Idempotency, mode: Mode, sessions: &Sessions, gate: &Gate) -> Site {
    let layer = layer.clone();
    let (shared, session) = (gate.clone(), sessions.middleware());
    let routes = |config: &mut web::ServiceConfig| {
        config
            .route("/marked", web::post().to(slow_once))
            .route("/plain", web::post().to(slow));
    };
    match mode {
        Mode::Marked => Site::serve(move |runs| {
            let app = App::new().app_data(runs).app_data(shared.clone());
            app.configure(routes).wrap(session()).wrap(layer.clone())
        }),
        Mode::AllRoutes => Site::serve(move |runs| {
            let app = App::new().app_data(runs).app_data(shared.clone());
            app.configure(routes).wrap(layer.clone()).wrap(session())
        }),
    }
}

fn a_session_on_redis_is_the_same_to_a_retry(mode: Mode) {
    let sessions = Sessions::new();
    let gate = Gate::closed();
    gate.open();
    let site = on_redis(&layer(mode), mode, &sessions, &gate);
    let first = site.send(post(mode).key("k"));
    assert!(first.header("set-cookie").is_some(), "{first:?}");
    let retry = site.send(of_session(post(mode).key("k"), &first));
    assert!(retry.is_replay(), "{retry:?}");
    assert_eq!((sessions.count(), site.runs.count()), (1, 1));
}

/// Has a client leave while the handler runs, and returns how many sessions there are once that has ended.
fn sessions_of_a_client_that_leaves(mode: Mode) -> i64 {
    let sessions = Sessions::new();
    let (layer, gate) = (layer(mode), Gate::closed());
    let site = on_redis(&layer, mode, &sessions, &gate);
    let mut client = site.connect();
    client.send(&post(mode).key("k"));
    gate.wait();
    client.reset();
    eventually("a detached run", || layer.in_flight().detached == 1);
    gate.open();
    eventually("a replay", || site.send(post(mode).key("k")).is_replay());
    assert_eq!(site.runs.count(), 1);
    sessions.count()
}

#[test]
fn inside_of_the_layer_a_session_is_saved_though_its_client_has_left() {
    assert_eq!(sessions_of_a_client_that_leaves(Mode::Marked), 1);
}

#[test]
fn around_the_layer_a_session_is_lost_with_its_client() {
    assert_eq!(sessions_of_a_client_that_leaves(Mode::AllRoutes), 0);
}
