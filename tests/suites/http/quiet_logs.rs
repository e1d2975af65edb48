//! What clients send and panics say does not stand in the log, but for the level `debug`.

use std::future::Ready;
use std::task::Poll;

use crate::orphan::{Orphan, SHORT};
use actix_web::dev::Payload;
use actix_web::error::ErrorBadGateway;
use actix_web::http::Method;
use actix_web::web::{self, Bytes, Json};
use actix_web::{Error, FromRequest, HttpRequest, HttpResponse};
use futures_util::stream;
use idempotency_actix::{IdempotencyBuilder, Recovery, idempotent};
use idempotency_actix_tests::app::{FaultyStore, Mode, Rig, Site, answer, marked};
use idempotency_actix_tests::{Request, assert_problem, in_both_modes, log};

in_both_modes! {
    arguments_of_a_recovery_that_fail_are_not_quoted
    an_error_of_a_recovery_is_not_quoted
    a_panic_of_a_recovery_is_not_quoted
    a_panic_of_a_handler_is_not_quoted
    a_panic_of_a_stream_is_not_quoted
}

/// Digits of each test's own: what one of them has logged is seen by all.
fn secret(test: &str, mode: Mode) -> String {
    format!("4111-{test}-{mode:?}")
}

#[track_caller]
fn assert_quiet(secret: &str, said: &str) {
    assert_eq!(log::lines_with(&[secret]), [""; 0]);
    assert!(!log::lines_with(&[said]).is_empty(), "nothing said: {said}");
}

/// An operation of unknown outcome whose retry with this body has its recovery asked, in vain.
fn recover_in_vain(
    mode: Mode,
    body: &str,
    options: impl FnOnce(IdempotencyBuilder) -> IdempotencyBuilder,
) {
    log::listen();
    let (store, clock) = FaultyStore::and_clock();
    let rig = Rig::new(mode, store.clone(), options, answer);
    let request = || {
        let request = rig.request("k").header("Content-Type", "application/json");
        request.body(body)
    };
    let send = || rig.send_request(&request());
    let _orphan = Orphan::of(&store, &clock, SHORT, send);
    assert_problem(&send(), 409, "in-flight");
    std::thread::sleep(SHORT / 2);
    assert_problem(&send(), 500, "outcome-unknown");
    assert_eq!(rig.runs.count(), 0);
}

fn arguments_of_a_recovery_that_fail_are_not_quoted(mode: Mode) {
    let secret = secret("json", mode);
    recover_in_vain(mode, &format!("{secret:?}"), |layer| {
        layer.recover(|_: Json<u64>| async { Recovery::NotExecuted })
    });
    assert_quiet(&secret, "arguments of a recovery could not be extracted");
}

fn an_error_of_a_recovery_is_not_quoted(mode: Mode) {
    let secret = secret("error", mode);
    recover_in_vain(mode, &format!("{secret:?}"), |layer| {
        layer.recover(|Json(card): Json<String>| async move {
            Err::<Recovery, _>(ErrorBadGateway(format!("no charge of {card}")))
        })
    });
    assert_quiet(&secret, "a recovery failed");
}

fn a_panic_of_a_recovery_is_not_quoted(mode: Mode) {
    let secret = secret("recovery", mode);
    recover_in_vain(mode, &format!("{secret:?}"), |layer| {
        layer.recover(|Json(card): Json<String>| async move {
            if card.starts_with("4111") {
                panic!("no charge of {card}");
            }
            Recovery::NotExecuted
        })
    });
    assert_quiet(&secret, "a recovery panicked");
}

fn a_panic_of_a_handler_is_not_quoted(mode: Mode) {
    log::listen();
    let secret = secret("handler", mode);
    let text = secret.clone();
    let rig = Rig::new(
        mode,
        FaultyStore::default(),
        |layer| layer,
        move |_| {
            let text = text.clone();
            async move { panic!("cannot charge {text}") }
        },
    );
    assert_eq!(rig.send("k").status, 500);
    assert!(rig.send("k").is_replay());
    assert_quiet(&secret, "an idempotent handler panicked");
}

fn a_panic_of_a_stream_is_not_quoted(mode: Mode) {
    log::listen();
    let secret = secret("stream", mode);
    let text = secret.clone();
    let rig = Rig::new(
        mode,
        FaultyStore::default(),
        |layer| layer,
        move |_| {
            let text = text.clone();
            let body = stream::poll_fn(move |_| -> Poll<Option<Result<Bytes, Error>>> {
                panic!("cannot send {text}")
            });
            async move { HttpResponse::Ok().streaming(body) }
        },
    );
    assert!(rig.ask("k").try_receive().is_err());
    assert_problem(&rig.settle("k"), 410, "response-not-kept");
    assert_eq!(log::lines_with(&[&secret]), [""; 0]);
}

/// An argument of a handler that panics with what the client sent.
struct Panicking;

impl FromRequest for Panicking {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        panic!("cannot read {:?}", request.headers().get("x-card"))
    }
}

#[idempotent]
async fn charge(_argument: Panicking) -> HttpResponse {
    HttpResponse::Created().finish()
}

#[test]
fn a_panic_of_a_handlers_argument_is_not_quoted() {
    log::listen();
    let site = Site::new(marked(), |config| {
        config.route("/charges", web::post().to(charge));
    });
    let request = Request::post("/charges").key("k");
    let answer = site.send(request.header("x-card", "4111-argument"));
    assert_eq!(answer.status, 500);
    assert_quiet("4111-argument", "an idempotent handler panicked");
}

#[test]
fn a_method_that_nobody_registered_is_not_quoted() {
    log::listen();
    let site = Site::new(marked(), |config| {
        config.route("/charges", web::route().to(charge));
    });
    let method = Method::from_bytes(b"CARD-4111-METHOD").expect("a token");
    assert_eq!(site.send(Request::new(method, "/charges")).status, 500);
    assert_quiet("4111-METHOD", "unregistered");
}
