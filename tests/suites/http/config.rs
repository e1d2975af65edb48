//! Options that cannot work are refused when the layer is built, each with what to change.

use std::time::Duration;

use actix_web::http::{Method, StatusCode};
use idempotency_actix::deadpool_redis::{Config, Runtime};
use idempotency_actix::{
    ConfigError, Idempotency, IdempotencyBuilder, KeyScope, MemoryStore, RedisStore,
    RedisStoreBuilder, RouteOptions,
};

use idempotency_actix_tests::app::builder;

const YEAR: Duration = Duration::from_secs(31_557_600);
const HOUR: Duration = Duration::from_secs(3600);

/// Builds in vain, and returns why; the message names the option.
#[track_caller]
fn refusal(layer: IdempotencyBuilder, option: &str) -> ConfigError {
    let error = layer.build().expect_err("a layer that cannot be built");
    let message = error.to_string();
    assert!(message.contains(&format!("`{option}`")), "{message}");
    assert!(!message.ends_with('.'), "{message}");
    error
}

#[track_caller]
fn assert_builds(layer: IdempotencyBuilder) {
    assert_eq!(layer.build().err(), None);
}

#[test]
fn a_ttl_of_nothing_is_refused() {
    let error = refusal(builder().ttl(Duration::ZERO), "ttl");
    assert_eq!(error, ConfigError::Ttl(Duration::ZERO));
}

#[test]
fn a_ttl_over_ten_years_is_refused() {
    let ttl = YEAR * 10 + Duration::from_millis(1);
    assert_eq!(refusal(builder().ttl(ttl), "ttl"), ConfigError::Ttl(ttl));
}

#[test]
fn a_ttl_of_1_ms_to_ten_years_is_accepted() {
    assert_builds(builder().ttl(Duration::from_millis(1)));
    assert_builds(builder().ttl(YEAR * 10));
}

#[test]
fn a_lease_under_10_ms_is_refused() {
    let lease = Duration::from_millis(9);
    let error = refusal(builder().lease(lease), "lease");
    assert_eq!(error, ConfigError::Lease(lease));
}

#[test]
fn a_lease_over_a_day_is_refused() {
    let lease = HOUR * 24 + Duration::from_millis(1);
    let error = refusal(builder().lease(lease), "lease");
    assert_eq!(error, ConfigError::Lease(lease));
}

#[test]
fn a_lease_of_10_ms_to_a_day_is_accepted() {
    assert_builds(builder().lease(Duration::from_millis(10)));
    assert_builds(builder().lease(HOUR * 24));
}

#[test]
fn a_max_run_under_the_lease_is_refused() {
    let (max_run, lease) = (Duration::from_secs(29), Duration::from_secs(30));
    let error = refusal(builder().lease(lease).max_run(max_run), "max_run");
    assert_eq!(error, ConfigError::MaxRun { max_run, lease });
}

#[test]
fn a_max_run_of_the_lease_is_accepted() {
    assert_builds(builder().lease(HOUR).max_run(HOUR));
}

#[test]
fn a_wait_over_five_minutes_is_refused() {
    let wait = Duration::from_millis(300_001);
    let error = refusal(builder().wait(wait), "wait");
    assert!(error.to_string().contains("5 minutes"), "{error}");
    assert_eq!(error, ConfigError::Wait(wait));
}

#[test]
fn a_wait_of_five_minutes_is_accepted() {
    assert_builds(builder().wait(Duration::from_secs(300)));
}

#[test]
fn a_route_that_waits_over_five_minutes_is_refused() {
    let wait = Duration::from_secs(301);
    let layer = builder().all_routes();
    let layer = layer.route(Method::POST, "/charges", RouteOptions::new().wait(wait));
    let error = refusal(layer, "wait");
    assert!(error.to_string().contains("/charges"), "{error}");
}

#[test]
fn a_store_timeout_of_zero_is_refused() {
    let timeout = Duration::ZERO;
    let error = refusal(builder().store_timeout(timeout), "store_timeout");
    let lease = Duration::from_secs(30);
    assert_eq!(error, ConfigError::StoreTimeout { timeout, lease });
}

#[test]
fn a_store_timeout_over_a_third_of_the_lease_is_refused() {
    let (timeout, lease) = (Duration::from_millis(1001), Duration::from_secs(3));
    let layer = builder().store_timeout(timeout).lease(lease);
    let error = refusal(layer, "store_timeout");
    assert_eq!(error, ConfigError::StoreTimeout { timeout, lease });
}

#[test]
fn a_store_timeout_of_a_third_of_the_lease_is_accepted() {
    assert_builds(builder().store_timeout(Duration::from_secs(10)));
}

#[test]
fn a_short_lease_brings_its_own_store_timeout() {
    assert_builds(builder().lease(Duration::from_millis(30)));
}

#[test]
fn a_method_that_is_never_covered_is_refused() {
    for method in [Method::GET, Method::HEAD, Method::OPTIONS, Method::CONNECT] {
        let methods = [Method::POST, method.clone()];
        let error = refusal(builder().all_routes().methods(methods), "methods");
        assert!(error.to_string().contains(method.as_str()));
        assert_eq!(error, ConfigError::Method(method));
    }
}

#[test]
fn an_empty_list_of_methods_is_refused() {
    let error = refusal(builder().all_routes().methods([]), "methods");
    assert_eq!(error, ConfigError::NoMethods);
}

#[test]
fn methods_without_all_routes_are_refused() {
    let error = refusal(builder().methods([Method::POST]), "methods");
    assert_eq!(error, ConfigError::MethodsWithoutAllRoutes);
}

#[test]
fn the_order_of_methods_and_all_routes_does_not_matter() {
    assert_builds(builder().methods([Method::POST]).all_routes());
}

#[test]
fn a_releasing_status_that_is_no_refusal_is_refused() {
    for code in [100, 200, 302, 600] {
        let status = StatusCode::from_u16(code).unwrap();
        let statuses = [StatusCode::CONFLICT, status];
        let error = refusal(builder().release_on(statuses), "release_on");
        assert_eq!(error, ConfigError::ReleaseOn(status));
    }
}

#[test]
fn a_limit_of_no_bytes_is_refused() {
    let error = refusal(builder().max_body(0), "max_body");
    assert_eq!(error, ConfigError::ZeroLimit("max_body"));
    let error = refusal(builder().max_response(0), "max_response");
    assert_eq!(error, ConfigError::ZeroLimit("max_response"));
}

#[test]
fn a_key_header_that_is_no_header_name_is_refused() {
    for name in ["", "bad name", "bad:name", "caf\u{e9}"] {
        let error = builder().key_header(name).build().unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
        assert_eq!(error, ConfigError::HeaderName(name.into()));
    }
}

#[test]
fn a_scope_header_that_is_no_header_name_is_refused() {
    let scope = KeyScope::header("bad name");
    let layer = Idempotency::builder(MemoryStore::new(), scope);
    let error = layer.build().unwrap_err();
    assert!(error.to_string().contains("bad name"), "{error}");
    assert_eq!(error, ConfigError::HeaderName("bad name".into()));
}

#[test]
#[should_panic(expected = "\"bad name\" is no header name")]
fn a_plain_layer_on_a_bad_scope_header_panics_with_the_same_message() {
    Idempotency::new(MemoryStore::new(), KeyScope::header("bad name"));
}

#[test]
fn a_problem_base_that_is_no_base_is_refused() {
    for base in [
        "",
        "/errors/",
        "errors#",
        "https://example.com/errors",
        "example.com/",
    ] {
        let error = refusal(builder().problem_base(base), "problem_base");
        assert_eq!(error, ConfigError::ProblemBase(base.into()));
    }
}

#[test]
fn a_problem_base_may_end_in_each_of_three_ways() {
    for base in [
        "https://example.com/errors/",
        "https://example.com/e#",
        "urn:example:",
    ] {
        assert_builds(builder().problem_base(base));
    }
}

#[test]
fn the_debug_form_of_a_layer_shows_no_store() {
    let layer = builder().build().unwrap();
    let shown = format!("{layer:?}");
    assert!(shown.contains("KeyScope::everyone"), "{shown}");
    assert!(!shown.contains("MemoryStore"), "{shown}");
}

fn redis() -> RedisStoreBuilder {
    let pool = Config::from_url("redis://127.0.0.1:1").create_pool(Some(Runtime::Tokio1));
    RedisStore::builder(pool.expect("a pool"))
}

#[test]
fn a_lease_under_three_times_the_timeout_of_the_store_is_refused() {
    let timeout = Duration::from_millis(10_001);
    let slow = |timeout| redis().timeout(timeout).build().expect("a store");
    let layer = Idempotency::builder(slow(timeout), KeyScope::everyone());
    let lease = Duration::from_secs(30);
    let error = layer.build().unwrap_err();
    assert_eq!(error, ConfigError::StoreTimeout { timeout, lease });
    let timeout = Duration::from_secs(10);
    assert_builds(Idempotency::builder(slow(timeout), KeyScope::everyone()));
}

#[test]
fn a_redis_timeout_of_zero_is_refused() {
    let error = redis().timeout(Duration::ZERO).build().unwrap_err();
    assert!(error.to_string().contains("`timeout`"), "{error}");
    assert_eq!(error, ConfigError::RedisTimeout);
}

#[test]
fn a_redis_prefix_with_a_brace_is_refused() {
    for prefix in ["{app}:", "a}", "{"] {
        let error = redis().prefix(prefix).build().unwrap_err();
        assert!(error.to_string().contains("`prefix`"), "{error}");
        assert_eq!(error, ConfigError::RedisPrefix(prefix.into()));
    }
}
