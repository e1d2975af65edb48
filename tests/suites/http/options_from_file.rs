//! Options of the layer that are read from a file or the environment.

use std::time::Duration;

use actix_web::http::{Method, StatusCode};
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use idempotency_actix::{Idempotency, IdempotencyBuilder, KeyScope, LayerOptions, MemoryStore};
use idempotency_actix_tests::app::{Counter, Site, builder};
use idempotency_actix_tests::{Request, assert_first, assert_problem, assert_replay};

/// Answers what its request asks for, with the number of its run.
async fn act(runs: Counter, request: HttpRequest) -> HttpResponse {
    let run = runs.next();
    let status = request.query_string().parse::<StatusCode>();
    HttpResponse::build(status.unwrap_or(StatusCode::CREATED)).body(format!("run {run}"))
}

fn routes(config: &mut ServiceConfig) {
    config
        .route("/charges", web::post().to(act))
        .route("/charges", web::put().to(act));
}

fn site(layer: IdempotencyBuilder) -> Site {
    Site::new(layer.build().expect("options that can hold"), routes)
}

fn from_toml(text: &str) -> LayerOptions {
    toml::from_str(text).expect("options that can be read")
}

#[test]
fn options_from_a_file_hold() {
    let options = from_toml(
        r#"
        all_routes = true
        methods = ["post"]
        required = true
        ttl = "1h 30m"
        window_header = "idempotency-key-ttl"
        max_body = "1 KiB"
        release_on = [418, "500..=599"]
        key_header = "x-key"
        key_format = "uuid"
        "#,
    );
    let site = site(builder().options(options));
    let keyed = |target: &str| {
        Request::post(target).header("x-key", "00000000-0000-0000-0000-000000000001")
    };
    assert_problem(&site.send(Request::post("/charges")), 400, "missing-key");
    let malformed = Request::post("/charges").header("x-key", "1");
    assert_problem(&site.send(malformed), 400, "invalid-key");
    let large = keyed("/charges").body("x".repeat(1025));
    assert_problem(&site.send(large), 413, "body-too-large");
    for (run, status) in [(1, 500), (2, 418), (3, 599)] {
        let answer = site.send(keyed(&format!("/charges?{status}")));
        assert_first(&answer, status, &format!("run {run}"));
    }
    let (first, retry) = site.twice(&keyed("/charges"));
    assert_first(&first, 201, "run 4");
    assert_eq!(first.header("idempotency-key-ttl"), Some("5400"));
    assert_replay(&retry, 201, "run 4");
    // A method that is not covered.
    assert_first(
        &site.send(Request::new(Method::PUT, "/charges")),
        201,
        "run 5",
    );
}

#[test]
fn options_from_the_environment_hold() {
    let variables = [
        ("IDEMPOTENCY_ALL_ROUTES", "true"),
        ("IDEMPOTENCY_REQUIRED", "true"),
        ("IDEMPOTENCY_TTL", "2h"),
        ("IDEMPOTENCY_WINDOW_HEADER", "x-window"),
        ("IDEMPOTENCY_MAX_BODY", "1KiB"),
        ("IDEMPOTENCY_MAX_IN_FLIGHT", "3"),
        ("IDEMPOTENCY_RELEASE_ON", "429,500..=599"),
        ("IDEMPOTENCY_ON_UNKNOWN", "rerun"),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let read = envy::prefixed("IDEMPOTENCY_").from_iter::<_, LayerOptions>(variables);
    let site = site(builder().options(read.expect("options that can be read")));
    assert_problem(&site.send(Request::post("/charges")), 400, "missing-key");
    let answer = site.send(Request::post("/charges?503").key("k"));
    assert_first(&answer, 503, "run 1");
    let (first, retry) = site.twice(&Request::post("/charges").key("k"));
    assert_first(&first, 201, "run 2");
    assert_eq!(retry.header("x-window"), Some("7200"));
}

#[test]
fn what_is_set_after_them_overrides_them_and_what_is_set_before_does_not() {
    let hour = Duration::from_secs(3600);
    let written = || from_toml("ttl = \"2h\"\nwindow_header = \"x-window\"\nall_routes = true");
    let window = |layer: IdempotencyBuilder| {
        let answer = site(layer).send(Request::post("/charges").key("k"));
        answer.header("x-window").map(str::to_owned)
    };
    assert_eq!(
        window(builder().ttl(hour).options(written())).as_deref(),
        Some("7200")
    );
    assert_eq!(
        window(builder().options(written()).ttl(hour)).as_deref(),
        Some("3600")
    );
    let unwritten = from_toml("window_header = \"x-window\"");
    let layer = builder().all_routes().ttl(hour).options(unwritten);
    assert_eq!(window(layer).as_deref(), Some("3600"));
}

#[test]
fn what_cannot_hold_is_refused_as_ever() {
    for (text, expected) in [
        ("ttl = \"0s\"", "ttl"),
        ("key_header = \"a b\"", "header"),
        ("max_key_age = \"1h\"", "max_key_age"),
        ("release_on = [200]", "release_on"),
        ("methods = [\"POST\"]", "methods"),
        ("all_routes = true\nmethods = [\"GET\"]", "GET"),
        (
            "drop_headers = [\"etag\"]\nkeep_headers = [\"etag\"]",
            "headers",
        ),
    ] {
        let layer = Idempotency::builder(MemoryStore::new(), KeyScope::everyone());
        let refused = layer.options(from_toml(text)).build().expect_err(text);
        assert!(refused.to_string().contains(expected), "{text}: {refused}");
    }
}
