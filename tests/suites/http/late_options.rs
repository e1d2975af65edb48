//! Options of a marked handler that are decided before the claim, under a layer that has claimed already.

use actix_web::web::{Bytes, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Responder};
use idempotency_actix::{Idempotency, KeyScope, Recovery, idempotent};
use idempotency_actix_tests::app::{Counter, FaultyStore, Site, covering, marked};
use idempotency_actix_tests::{Request, log};

fn text(_: &HttpRequest) -> Option<String> {
    Some("text".into())
}

fn whole(_: &HttpRequest, body: &[u8]) -> Vec<u8> {
    body.to_vec()
}

fn unchanged(_: &HttpRequest, _: &[u8], replay: HttpResponse<Bytes>) -> HttpResponse<Bytes> {
    replay
}

async fn find_out() -> Recovery {
    Recovery::StillUnknown
}

/// A marked handler for each option, by its name.
mod handler {
    use super::*;

    macro_rules! marked {
        ($($name:ident($($option:tt)*))*) => {
            $(
                #[idempotent($($option)*)]
                pub(super) async fn $name(runs: Counter) -> impl Responder {
                    runs.next();
                    HttpResponse::Created()
                }
            )*

            pub(super) const NAMES: &[&str] = &[$(stringify!($name)),*];

            pub(super) fn route(config: &mut ServiceConfig) {
                $(config.route(
                    concat!("/", stringify!($name)),
                    actix_web::web::post().to($name),
                );)*
            }
        };
    }

    marked! {
        lease(lease = "10s")
        max_body(max_body = "1MiB")
        key_header(key_header = "webhook-id")
        key(key = text)
        strict_keys(strict_keys)
        key_format(key_format = "any")
        max_key_age(max_key_age = "0s")
        scope(scope = text)
        fingerprint(fingerprint = whole)
        vary(vary = ["host"])
        wait(wait = "1s")
        max_in_flight(max_in_flight = 10)
        on_unknown(on_unknown = "rerun")
        recover(recover = find_out)
        on_replay(on_replay = unchanged)
        on_store_failure(on_store_failure = "run")
    }
}

#[test]
fn each_is_a_500_that_binds_nothing_and_a_log_line_that_says_what_to_write() {
    log::listen();
    let store = FaultyStore::default();
    let layer = Idempotency::builder(store.clone(), KeyScope::everyone());
    let site = Site::new(layer.all_routes().build().unwrap(), handler::route);
    for option in handler::NAMES {
        let (first, retry) = site.twice(&Request::post(&format!("/{option}")).key("k"));
        assert_eq!((first.status, retry.status), (500, 500), "{option}");
        assert!(!retry.is_replay(), "{option}");
        let entry = format!(".route(Method::POST, \"/{option}\", RouteOptions::new().{option}(");
        assert_eq!(log::lines_with(&[&entry]).len(), 2, "{option}");
        // These tests are a debug build.
        assert!(first.text().contains(&entry), "{first:?}");
    }
    assert_eq!((store.records(), site.runs.count()), (0, 0));
}

#[test]
fn each_holds_under_a_layer_for_marked_handlers() {
    let site = Site::new(marked(), handler::route);
    for option in handler::NAMES {
        let request = Request::post(&format!("/{option}")).key("\"k\"");
        let (first, retry) = site.twice(&request.header("webhook-id", "k"));
        assert_eq!((first.status, retry.is_replay()), (201, true), "{option}");
    }
}

/// What the layer does not see the key of, it has not claimed.
#[test]
fn a_key_that_the_layer_does_not_look_for_is_the_handler_s_own() {
    let site = Site::new(covering(), handler::route);
    let delivery = Request::post("/key_header").header("webhook-id", "k");
    let (first, retry) = site.twice(&delivery);
    assert_eq!((first.status, retry.is_replay()), (201, true));
    assert_eq!(site.runs.count(), 1);
}
