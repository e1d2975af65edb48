//! Who is a caller and who is none, and what a function that tells it may do.

use actix_web::error::ErrorUnauthorized;
use actix_web::{Error, HttpMessage, HttpRequest};
use idempotency_actix::{Fingerprinting, Idempotency, KeyScope, MemoryStore};
use idempotency_actix_tests::app::{Site, charge};
use idempotency_actix_tests::{Request, assert_problem};

fn scoped(scope: KeyScope) -> Site {
    let layer = Idempotency::new(MemoryStore::new(), scope);
    Site::new(layer, |config| {
        config.service(charge);
    })
}

fn request() -> Request {
    Request::post("/charges").key("k")
}

fn name(request: &HttpRequest) -> Option<String> {
    let line = request.headers().get("x-who")?;
    line.to_str().ok().map(str::to_owned)
}

#[test]
fn an_empty_scope_header_is_no_caller() {
    let site = scoped(KeyScope::header("x-who"));
    for lines in [&[""][..], &[" \t "], &["ada", ""], &["", "ada"], &["", ""]] {
        let request = lines
            .iter()
            .fold(request(), |request, line| request.header("x-who", line));
        assert_problem(&site.send(request), 400, "no-scope");
    }
    assert_eq!(site.runs.count(), 0);
}

#[test]
fn an_empty_principal_is_no_caller() {
    let by = KeyScope::by(name);
    let try_by = KeyScope::try_by(|request| -> Result<_, Error> {
        name(request).ok_or_else(|| ErrorUnauthorized("who?"))
    });
    for scope in [by, try_by, KeyScope::by(|_| Some([0_u8; 0]))] {
        let site = scoped(scope);
        assert_problem(&site.send(request().header("x-who", "")), 400, "no-scope");
        assert_eq!(site.runs.count(), 0);
    }
}

/// The layer holds no borrow of the request's extensions while the application's functions run.
#[test]
fn functions_of_the_application_may_change_the_extensions() {
    let scope = KeyScope::by(|request| {
        request.extensions_mut().insert(1_u8);
        Some("ada")
    });
    let key = |request: &HttpRequest| {
        request.extensions_mut().insert(1_u16);
        request.extensions().get::<u16>().map(u16::to_string)
    };
    let payload = |request: &HttpRequest, body: &[u8]| {
        request.extensions_mut().insert(1_u32);
        body.to_vec()
    };
    for all_routes in [false, true] {
        let layer = Idempotency::builder(MemoryStore::new(), scope.clone());
        let layer = layer.key(key).fingerprint(Fingerprinting::by(payload));
        let layer = match all_routes {
            true => layer.all_routes(),
            false => layer,
        };
        let site = Site::new(layer.build().unwrap(), |config| {
            config.service(charge);
        });
        let (first, retry) = site.twice(&Request::post("/charges"));
        assert_eq!(first.status, 201);
        assert!(retry.is_replay());
    }
}
