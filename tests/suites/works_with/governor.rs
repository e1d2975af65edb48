//! `actix-governor`: its 429 is no answer of the operation.

use std::time::Duration;

use actix_governor::governor::middleware::NoOpMiddleware;
use actix_governor::{
    Governor, GovernorConfig, GovernorConfigBuilder, KeyExtractor, SimpleKeyExtractionError,
};
use actix_web::dev::ServiceRequest;
use actix_web::{App, web};
use idempotency_actix_tests::app::{Mode, Site};
use idempotency_actix_tests::{Request, assert_first, assert_replay, in_both_modes};

use crate::modes::{layer, marked, plain, post};
use crate::table::Row;

pub(crate) const ROW: Row = Row {
    name: "`actix-governor`",
    package: "actix-governor",
    marked: "around; inside as well",
    all_routes: "around; inside its 429 releases the claim",
    holds: "A request that is over its limit leaves the key unused. Around the layer retries count, and replays are refused too.",
    tests: &["works_with/governor.rs"],
};

in_both_modes! {
    a_refusal_around_the_layer_leaves_the_key_unused
    a_refusal_inside_of_the_layer_leaves_the_key_unused
}

/// Tells clients apart by what they say, so that a test is several.
#[derive(Clone)]
struct Client;

impl KeyExtractor for Client {
    type Key = String;
    type KeyExtractionError = SimpleKeyExtractionError<&'static str>;

    fn extract(&self, request: &ServiceRequest) -> Result<String, Self::KeyExtractionError> {
        let client = request.headers().get("x-client");
        let client = client.and_then(|client| client.to_str().ok());
        client
            .map(str::to_owned)
            .ok_or(SimpleKeyExtractionError::new("no client"))
    }
}

/// One request of a client in an hour.
fn limit() -> GovernorConfig<Client, NoOpMiddleware> {
    let mut limit = GovernorConfigBuilder::default().key_extractor(Client);
    limit.period(Duration::from_secs(3600)).burst_size(1);
    limit.finish().expect("a limit")
}

fn from(mode: Mode, client: &str) -> Request {
    post(mode).header("X-Client", client)
}

/// Has one client refused that has made a request, and sends the same by another.
#[track_caller]
fn assert_unused(mode: Mode, site: &Site) {
    assert_first(&site.send(from(mode, "one")), 201, "run 1");
    let refused = site.send(from(mode, "one").key("k"));
    assert_eq!((refused.status, refused.is_replay()), (429, false));
    assert!(refused.header("retry-after").is_some(), "{refused:?}");
    assert_first(&site.send(from(mode, "two").key("k")), 201, "run 2");
    assert_replay(&site.send(from(mode, "three").key("k")), 201, "run 2");
}

fn a_refusal_around_the_layer_leaves_the_key_unused(mode: Mode) {
    let (layer, limit) = (layer(mode), limit());
    let site = Site::serve(move |runs| {
        App::new()
            .app_data(runs)
            .wrap(layer.clone())
            .wrap(Governor::new(&limit))
            .route("/marked", web::post().to(marked))
            .route("/plain", web::post().to(plain))
    });
    assert_unused(mode, &site);
    let replay = site.send(from(mode, "three").key("k"));
    assert_eq!(replay.status, 429);
}

fn a_refusal_inside_of_the_layer_leaves_the_key_unused(mode: Mode) {
    let (layer, limit) = (layer(mode), limit());
    let site = Site::serve(move |runs| {
        App::new()
            .app_data(runs)
            .wrap(Governor::new(&limit))
            .wrap(layer.clone())
            .route("/marked", web::post().to(marked))
            .route("/plain", web::post().to(plain))
    });
    assert_unused(mode, &site);
}
