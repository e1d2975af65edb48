//! What a claim tells an operator: method, route pattern, time, label, and nothing else that a client sent.

use std::time::{Duration, SystemTime};

use actix_web::http::Method;
use actix_web::web::{self, ServiceConfig};
use actix_web::{App, HttpRequest, HttpResponse, Responder, guard, post};
use idempotency_actix::store::Description;
use idempotency_actix::{Idempotency, IdempotencyBuilder, KeyScope, idempotent};
use idempotency_actix_tests::app::{Call, Counter, FaultyStore, Site};
use idempotency_actix_tests::{Request, assert_first};

#[post("/charges/{id}")]
#[idempotent]
async fn marked(runs: Counter) -> impl Responder {
    HttpResponse::Created().body(runs.next().to_string())
}

async fn plain(runs: Counter) -> impl Responder {
    HttpResponse::Created().body(runs.next().to_string())
}

fn routes(config: &mut ServiceConfig) {
    let guarded = web::scope("/v1")
        .guard(guard::Header("x-side", "other"))
        .route("/other", web::post().to(plain));
    let scope = web::scope("/v1")
        .service(marked)
        .route(r"/items/{id:\d+}", web::patch().to(plain))
        .route("/files/{tail}*", web::put().to(plain));
    config.service(guarded).service(scope);
}

/// What the claims of an application on these routes told, one for each request.
fn described(
    options: impl FnOnce(IdempotencyBuilder) -> IdempotencyBuilder,
    requests: &[Request],
) -> Vec<Option<Description>> {
    let store = FaultyStore::default();
    let layer = Idempotency::builder(store.clone(), KeyScope::everyone());
    let site = Site::new(options(layer).build().expect("options"), routes);
    for request in requests {
        site.send(request.clone());
    }
    let calls = store.calls(Call::Begin).into_iter();
    calls
        .map(|(_, claim)| claim.description().cloned())
        .collect()
}

fn places(described: &[Option<Description>]) -> Vec<(&Method, Option<&str>)> {
    let described = described.iter().flatten();
    described.map(|it| (it.method(), it.route())).collect()
}

#[test]
fn a_marked_handler_tells_the_pattern_that_took_it() {
    let request = |path| Request::post(path).key("k");
    let requests = [request("/v1/charges/7?q=1"), request("/v1/charges/8")];
    let before = SystemTime::now() - Duration::from_millis(1);
    let described = described(|layer| layer, &requests);
    let pattern = (&Method::POST, Some("/v1/charges/{id}"));
    assert_eq!(places(&described), [pattern, pattern]);
    for description in described.iter().flatten() {
        assert!((before..=SystemTime::now()).contains(&description.asked_at()));
        assert_eq!(description.label(), None);
    }
}

#[test]
fn all_routes_mode_tells_the_first_resource_that_could_take_the_path() {
    let requests = [
        Request::new(Method::PATCH, "/v1/items/%37").key("a"),
        Request::new(Method::PUT, "/v1/files/a/b").key("b"),
        // Whatever its guard will say.
        Request::post("/v1/other").key("c"),
        Request::post("/v1/charges/7").key("d"),
        Request::post("/v1/nothing").key("e"),
        Request::post("/elsewhere").key("f"),
    ];
    let described = described(|layer| layer.all_routes(), &requests);
    assert_eq!(
        places(&described),
        [
            (&Method::PATCH, Some(r"/v1/items/{id:\d+}")),
            (&Method::PUT, Some("/v1/files/{tail}*")),
            (&Method::POST, Some("/v1/other")),
            (&Method::POST, Some("/v1/charges/{id}")),
            (&Method::POST, None),
            (&Method::POST, None),
        ]
    );
}

#[test]
fn a_layer_around_a_scope_tells_the_whole_pattern() {
    let store = FaultyStore::default();
    let layer = Idempotency::builder(store.clone(), KeyScope::everyone()).all_routes();
    let layer = layer.build().expect("options");
    let site = Site::serve(move |runs| {
        let scope = web::scope("/shops/{shop}")
            .wrap(layer.clone())
            .route("/orders/{id}", web::post().to(plain));
        App::new().app_data(runs).service(scope)
    });
    site.send(Request::post("/shops/1/orders/2").key("k"));
    let (_, claim) = store.calls(Call::Begin).remove(0);
    let route = claim.description().and_then(Description::route);
    assert_eq!(route, Some("/shops/{shop}/orders/{id}"));
}

#[test]
fn a_label_is_what_the_application_tells() {
    let order = |request: &HttpRequest| {
        let order = request.headers().get("x-order")?.to_str().ok()?;
        Some(format!("order {order}"))
    };
    let request = |key: &str| Request::post("/v1/charges/7").key(key);
    let requests = [
        request("a").header("x-order", "9"),
        request("b"),
        request("c").header("x-order", &"9".repeat(200)),
    ];
    for all_routes in [false, true] {
        let options = |layer: IdempotencyBuilder| match all_routes {
            true => layer.operator_label(order).all_routes(),
            false => layer.operator_label(order),
        };
        let described = described(options, &requests);
        let labels: Vec<_> = described.iter().flatten().map(Description::label).collect();
        let long = format!("order {}", "9".repeat(Description::MAX_LABEL - 6));
        assert_eq!(labels, [Some("order 9"), None, Some(&*long)]);
    }
}

#[test]
fn a_label_that_panics_binds_nothing() {
    let store = FaultyStore::default();
    let layer = Idempotency::builder(store.clone(), KeyScope::everyone());
    let layer = layer.operator_label(|request| {
        assert!(request.headers().get("x-order").is_some(), "no order");
        None
    });
    let site = Site::new(layer.build().expect("options"), routes);
    let request = Request::post("/v1/charges/7").key("k");
    assert_eq!(site.send(request.clone()).status, 500);
    assert_eq!(store.calls(Call::Begin), []);
    assert_first(&site.send(request.header("x-order", "9")), 201, "1");
}
