//! All-routes mode covers what reaches a handler, however it is routed; marked handlers run by no method unprotected.

use actix_web::guard::{Header, Host, fn_guard};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::NormalizePath;
use actix_web::web::{self, ServiceConfig};
use actix_web::{App, HttpRequest, HttpResponse, Responder, post};
use idempotency_actix::{
    Idempotency, IdempotencyBuilder, KeyScope, MemoryStore, RouteOptions, idempotent,
};
use idempotency_actix_tests::{Request, Response, assert_problem, log};

use idempotency_actix_tests::app::{Counter, Site, builder, charge, plain};

async fn acts(runs: Counter) -> impl Responder {
    HttpResponse::Created().body(runs.next().to_string())
}

async fn refuses(runs: Counter) -> impl Responder {
    HttpResponse::MethodNotAllowed().body(runs.next().to_string())
}

async fn finds_nothing(runs: Counter) -> impl Responder {
    HttpResponse::NotFound().body(runs.next().to_string())
}

fn covering() -> IdempotencyBuilder {
    builder().all_routes().required(true)
}

fn site(routes: impl Fn(&mut ServiceConfig) + Clone + Send + 'static) -> Site {
    Site::new(covering().build().unwrap(), routes)
}

/// One run and its replay for a key, and a refusal without one.
#[track_caller]
fn assert_covered(site: &Site, request: &Request) {
    let (first, retry) = site.twice(&request.clone().key("k"));
    assert!(!first.is_replay(), "{first:?}");
    assert!(retry.is_replay(), "{retry:?}");
    assert_eq!((first.status, first.text()), (retry.status, retry.text()));
    assert_eq!(site.runs.count(), 1);
    assert_problem(&site.send(request.clone()), 400, "missing-key");
    assert_eq!(site.runs.count(), 1);
}

#[test]
fn a_path_in_another_spelling_is_covered() {
    for (pattern, target) in [
        ("/orders:batch", "/orders%3Abatch"),
        ("/orders:batch", "/orders%3abatch"),
        ("/x", "/%78"),
        ("/caf\u{e9}", "/caf%C3%A9"),
        ("/a b", "/a%20b"),
    ] {
        let site = site(move |config| {
            config.route(pattern, web::post().to(acts));
        });
        assert_covered(&site, &Request::post(target));
    }
}

#[test]
fn a_route_behind_guarded_scopes_is_covered() {
    let site = site(|config| {
        let scope = |host| {
            web::scope("")
                .guard(Host(host))
                .route("/x", web::post().to(acts))
        };
        config.service(scope("a.test")).service(scope("b.test"));
        config.route("/charges", web::post().to(acts));
    });
    assert_covered(&site, &Request::post("/charges"));
}

#[test]
fn a_path_that_is_changed_inside_of_the_layer_is_covered() {
    let layer = covering().build().unwrap();
    let site = Site::serve(move |runs| {
        App::new()
            .app_data(runs)
            .wrap(NormalizePath::trim())
            .wrap(layer.clone())
            .route("/charges", web::post().to(acts))
    });
    assert_covered(&site, &Request::post("/charges/"));
}

#[test]
fn a_default_service_is_covered() {
    let scoped = site(|config| {
        config.service(web::scope("/api").default_service(web::to(acts)));
    });
    assert_covered(&scoped, &Request::post("/api/nowhere"));
    let outer = site(|config| {
        config.default_service(web::to(acts));
    });
    assert_covered(&outer, &Request::post("/nowhere"));
}

#[test]
fn a_default_service_s_own_404_binds() {
    let scoped = site(|config| {
        config.service(web::scope("/api").default_service(web::to(finds_nothing)));
    });
    assert_covered(&scoped, &Request::post("/api/nowhere"));
    let outer = site(|config| {
        config.default_service(web::to(finds_nothing));
    });
    assert_covered(&outer, &Request::post("/nowhere"));
}

#[test]
fn a_scope_s_default_service_binds_also_with_an_empty_404() {
    async fn empty(runs: Counter) -> impl Responder {
        runs.next();
        HttpResponse::NotFound()
    }
    let site = site(|config| {
        config.service(web::scope("/api").default_service(web::to(empty)));
    });
    assert_covered(&site, &Request::post("/api/nowhere"));
}

#[test]
fn a_handler_s_own_405_and_404_bind() {
    let refusing = site(|config| {
        config.route("/act", web::post().to(refuses));
    });
    assert_covered(&refusing, &Request::post("/act"));
    let missing = site(|config| {
        config.route("/act", web::post().to(finds_nothing));
    });
    assert_covered(&missing, &Request::post("/act"));
}

#[test]
fn a_path_that_nothing_matches_is_asked_for_its_key_too() {
    let site = site(|config| {
        config.route("/act", web::post().to(acts));
    });
    assert_problem(&site.send(Request::post("/nowhere")), 400, "missing-key");
}

#[test]
fn two_spellings_of_one_path_are_one_operation() {
    let routes = |config: &mut ServiceConfig| {
        config
            .service(mine)
            .route("/plain/{id}", web::post().to(acts));
    };
    for (layer, path) in [(builder(), "/mine/"), (covering(), "/plain/")] {
        let site = Site::new(layer.build().unwrap(), routes);
        let send = |id: &str| site.send(Request::post(&format!("{path}{id}")).key("k"));
        assert!(!send("x").is_replay());
        assert!(send("%78").is_replay());
        assert_eq!(site.runs.count(), 1);
        // What decodes to a separator is another path, for the router as well.
        assert!(!send("a%2Fb").is_replay());
        assert_eq!(site.runs.count(), 2);
    }
}

#[post("/mine/{id}")]
#[idempotent]
async fn mine(runs: Counter) -> impl Responder {
    acts(runs).await
}

fn user(request: &HttpRequest) -> Option<String> {
    let user = request.headers().get("x-user")?;
    Some(user.to_str().ok()?.to_owned())
}

fn by_user() -> RouteOptions {
    RouteOptions::new().scope(KeyScope::by(user))
}

#[test]
fn a_row_is_found_by_the_decoded_path() {
    let layer = builder()
        .all_routes()
        .route(Method::POST, "/table:x", by_user());
    // The other route alone takes the path as it was sent.
    let site = Site::new(layer.build().unwrap(), |config| {
        config
            .route("/table:x", web::post().to(acts))
            .route("/{any}", web::post().to(acts));
    });
    for (run, name) in ["one", "two"].iter().enumerate() {
        let request = Request::post("/table%3Ax").key("k").header("x-user", name);
        let (first, retry) = site.twice(&request);
        assert_eq!(first.text(), (run + 1).to_string());
        assert_eq!((retry.text(), retry.is_replay()), (first.text(), true));
    }
}

/// Two resources that take one path, by header, and rows of the table for them.
fn guarded(one: RouteOptions, other: RouteOptions) -> Site {
    let layer = builder().all_routes().route(Method::POST, "/pay/{id}", one);
    let layer = layer.route(Method::POST, "/{what}/7", other);
    Site::new(layer.build().unwrap(), |config| {
        let first = web::resource("/pay/{id}").guard(Header("x-version", "1"));
        config.service(first.route(web::post().to(acts)));
        config.service(web::scope("/{what}").route("/7", web::post().to(acts)));
        config.route("/pay", web::post().to(acts));
    })
}

fn versions(site: &Site, target: &str) -> [Response; 2] {
    let request = Request::post(target).key("k").header("x-user", "one");
    [
        site.send(request.clone().header("x-version", "1")),
        site.send(request),
    ]
}

#[test]
fn rows_that_differ_where_guards_choose_are_refused() {
    let site = guarded(by_user(), RouteOptions::new());
    for answer in versions(&site, "/pay/7") {
        assert_eq!((answer.status, answer.is_replay()), (500, false));
    }
    let skipped = guarded(RouteOptions::new().skip(), RouteOptions::new());
    for answer in versions(&skipped, "/pay/7") {
        assert_eq!((answer.status, answer.is_replay()), (500, false));
    }
    assert_eq!((site.runs.count(), skipped.runs.count()), (0, 0));
}

#[test]
fn rows_that_differ_hold_where_one_resource_alone_takes_the_path() {
    let site = guarded(by_user(), RouteOptions::new());
    let [first, retry] = versions(&site, "/refund/7");
    assert_eq!((first.status, retry.is_replay()), (201, true));
    let answer = site.send(Request::post("/pay/8").key("k").header("x-version", "1"));
    assert_problem(&answer, 400, "no-scope");
}

#[test]
fn rows_that_are_alike_hold_where_guards_choose() {
    let keyed = || RouteOptions::new().required(true);
    let site = guarded(keyed(), keyed());
    assert_problem(&site.send(Request::post("/pay/7")), 400, "missing-key");
    let [first, retry] = versions(&site, "/pay/7");
    assert_eq!((first.status, retry.is_replay()), (201, true));
    assert_eq!(site.runs.count(), 1);
}

#[test]
fn scopes_that_guards_choose_are_seen_behind_each_other() {
    let layer = builder().all_routes().route(Method::POST, "/x", by_user());
    let layer = layer.route(Method::POST, "/{any}", RouteOptions::new());
    let site = Site::new(layer.build().unwrap(), |config| {
        let first = web::scope("")
            .guard(Host("a.test"))
            .route("/x", web::post().to(acts));
        let second = web::scope("")
            .guard(fn_guard(|_| true))
            .route("/{any}", web::post().to(acts));
        config.service(first).service(second);
    });
    let answer = site.send(Request::post("/x").key("k").header("x-user", "one"));
    assert_eq!((answer.status, site.runs.count()), (500, 0));
    assert_eq!(site.send(Request::post("/y").key("k")).status, 201);
}

#[post("/unused")]
#[idempotent(required)]
async fn required(runs: Counter) -> impl Responder {
    acts(runs).await
}

#[idempotent(required)]
async fn moved(runs: Counter) -> impl Responder {
    acts(runs).await
}

#[test]
fn a_marked_handler_runs_by_no_method_unprotected() {
    log::listen();
    let site = Site::new(builder().build().unwrap(), |config| {
        config
            .route("/any", web::route().to(moved))
            .service(required);
    });
    for (method, logged) in [
        ("MOVE", "MOVE"),
        ("CONNECT", "CONNECT"),
        ("PROPPATCH", "PROPPATCH"),
        ("post", "unregistered"),
    ] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        for request in [
            Request::new(method.clone(), "/any"),
            Request::new(method, "/any").key("k"),
        ] {
            let answer = site.send(request);
            assert_eq!((answer.status, site.runs.count()), (500, 0));
        }
        let advice = "route it by POST, PUT, PATCH or DELETE";
        let said = log::lines_with(&["ERROR", advice, "/any", logged]);
        assert_eq!(said.len(), 2, "{logged}: {said:?}");
    }
    for method in [Method::GET, Method::OPTIONS] {
        assert_eq!(site.send(Request::new(method, "/any")).status, 201);
    }
    assert_eq!(site.runs.count(), 2);
}

fn user_or_panic(request: &HttpRequest) -> Option<String> {
    user(request).or_else(|| panic!("4111 1111 1111 1111"))
}

#[test]
fn a_panicking_function_of_the_application_is_a_500() {
    let store = MemoryStore::new();
    let scope = || Idempotency::builder(store.clone(), KeyScope::by(user_or_panic));
    let key = || Idempotency::builder(store.clone(), KeyScope::everyone()).key(user_or_panic);
    let layers = [
        (scope(), "/charges"),
        (scope().all_routes(), "/plain"),
        (key(), "/charges"),
        (key().all_routes(), "/plain"),
    ];
    for (earlier, (layer, path)) in layers.into_iter().enumerate() {
        let site = Site::new(layer.build().unwrap(), |config| {
            config.service(charge).service(plain);
        });
        let request = Request::post(path).key("k");
        let mut client = site.connect();
        for _ in 0..2 {
            client.send(&request);
            let answer = client.receive();
            assert_eq!((answer.status, store.len()), (500, earlier));
            assert!(!answer.text().contains("4111"));
        }
        assert_eq!(site.runs.count(), 0);
        // The connection lives on, and its worker.
        client.send(&request.header("x-user", "ada"));
        assert_eq!((client.receive().status, site.runs.count()), (201, 1));
    }
}

#[test]
fn a_key_function_may_use_the_request_s_extensions() {
    use actix_web::HttpMessage;
    let key = |request: &HttpRequest| {
        request.extensions_mut().insert(StatusCode::OK);
        request
            .headers()
            .get("x-key")?
            .to_str()
            .ok()
            .map(str::to_owned)
    };
    async fn keyed(key: idempotency_actix::IdempotencyKey) -> String {
        key.as_str().to_owned()
    }
    let layer = builder().all_routes().key(key).build().unwrap();
    let site = Site::new(layer, |config| {
        config.route("/keyed", web::post().to(keyed));
    });
    let answer = site.send(Request::post("/keyed").header("x-key", "k"));
    assert_eq!(answer.text(), "k");
    assert_problem(&site.send(Request::post("/keyed")), 400, "missing-key");
}

#[test]
fn a_default_service_that_answers_like_the_router_binds() {
    let open = site(|config| {
        config.service(web::scope("").default_service(web::to(finds_silently)));
    });
    assert_covered(&open, &Request::post("/nowhere"));
    for prefix in ["/api", ""] {
        let layer = covering().build().unwrap();
        let around_a_scope = Site::serve(move |runs| {
            let scope = web::scope(prefix).wrap(layer.clone());
            let scope = scope.default_service(web::to(finds_silently));
            App::new().app_data(runs).service(scope)
        });
        assert_covered(&around_a_scope, &Request::post("/api/nowhere"));
    }
}

async fn finds_silently(runs: Counter) -> impl Responder {
    runs.next();
    HttpResponse::NotFound()
}

/// A scope that has no resource for a path still has a default service.
#[test]
fn the_default_service_of_a_scope_is_given_no_row_by_luck() {
    let layer = covering()
        .route(Method::POST, "/v1/{x}", by_user())
        .route(Method::POST, "/{a}/{b}", RouteOptions::new().skip())
        .build()
        .unwrap();
    let site = Site::new(layer, |config| {
        let scope = web::scope("/v1").default_service(web::to(acts));
        config
            .service(scope)
            .route("/{a}/{b}", web::post().to(acts));
    });
    let answer = site.send(Request::post("/v1/7").key("k").header("x-user", "ada"));
    assert_eq!(answer.status, 500);
    assert_eq!(site.runs.count(), 0);
    assert_eq!(site.send(Request::post("/v2/7")).status, 201);
}

/// Without names, a row's pattern is the resource's.
#[test]
fn a_row_is_a_resource_s_whatever_its_segments_are_called() {
    let layer = covering()
        .route(Method::POST, "/v1/{tail}*", RouteOptions::new().skip())
        .route(
            Method::POST,
            "/v1/items/{other}",
            RouteOptions::new().required(true),
        )
        .build()
        .unwrap();
    let site = Site::new(layer, |config| {
        config.route("/v1/items/{id}", web::post().to(acts));
    });
    assert_covered(&site, &Request::post("/v1/items/7"));
}

#[test]
fn a_long_path_is_looked_up_at_once() {
    let layer = covering()
        .route(
            Method::POST,
            "/files/{t}*",
            RouteOptions::new().required(true),
        )
        .route(Method::POST, "/{any}*", RouteOptions::new().skip())
        .build()
        .unwrap();
    let site = Site::new(layer, |config| {
        let items = web::scope("/items").route("/{id}", web::post().to(acts));
        config.service(items.route("/{id}/{sub}", web::post().to(acts)));
        config.route("/files/{t}*", web::post().to(acts));
    });
    assert_covered(
        &site,
        &Request::post(&format!("/files{}", "/a".repeat(200))),
    );
}

/// The router makes one text of all octets that are none.
#[test]
fn octets_that_are_no_text_are_paths_of_their_own() {
    for layer in [builder(), covering()] {
        let site = Site::new(layer.build().unwrap(), |config| {
            config.route("/files/{name}", web::post().to(mark_of_file));
        });
        for (run, octets) in ["%FF", "%FE", "%C3", "%EF%BF%BD"].into_iter().enumerate() {
            let request = Request::post(&format!("/files/{octets}")).key("k");
            let (first, retry) = site.twice(&request);
            assert_eq!(first.text(), (run + 1).to_string());
            assert!(!first.is_replay() && retry.is_replay());
        }
    }
}

#[idempotent]
async fn mark_of_file(runs: Counter) -> impl Responder {
    HttpResponse::Created().body(runs.next().to_string())
}

#[test]
fn the_case_of_a_code_in_a_path_makes_no_other_operation() {
    for layer in [builder(), covering()] {
        let site = Site::new(layer.build().unwrap(), |config| {
            config.route("/files/{name}", web::post().to(mark_of_file));
        });
        assert_eq!(
            site.send(Request::post("/files/a%2fb").key("k")).status,
            201
        );
        assert!(
            site.send(Request::post("/files/a%2Fb").key("k"))
                .is_replay()
        );
        assert_eq!(site.runs.count(), 1);
    }
}
