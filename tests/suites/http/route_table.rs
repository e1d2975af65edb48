//! All-routes mode with options for single routes: the layer's table.

use std::time::Duration;

use actix_web::http::{Method, StatusCode};
use actix_web::middleware::NormalizePath;
use actix_web::web::{self, ServiceConfig};
use actix_web::{App, HttpRequest, HttpResponse, Responder, get, post};
use idempotency_actix::Clock;
use idempotency_actix::{
    ConfigError, Idempotency, IdempotencyBuilder, IdempotencyKey, KeyScope, MemoryStore,
    RouteMistake, RouteOptions, idempotent,
};
use idempotency_actix_tests::app::{Call, Counter, FaultyStore, Site, builder};
use idempotency_actix_tests::{Request, assert_problem};

const ITEM: &str = "/v1/items/{id}";

async fn any(runs: Counter) -> impl Responder {
    HttpResponse::Created().body(runs.next().to_string())
}

/// With a mark of another layer's.
async fn proxied(runs: Counter) -> impl Responder {
    let mut answer = HttpResponse::Created();
    answer.insert_header(("idempotent-replayed", "true"));
    answer.body(runs.next().to_string())
}

async fn refused(request: HttpRequest, runs: Counter) -> impl Responder {
    let status = request
        .match_info()
        .query("status")
        .parse()
        .expect("a number");
    let status = StatusCode::from_u16(status).expect("a status");
    HttpResponse::build(status).body(runs.next().to_string())
}

#[post("/optional")]
#[idempotent(required = false)]
async fn optional(runs: Counter) -> impl Responder {
    any(runs).await
}

#[post("/marked")]
#[idempotent]
async fn marked(runs: Counter) -> impl Responder {
    any(runs).await
}

async fn keyed(key: IdempotencyKey) -> impl Responder {
    HttpResponse::Created().body(key.as_str().to_owned())
}

fn routes(config: &mut ServiceConfig) {
    let item = web::resource("/items/{id}")
        .route(web::post().to(any))
        .route(web::put().to(any));
    config
        .service(web::scope("/v1").service(item))
        .route("/plain", web::post().to(any))
        .route("/keyed", web::post().to(keyed))
        .route("/answers/{status}", web::post().to(refused))
        .service(optional)
        .service(marked);
}

fn covering() -> IdempotencyBuilder {
    builder().all_routes()
}

fn site(layer: IdempotencyBuilder) -> Site {
    Site::new(layer.build().expect("a layer"), routes)
}

#[test]
fn an_entry_holds_for_its_method_and_pattern_only() {
    let options = RouteOptions::new().max_body(3);
    let site = site(covering().route(Method::POST, ITEM, options));
    let long = |request: Request, key| site.send(request.key(key).body("1234"));
    assert_problem(
        &long(Request::post("/v1/items/7"), "k"),
        413,
        "body-too-large",
    );
    assert_problem(
        &long(Request::post("/v1/items/8"), "k"),
        413,
        "body-too-large",
    );
    assert_eq!(
        long(Request::new(Method::PUT, "/v1/items/7"), "k").status,
        201
    );
    assert_eq!(long(Request::post("/plain"), "k").status, 201);
    assert_eq!(site.runs.count(), 2);
}

#[test]
fn the_ttl_of_an_entry_holds() {
    let clock = Clock::manual();
    let store = MemoryStore::builder().clock(clock.clone()).build();
    let minute = RouteOptions::new().ttl(Duration::from_secs(60));
    let layer = Idempotency::builder(store, KeyScope::everyone()).all_routes();
    let site = site(layer.route(Method::POST, "/plain", minute));
    let [short, long] = ["/plain", "/v1/items/1"].map(|path| Request::post(path).key("k"));
    site.twice(&short);
    site.twice(&long);
    assert_eq!(site.runs.count(), 2);
    clock.advance(Duration::from_secs(61));
    assert_eq!(site.send(short).text(), "3");
    assert!(site.send(long).is_replay());
}

#[test]
fn the_releasing_answers_of_an_entry_replace_the_layers() {
    let options = RouteOptions::new().release_on([StatusCode::NOT_FOUND]);
    let site = site(covering().route(Method::POST, "/answers/{status}", options));
    let (_, retry) = site.twice(&Request::post("/answers/404").key("k"));
    assert!(!retry.is_replay());
    let (_, retry) = site.twice(&Request::post("/answers/429").key("k"));
    assert!(retry.is_replay());
}

#[test]
fn the_answer_limit_of_an_entry_holds() {
    let options = RouteOptions::new().max_response(1);
    let site = site(covering().route(Method::POST, "/plain", options));
    let plain = Request::post("/plain");
    for i in 1..10 {
        assert!(site.twice(&plain.clone().key(&i.to_string())).1.is_replay());
    }
    let (first, retry) = site.twice(&plain.key("10"));
    assert_eq!(first.text(), "10");
    assert_problem(&retry, 410, "response-not-kept");
}

#[test]
fn an_entry_may_require_a_key() {
    let required = RouteOptions::new().required(true);
    let site = site(covering().route(Method::POST, ITEM, required));
    assert_problem(&site.send(Request::post("/v1/items/1")), 400, "missing-key");
    assert_eq!(site.send(Request::post("/plain")).status, 201);
    assert_eq!(site.runs.count(), 1);
}

#[test]
fn an_entry_may_take_back_what_the_layer_requires() {
    let keyless = RouteOptions::new().required(false);
    let layer = covering().required(true);
    let site = site(layer.route(Method::POST, "/plain", keyless));
    assert_problem(&site.send(Request::post("/v1/items/1")), 400, "missing-key");
    assert_eq!(site.send(Request::post("/plain")).status, 201);
    assert!(site.twice(&Request::post("/plain").key("k")).1.is_replay());
}

#[test]
fn an_attribute_that_takes_back_what_the_layer_requires_comes_too_late() {
    let site = site(covering().required(true));
    let (first, retry) = site.twice(&Request::post("/optional").key("k"));
    assert_eq!((first.status, retry.status), (500, 500));
    assert!(!retry.is_replay());
    assert_eq!(site.runs.count(), 0);
}

#[test]
fn an_attribute_that_takes_back_what_its_entry_took_back_is_in_time() {
    let keyless = RouteOptions::new().required(false);
    let layer = covering().required(true);
    let site = site(layer.route(Method::POST, "/optional", keyless));
    assert_eq!(site.send(Request::post("/optional")).status, 201);
    let (first, retry) = site.twice(&Request::post("/optional").key("k"));
    assert_eq!((first.status, retry.text()), (201, first.text()));
    assert!(retry.is_replay());
}

#[test]
fn an_entry_takes_back_what_the_layer_requires_of_a_marked_handler_too() {
    let entry = RouteOptions::new().required(false);
    let layer = covering().required(true);
    let site = site(layer.route(Method::POST, "/marked", entry));
    assert_eq!(site.send(Request::post("/marked")).status, 201);
}

#[test]
fn a_marked_handler_takes_its_key_from_where_its_entry_does() {
    let entry = RouteOptions::new().key_header("webhook-id");
    let site = site(covering().route(Method::POST, "/marked", entry));
    let (_, retry) = site.twice(&Request::post("/marked").key("k"));
    assert!(!retry.is_replay());
    let delivery = Request::post("/marked").header("webhook-id", "k");
    let (_, retry) = site.twice(&delivery);
    assert!(retry.is_replay());
    assert_eq!(site.runs.count(), 3);
}

#[test]
fn an_extractor_of_the_key_asks_for_the_header_of_its_entry() {
    let entry = RouteOptions::new().key_header("webhook-id");
    let site = site(covering().route(Method::POST, "/keyed", entry));
    let answer = site.send(Request::post("/keyed").key("k"));
    assert_problem(&answer, 400, "missing-key");
    assert!(answer.text().contains("webhook-id"));
}

#[test]
fn a_skipped_route_is_left_alone() {
    let store = FaultyStore::default();
    let layer = Idempotency::builder(store.clone(), KeyScope::everyone()).all_routes();
    let site = site(layer.route(Method::POST, "/plain", RouteOptions::new().skip()));
    let (first, retry) = site.twice(&Request::post("/plain").key("k"));
    assert_eq!((first.text(), retry.text()), ("1".into(), "2".into()));
    assert_eq!((store.count(Call::Begin), store.records()), (0, 0));
    assert!(
        site.twice(&Request::post("/v1/items/1").key("k"))
            .1
            .is_replay()
    );
}

#[test]
fn a_skipped_route_passes_even_where_the_layer_requires_a_key() {
    let layer = covering().required(true);
    let site = site(layer.route(Method::POST, "/plain", RouteOptions::new().skip()));
    assert_eq!(site.send(Request::post("/plain")).status, 201);
}

#[test]
fn a_marked_handler_on_a_skipped_route_claims_for_itself() {
    let site = site(covering().route(Method::POST, "/marked", RouteOptions::new().skip()));
    let (first, retry) = site.twice(&Request::post("/marked").key("k"));
    assert_eq!(first.text(), retry.text());
    assert!(retry.is_replay());
    assert_eq!(site.runs.count(), 1);
}

#[track_caller]
fn refusal(layer: IdempotencyBuilder) -> (String, RouteMistake) {
    let error = layer.build().expect_err("a layer that cannot be built");
    let message = error.to_string();
    assert!(message.contains("`route` for "), "{message}");
    match error {
        ConfigError::Route { mistake, .. } => (message, mistake),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_table_without_all_routes_is_refused() {
    let (message, mistake) = refusal(builder().route(Method::POST, "/", RouteOptions::new()));
    assert_eq!(mistake, RouteMistake::WithoutAllRoutes);
    assert!(message.contains("`all_routes()`"), "{message}");
}

#[test]
fn a_method_that_is_not_covered_is_refused() {
    let narrow = covering().methods([Method::PUT]);
    for layer in [
        covering().route(Method::GET, "/", RouteOptions::new()),
        narrow.route(Method::POST, "/", RouteOptions::new()),
    ] {
        assert_eq!(refusal(layer).1, RouteMistake::Method);
    }
}

#[test]
fn a_pattern_that_is_no_path_is_refused() {
    for pattern in ["", "items/{id}", "*"] {
        let layer = covering().route(Method::POST, pattern, RouteOptions::new());
        assert_eq!(refusal(layer).1, RouteMistake::Pattern);
    }
}

#[test]
fn an_entry_that_is_given_twice_is_refused() {
    let options = RouteOptions::new().required(true);
    let other =
        covering()
            .route(Method::POST, ITEM, options.clone())
            .route(Method::PUT, ITEM, options);
    let (message, mistake) = refusal(other.route(Method::POST, ITEM, RouteOptions::new()));
    assert_eq!(mistake, RouteMistake::Twice);
    assert!(message.contains("POST /v1/items/{id}"), "{message}");
}

#[test]
fn an_entry_s_options_are_checked_like_the_layers() {
    let with = |options| refusal(covering().route(Method::POST, ITEM, options));
    let (message, mistake) = with(RouteOptions::new().ttl(Duration::ZERO));
    let ttl = ConfigError::Ttl(Duration::ZERO);
    assert_eq!(mistake, RouteMistake::Option(Box::new(ttl)));
    assert!(message.contains("`ttl`"), "{message}");
    let (_, mistake) = with(RouteOptions::new().release_on([StatusCode::OK]));
    let status = ConfigError::ReleaseOn(StatusCode::OK);
    assert_eq!(mistake, RouteMistake::Option(Box::new(status)));
    let (_, mistake) = with(RouteOptions::new().max_body(0));
    let size = ConfigError::ZeroLimit("max_body");
    assert_eq!(mistake, RouteMistake::Option(Box::new(size)));
}

#[get("/overlap/{page}")]
async fn page() -> impl Responder {
    HttpResponse::Ok()
}

#[post("/overlap/pay")]
async fn pay(runs: Counter) -> impl Responder {
    any(runs).await
}

/// A resource that is registered first takes the path and not the method, and another has two patterns.
fn overlapping(layer: IdempotencyBuilder) -> Site {
    let layer = layer.build().expect("entries that can hold");
    Site::new(layer, |config| {
        let twice = web::resource(["/one", "/two"]).route(web::post().to(any));
        config.service(page).service(pay).service(twice);
    })
}

#[test]
fn an_entry_holds_where_a_resource_for_another_method_matches_first() {
    let required = RouteOptions::new().required(true);
    let site = overlapping(covering().route(Method::POST, "/overlap/pay", required));
    let answer = site.send(Request::post("/overlap/pay"));
    assert_problem(&answer, 400, "missing-key");
    assert_eq!(site.runs.count(), 0);
}

#[test]
fn each_pattern_of_a_resource_has_its_own_entry() {
    let layer = covering()
        .route(Method::POST, "/one", RouteOptions::new().skip())
        .route(Method::POST, "/two", RouteOptions::new().required(true));
    let site = overlapping(layer);
    assert_problem(&site.send(Request::post("/two")), 400, "missing-key");
    let (first, retry) = site.twice(&Request::post("/two").key("k"));
    assert_eq!((first.text(), retry.is_replay()), ("1".into(), true));
    let (first, second) = site.twice(&Request::post("/one").key("k"));
    assert!(!first.is_replay() && !second.is_replay());
}

#[test]
fn the_names_of_a_pattern_s_segments_do_not_matter() {
    let entry = RouteOptions::new().required(true);
    let layer = covering().route(Method::POST, "/v1/items/{other}", entry);
    let site = site(layer);
    assert_problem(&site.send(Request::post("/v1/items/1")), 400, "missing-key");
}

#[test]
fn of_entries_that_overlap_the_application_s_own_pattern_counts() {
    let required = RouteOptions::new().required(true);
    let layer = covering().route(Method::POST, "/{any}*", required).route(
        Method::POST,
        ITEM,
        RouteOptions::new(),
    );
    let site = site(layer);
    assert_eq!(site.send(Request::post("/v1/items/1")).status, 201);
    assert_problem(&site.send(Request::post("/plain")), 400, "missing-key");
}

#[test]
fn a_pattern_that_cannot_be_read_is_refused() {
    for pattern in ["/v1/{", "/v1/{id", "/{a:(}"] {
        let layer = covering().route(Method::POST, pattern, RouteOptions::new());
        assert_eq!(refusal(layer).1, RouteMistake::Pattern, "{pattern}");
    }
}

/// Its answer is one caller's by the entry's scope, and was claimed as everybody's.
#[test]
fn an_entry_with_another_scope_that_inner_middleware_leads_to_is_no_others_to_replay() {
    let by_user = KeyScope::by(|request| {
        let user = request.headers().get("x-user")?;
        Some(user.as_bytes().to_vec())
    });
    let options = RouteOptions::new().scope(by_user);
    let layer = covering().route(Method::POST, "/plain", options);
    let layer = layer.build().expect("a layer");
    let site = Site::serve(move |runs| {
        App::new()
            .app_data(runs)
            .wrap(NormalizePath::trim())
            .wrap(layer.clone())
            .route("/plain", web::post().to(proxied))
    });
    let send = |path, user| {
        let request = Request::post(path).key("k").header("x-user", user);
        site.send(request)
    };
    let first = send("/plain/", "one");
    assert_eq!(
        (first.status, first.header("idempotent-replayed")),
        (201, None)
    );
    let retry = send("/plain/", "one");
    assert_eq!(retry.status, 500, "{retry:?}");
    assert!(retry.text().contains("changes the path"), "{retry:?}");
    assert_eq!(send("/plain/", "other").text(), retry.text());
    assert_eq!(send("/plain", "one").text(), "2");
    assert_eq!(send("/plain", "other").text(), "3");
}
