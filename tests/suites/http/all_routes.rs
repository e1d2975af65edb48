//! All-routes mode: the same promise around whatever is inside of the layer.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::{ErrorGatewayTimeout, ErrorImATeapot};
use actix_web::http::Method;
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, ServiceConfig};
use actix_web::{App, Error, FromRequest, HttpRequest, HttpResponse, Responder, post, put};
use idempotency_actix::Clock;
use idempotency_actix::{
    Idempotency, IdempotencyBuilder, KeyScope, MemoryStore, NotExecuted, idempotent,
};
use idempotency_actix_tests::app::{
    Call, Counter, FaultyStore, Site, builder, charge, covering, plain,
};
use idempotency_actix_tests::{Request, assert_problem};

async fn any(request: HttpRequest, runs: Counter) -> impl Responder {
    let method = request.method().to_string();
    HttpResponse::Ok().body(format!("{}:{method}", runs.next()))
}

async fn json(body: web::Json<u32>, runs: Counter) -> impl Responder {
    runs.next();
    HttpResponse::Created().body(body.to_string())
}

#[post("/marked-json")]
#[idempotent]
async fn marked_json(body: web::Json<u32>, runs: Counter) -> impl Responder {
    runs.next();
    HttpResponse::Created().body(body.to_string())
}

#[put("/guarded")]
async fn guarded(runs: Counter) -> impl Responder {
    runs.next().to_string()
}

async fn panics(runs: Counter) -> String {
    panic!("secret of run {}", runs.next())
}

#[post("/marked-panic")]
#[idempotent]
async fn marked_panics(runs: Counter) -> String {
    panic!("secret of run {}", runs.next())
}

#[post("/minute")]
#[idempotent(ttl = "1m")]
async fn minute(runs: Counter) -> impl Responder {
    runs.next().to_string()
}

#[post("/conflict")]
#[idempotent(release_on = [409])]
async fn conflict(runs: Counter) -> impl Responder {
    HttpResponse::Conflict().body(runs.next().to_string())
}

#[post("/small-answer")]
#[idempotent(max_response = 4)]
async fn small_answer(runs: Counter) -> impl Responder {
    format!("{}:12345", runs.next())
}

#[post("/required")]
#[idempotent(required)]
async fn required(runs: Counter) -> impl Responder {
    runs.next().to_string()
}

#[post("/optional")]
#[idempotent(required = false)]
async fn optional(runs: Counter) -> impl Responder {
    runs.next().to_string()
}

#[post("/lease")]
#[idempotent(lease = "1s")]
async fn own_lease(runs: Counter) -> impl Responder {
    runs.next().to_string()
}

#[post("/max-body")]
#[idempotent(max_body = "1KiB")]
async fn own_max_body(runs: Counter) -> impl Responder {
    runs.next().to_string()
}

/// An extractor that never ends, if it is asked to.
struct Stuck;

impl FromRequest for Stuck {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Error>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let is_stuck = request.headers().contains_key("x-stuck-extractor");
        Box::pin(poll_fn(move |_| match is_stuck {
            true => Poll::Pending,
            false => Poll::Ready(Ok(Self)),
        }))
    }
}

#[post("/stuck")]
#[idempotent]
async fn stuck(request: HttpRequest, _: Stuck, runs: Counter) -> impl Responder {
    let run = runs.next();
    if request.headers().contains_key("x-stuck-handler") {
        std::future::pending::<()>().await;
    }
    HttpResponse::Created().body(run.to_string())
}

fn routes(config: &mut ServiceConfig) {
    config
        .service(charge)
        .service(plain)
        .service(marked_json)
        .service(marked_panics)
        .service(guarded)
        .service(minute)
        .service(conflict)
        .service(small_answer)
        .service(required)
        .service(optional)
        .service(own_lease)
        .service(own_max_body)
        .service(stuck)
        .route("/any", web::to(any))
        .route("/json", web::post().to(json))
        .route("/panic", web::post().to(panics))
        .service(web::resource("/put-only").route(web::put().to(any)));
}

fn counted() -> (Site, FaultyStore) {
    let store = FaultyStore::default();
    let layer = Idempotency::builder(store.clone(), KeyScope::everyone()).all_routes();
    (Site::new(layer.build().unwrap(), routes), store)
}

#[test]
fn every_unsafe_method_is_covered() {
    let site = Site::new(covering(), routes);
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        let request = Request::new(method.clone(), "/any").key("k");
        let (first, retry) = site.twice(&request);
        assert!(first.text().ends_with(method.as_str()));
        assert!(retry.is_replay() && first.body == retry.body, "{method}");
    }
    assert_eq!(site.runs.count(), 4);
}

fn only_put() -> IdempotencyBuilder {
    builder().all_routes().methods([Method::PUT])
}

#[test]
fn methods_keeps_the_named_ones_covered() {
    let site = Site::new(only_put().build().unwrap(), routes);
    let (_, retry) = site.twice(&Request::new(Method::PUT, "/any").key("k"));
    assert!(retry.is_replay());
    assert_eq!(site.runs.count(), 1);
}

#[test]
fn methods_leaves_the_others_alone() {
    let site = Site::new(only_put().build().unwrap(), routes);
    let (_, retry) = site.twice(&Request::post("/any").key("k"));
    assert!(!retry.is_replay());
    assert_eq!(site.runs.count(), 2);
}

#[test]
fn methods_does_not_narrow_marked_handlers() {
    let site = Site::new(only_put().build().unwrap(), routes);
    let (_, retry) = site.twice(&Request::post("/charges").key("k"));
    assert!(retry.is_replay());
    assert_eq!(site.runs.count(), 1);
}

#[test]
fn a_path_without_route_stores_nothing() {
    let (site, store) = counted();
    let (first, retry) = site.twice(&Request::post("/nowhere").key("k"));
    assert_eq!((first.status, retry.status), (404, 404));
    assert!(!retry.is_replay());
    let calls = (store.count(Call::Begin), store.count(Call::Release));
    assert_eq!((calls, store.records()), ((2, 2), 0));
}

#[test]
fn a_path_without_route_in_a_covered_scope_binds_since_its_default_service_may_have_answered() {
    let store = FaultyStore::default();
    let layer = on(&store).all_routes().build().unwrap();
    let site = Site::serve(move |runs| {
        let scope = web::scope("/api").wrap(layer.clone());
        App::new().app_data(runs).service(scope.service(plain))
    });
    for target in ["/api", "/api/", "/api/nowhere", "/plain"] {
        let answer = site.send(Request::post(target).key("k"));
        assert_eq!(answer.status, 404, "{target}");
    }
    let calls = (store.count(Call::Begin), store.count(Call::Release));
    assert_eq!((calls, store.records()), ((3, 0), 3));
}

#[test]
fn a_405_binds_since_a_handler_may_have_given_it() {
    let (site, store) = counted();
    let (first, retry) = site.twice(&Request::post("/put-only").key("k"));
    assert_eq!((first.status, retry.status), (405, 405));
    assert!(retry.is_replay());
    assert_eq!((store.count(Call::Complete), store.records()), (1, 1));
    assert_eq!(site.runs.count(), 0);
}

#[test]
fn a_method_that_a_route_macro_keeps_out_stores_nothing() {
    let (site, store) = counted();
    let (first, retry) = site.twice(&Request::post("/guarded").key("k"));
    assert_eq!((first.status, retry.status), (404, 404));
    assert!(!retry.is_replay());
    assert_eq!(
        (
            store.count(Call::Complete),
            store.records(),
            site.runs.count()
        ),
        (0, 0, 0)
    );
}

#[test]
fn a_refused_method_is_a_405_with_the_router_s_own_answer() {
    let (site, _) = counted();
    let answer = site.send(Request::post("/put-only").key("k"));
    assert_eq!((answer.status, answer.problem()), (405, None));
}

#[test]
fn a_marked_handler_does_not_claim_twice() {
    let (site, store) = counted();
    let (first, retry) = site.twice(&Request::post("/charges").key("k"));
    assert_eq!((first.status, retry.is_replay()), (201, true));
    assert_eq!(
        (
            store.count(Call::Begin),
            store.count(Call::Complete),
            store.count(Call::Release)
        ),
        (2, 1, 0)
    );
    assert_eq!((store.records(), site.runs.count()), (1, 1));
}

#[test]
fn a_first_run_is_two_store_calls_and_a_replay_one() {
    let (site, store) = counted();
    let request = Request::post("/plain").key("k");
    site.send(request.clone());
    assert_eq!(
        (store.count(Call::Begin), store.count(Call::Complete)),
        (1, 1)
    );
    site.send(request);
    assert_eq!(
        (store.count(Call::Begin), store.count(Call::Complete)),
        (2, 1)
    );
    assert_eq!((store.count(Call::Release), site.runs.count()), (0, 1));
}

#[test]
fn the_ttl_of_a_marked_handler_holds() {
    let clock = Clock::manual();
    let store = MemoryStore::builder().clock(clock.clone()).build();
    let layer = Idempotency::builder(store, KeyScope::everyone()).all_routes();
    let site = Site::new(layer.build().unwrap(), routes);
    let request = Request::post("/minute").key("k");
    site.send(request.clone());
    clock.advance(Duration::from_secs(59));
    assert!(site.send(request.clone()).is_replay());
    clock.advance(Duration::from_secs(1));
    assert!(!site.send(request).is_replay());
    assert_eq!(site.runs.count(), 2);
}

#[test]
fn the_releasing_answers_of_a_marked_handler_hold() {
    let site = Site::new(covering(), routes);
    let (_, retry) = site.twice(&Request::post("/conflict").key("k"));
    assert_eq!((retry.status, retry.text().as_str()), (409, "2"));
    assert_eq!(site.runs.count(), 2);
}

#[test]
fn the_answer_limit_of_a_marked_handler_holds() {
    let site = Site::new(covering(), routes);
    let (first, retry) = site.twice(&Request::post("/small-answer").key("k"));
    assert_eq!(first.text(), "1:12345");
    assert_problem(&retry, 410, "response-not-kept");
    assert_eq!(site.runs.count(), 1);
}

#[test]
fn a_marked_handler_that_requires_a_key_refuses_a_request_without_one() {
    let site = Site::new(covering(), routes);
    assert_problem(&site.send(Request::post("/required")), 400, "missing-key");
    assert_eq!(site.runs.count(), 0);
}

#[test]
fn an_option_that_comes_too_late_is_a_500_and_binds_nothing() {
    let (site, store) = counted();
    for target in ["/lease", "/max-body"] {
        let (first, retry) = site.twice(&Request::post(target).key("k"));
        assert_eq!((first.status, retry.status), (500, 500), "{target}");
        assert!(!retry.is_replay(), "{target}");
    }
    assert_eq!(
        (
            store.count(Call::Complete),
            store.records(),
            site.runs.count()
        ),
        (0, 0, 0)
    );
}

#[test]
fn an_extractor_failure_of_an_unmarked_handler_binds() {
    let site = Site::new(covering(), routes);
    let request = Request::post("/json").key("k").body("x");
    let request = request.header("Content-Type", "application/json");
    let (first, retry) = site.twice(&request);
    assert_eq!((first.status, retry.status), (400, 400));
    assert!(retry.is_replay());
    assert_problem(&site.send(request.body("1")), 422, "key-reused");
    assert_eq!(site.runs.count(), 0);
}

#[test]
fn an_extractor_failure_of_a_marked_handler_releases() {
    let (site, store) = counted();
    let request = Request::post("/marked-json").key("k");
    let request = request.header("Content-Type", "application/json");
    let (first, retry) = site.twice(&request.clone().body("x"));
    assert_eq!((first.status, retry.status), (400, 400));
    assert!(!retry.is_replay());
    assert_eq!((store.records(), site.runs.count()), (0, 0));
    let corrected = site.send(request.body("1"));
    assert_eq!((corrected.status, site.runs.count()), (201, 1));
}

#[test]
fn a_panic_is_bound_as_a_plain_500() {
    let site = Site::new(covering(), routes);
    for (i, target) in ["/panic", "/marked-panic"].into_iter().enumerate() {
        let (first, retry) = site.twice(&Request::post(target).key("k"));
        assert_eq!(
            (first.status, first.text().as_str()),
            (500, "Internal Server Error")
        );
        assert!(retry.is_replay() && first.body == retry.body, "{target}");
        assert_eq!(site.runs.count() as usize, i + 1);
    }
    assert_eq!(site.send(Request::post("/plain").key("k")).status, 201);
}

/// Counts, fails or gives up, as the request asks.
async fn inner(
    runs: Counter,
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let run = runs.next();
    let headers = request.headers();
    if headers.contains_key("x-refuse") {
        return Err(NotExecuted::error(ErrorImATeapot(format!("refused {run}"))));
    }
    if headers.contains_key("x-fail") {
        return Err(ErrorImATeapot(format!("short and stout {run}")));
    }
    if headers.contains_key("x-panic") {
        panic!("secret of the middleware");
    }
    let gives_up = headers.contains_key("x-give-up");
    let fails_after = headers.contains_key("x-fail-after");
    let answer = tokio::select! {
        biased;
        answer = next.call(request) => answer,
        () = std::future::ready(()), if gives_up => Err(ErrorGatewayTimeout("gave up")),
    };
    match answer {
        Ok(_) if fails_after => Err(ErrorImATeapot(format!("short and stout {run}"))),
        answer => answer,
    }
}

/// Middleware between an all-routes layer and the handlers; it has a counter of its own.
fn around_inner(store: FaultyStore) -> (Site, Counter) {
    let layer = Idempotency::builder(store, KeyScope::everyone()).all_routes();
    let layer = layer.build().unwrap();
    let inner_runs = Counter::default();
    let inner_counted = inner_runs.clone();
    let site = Site::serve(move |runs| {
        let inner_counted = inner_counted.clone();
        App::new()
            .app_data(runs)
            .wrap(from_fn(move |request, next| {
                inner(inner_counted.clone(), request, next)
            }))
            .wrap(layer.clone())
            .configure(routes)
    });
    (site, inner_runs)
}

#[test]
fn an_error_of_inner_middleware_is_rendered_bound_and_replayed() {
    let (site, inner) = around_inner(FaultyStore::default());
    let request = Request::post("/plain").key("k").header("x-fail", "1");
    let (first, retry) = site.twice(&request);
    assert_eq!(
        (first.status, first.text().as_str()),
        (418, "short and stout 1")
    );
    assert!(retry.is_replay());
    assert_eq!((retry.status, &retry.body), (418, &first.body));
    assert_eq!((inner.count(), site.runs.count()), (1, 0));
}

#[test]
fn an_error_of_inner_middleware_that_says_it_did_not_execute_releases() {
    let store = FaultyStore::default();
    let (site, inner) = around_inner(store.clone());
    let request = Request::post("/plain").key("k").header("x-refuse", "1");
    let (first, retry) = site.twice(&request);
    assert_eq!((first.status, first.text().as_str()), (418, "refused 1"));
    assert_eq!(
        (retry.is_replay(), retry.text().as_str()),
        (false, "refused 2")
    );
    assert_eq!(
        (inner.count(), site.runs.count(), store.records()),
        (2, 0, 0)
    );
}

#[test]
fn an_error_of_inner_middleware_after_the_handler_is_bound() {
    for (i, target) in ["/plain", "/charges"].into_iter().enumerate() {
        let (site, inner) = around_inner(FaultyStore::default());
        let request = Request::post(target).key("k").header("x-fail-after", "1");
        let (first, retry) = site.twice(&request);
        assert_eq!((first.status, retry.status), (418, 418), "{target} {i}");
        assert!(retry.is_replay(), "{target}");
        assert_eq!((inner.count(), site.runs.count()), (1, 1));
    }
}

#[test]
fn a_panic_of_inner_middleware_is_bound_as_a_plain_500() {
    let (site, inner) = around_inner(FaultyStore::default());
    let request = Request::post("/plain").key("k").header("x-panic", "1");
    let (first, retry) = site.twice(&request);
    assert_eq!(
        (first.status, first.text().as_str()),
        (500, "Internal Server Error")
    );
    assert!(retry.is_replay());
    assert_eq!((inner.count(), site.runs.count()), (1, 0));
}

#[test]
fn an_error_before_a_marked_handler_started_releases() {
    let store = FaultyStore::default();
    let (site, inner) = around_inner(store.clone());
    let request = Request::post("/stuck").key("k");
    let late = request.clone().header("x-give-up", "1");
    let late = site.send(late.header("x-stuck-extractor", "1"));
    assert_eq!((late.status, late.text().as_str()), (504, "gave up"));
    assert_eq!((site.runs.count(), store.records()), (0, 0));
    let retry = site.send(request);
    assert_eq!((retry.status, retry.is_replay()), (201, false));
    assert_eq!((inner.count(), site.runs.count()), (2, 1));
}

#[test]
fn an_error_while_a_marked_handler_runs_leaves_its_outcome_unknown() {
    let (site, inner) = around_inner(FaultyStore::default());
    let request = Request::post("/stuck").key("k");
    let late = request.clone().header("x-give-up", "1");
    let late = site.send(late.header("x-stuck-handler", "1"));
    assert_eq!((late.status, site.runs.count()), (504, 1));
    let retry = site.send(request);
    assert_problem(&retry, 409, "in-flight");
    assert_eq!((inner.count(), site.runs.count()), (1, 1));
}

#[test]
fn a_replay_skips_inner_middleware() {
    let (site, inner) = around_inner(FaultyStore::default());
    let (_, retry) = site.twice(&Request::post("/plain").key("k"));
    assert!(retry.is_replay());
    assert_eq!((inner.count(), site.runs.count()), (1, 1));
}

#[test]
fn outer_middleware_sees_replays() {
    let (layer, outer_runs) = (covering(), Counter::default());
    let outer_counted = outer_runs.clone();
    let site = Site::serve(move |runs| {
        let outer_counted = outer_counted.clone();
        App::new()
            .app_data(runs)
            .wrap(layer.clone())
            .wrap(from_fn(move |request, next| {
                inner(outer_counted.clone(), request, next)
            }))
            .configure(routes)
    });
    site.twice(&Request::post("/plain").key("k"));
    assert_eq!((outer_runs.count(), site.runs.count()), (2, 1));
}

/// Two layers, each on a store of its own.
fn nested(outer: IdempotencyBuilder, inner: IdempotencyBuilder) -> Site {
    let (outer, inner) = (outer.build().unwrap(), inner.build().unwrap());
    Site::serve(move |runs| {
        App::new()
            .app_data(runs)
            .wrap(inner.clone())
            .wrap(outer.clone())
            .configure(routes)
    })
}

fn on(store: &FaultyStore) -> IdempotencyBuilder {
    Idempotency::builder(store.clone(), KeyScope::everyone())
}

#[test]
fn nested_layers_claim_once_in_the_outer_one() {
    for target in ["/plain", "/charges"] {
        let (outer, inner) = (FaultyStore::default(), FaultyStore::default());
        let site = nested(on(&outer).all_routes(), on(&inner).all_routes());
        let (_, retry) = site.twice(&Request::post(target).key("k"));
        assert!(retry.is_replay(), "{target}");
        assert_eq!(
            (outer.count(Call::Begin), outer.count(Call::Complete)),
            (2, 1),
            "{target}"
        );
        assert_eq!(
            (inner.count(Call::Begin), site.runs.count()),
            (0, 1),
            "{target}"
        );
    }
}

#[test]
fn a_layer_for_marked_handlers_around_an_all_routes_layer_leaves_it_the_claim() {
    let (outer, inner) = (FaultyStore::default(), FaultyStore::default());
    let site = nested(on(&outer), on(&inner).all_routes());
    let (_, retry) = site.twice(&Request::post("/charges").key("k"));
    assert!(retry.is_replay());
    assert_eq!(
        (
            outer.count(Call::Begin),
            inner.count(Call::Begin),
            inner.count(Call::Complete)
        ),
        (0, 2, 1)
    );
    assert_eq!(site.runs.count(), 1);
}

#[test]
fn one_layer_wrapped_twice_claims_once() {
    let store = FaultyStore::default();
    let layer = on(&store).all_routes().build().unwrap();
    let site = Site::serve(move |runs| {
        App::new()
            .app_data(runs)
            .wrap(layer.clone())
            .wrap(layer.clone())
            .configure(routes)
    });
    let (first, retry) = site.twice(&Request::post("/plain").key("k"));
    assert_eq!((first.status, retry.is_replay()), (201, true));
    assert_eq!(
        (
            store.count(Call::Begin),
            store.count(Call::Complete),
            site.runs.count()
        ),
        (2, 1, 1)
    );
}
