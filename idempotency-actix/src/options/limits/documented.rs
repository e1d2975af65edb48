//! The table of options in the crate's documentation, checked against the code.

use super::*;
use crate::options::choices::{KeptAnswer, OnDrain, OnStoreFailure, Unknown};
use crate::options::defaults::{DEFAULT_MAX_WAITERS, DEFAULT_MAX_WAITERS_PER_KEY, IDEMPOTENCY_KEY};
use crate::options::header_names::HeaderNames;
use crate::options::kept_headers::KeptHeaders;
use crate::options::resolved::MAX_STORE_TIMEOUT;
use crate::options::{KeyFormat, KeyScope};
use crate::store::transactions::Isolation;

/// The name of each option of a route. A new one does not compile until it is here.
fn options_of_a_route() -> Vec<&'static str> {
    macro_rules! names {
        ($($field:ident $(as $name:literal)?),* $(,)?) => {{
            let RouteOptions { $($field: _),* } = RouteOptions::new();
            vec![$(names!(@ $field $($name)?)),*]
        }};
        (@ $field:ident) => { stringify!($field) };
        (@ $field:ident $name:literal) => { $name };
    }
    let mut names = names![
        ttl,
        lease,
        required,
        key as "key_header",
        strict_keys,
        key_format,
        max_key_age,
        first_sent_header,
        scope,
        fingerprint,
        vary,
        wait,
        max_in_flight,
        transaction,
        transaction_runs,
        on_unknown,
        recover,
        on_store_failure,
        release_on,
        max_body,
        max_response,
        record,
        drop_headers,
        keep_headers,
        keep_cookies,
        on_replay,
        is_skipped as "skip",
    ];
    names.push("key");
    names.sort_unstable();
    names
}

fn duration(time: Duration) -> String {
    let years = time.as_secs() / 31_557_600;
    match (years, time.as_secs(), time.as_millis()) {
        (0, 0, 0) => "0".into(),
        (0, 0, ms) => format!("{ms} ms"),
        (0, s @ 1..120, _) => format!("{s} s"),
        (0, s @ 120..7200, _) => format!("{} min", s / 60),
        (0, s, _) => format!("{} h", s / 3600),
        (years, ..) => format!("{years} years"),
    }
}

fn range(from: Duration, to: Duration) -> String {
    format!("{} to {}", duration(from), duration(to))
}

fn size(bytes: u64) -> String {
    format!("{} MiB", bytes / 1024 / 1024)
}

fn defaults() -> Options {
    Options::new(KeyScope::everyone())
}

/// Default and bounds of an option, as the code has them.
fn default_and_bounds(option: &str) -> [String; 2] {
    let Options {
        ttl,
        lease,
        max_run: None,
        store_timeout: None,
        required: false,
        key: _,
        strict_keys: false,
        key_format,
        max_key_age: None,
        first_sent_header: None,
        scope: _,
        fingerprint,
        vary,
        wait,
        max_in_flight: None,
        isolation: Isolation::Default,
        transaction_runs,
        unknown: Unknown::Reject,
        on_store_failure: OnStoreFailure::Reject,
        release_on,
        max_body,
        max_response,
        stream_budget,
        on_drain: OnDrain::Refuse,
        on_outcome: None,
        record: KeptAnswer::Whole,
        kept_headers,
        keep_cookies: false,
        on_replay: None,
        problem_base,
        window_header: None,
    } = defaults()
    else {
        panic!("a default is another than the table has it");
    };
    let codes: Vec<_> = (100..1000)
        .filter(|&code| {
            let status = actix_web::http::StatusCode::from_u16(code);
            status.is_ok_and(|status| release_on.contains(status))
        })
        .map(|code| code.to_string())
        .collect();
    assert!(format!("{fingerprint:?}").contains("Bytes"));
    let [default, bounds] = match option {
        "ttl" => [duration(ttl), range(MIN_TTL, MAX_TTL)],
        "lease" => [duration(lease), range(MIN_LEASE, MAX_LEASE)],
        "required" | "strict_keys" | "keep_cookies" => ["false".into(), String::new()],
        "key_header" => [format!("`{IDEMPOTENCY_KEY}`"), "a header name".into()],
        "key" => ["none".into(), "1 to 255 characters %x20-7E".into()],
        "key_format" => {
            assert_eq!(key_format, KeyFormat::any());
            ["any".into(), "any, uuid, uuid7, ulid, a function".into()]
        }
        "max_key_age" => ["no limit".into(), "up to the `ttl`".into()],
        "first_sent_header" => ["none".into(), "a header name".into()],
        "clock" => ["the system's".into(), String::new()],
        "scope" => ["the layer's".into(), String::new()],
        "fingerprint" => ["bytes".into(), String::new()],
        "vary" => {
            assert!(vary.names().is_empty());
            ["none".into(), "header names".into()]
        }
        "wait" => [duration(wait), range(Duration::ZERO, MAX_WAIT)],
        "max_in_flight" => ["no limit".into(), "at least 1".into()],
        "transaction" => ["default".into(), "default, serializable".into()],
        "transaction_runs" => [transaction_runs.to_string(), "at least 1".into()],
        "on_unknown" => ["reject".into(), "reject, rerun".into()],
        "recover" => ["none".into(), "not with `on_unknown`".into()],
        "on_store_failure" => ["reject".into(), "reject, run".into()],
        "release_on" => [codes.join(", "), "400 to 599".into()],
        "max_body" => [size(max_body), "at least 1 byte".into()],
        "max_response" => [size(max_response), "at least 1 byte".into()],
        "record" => ["whole".into(), "whole, status".into()],
        "drop_headers" => {
            assert_eq!(kept_headers, KeptHeaders::AllBut(HeaderNames::none()));
            ["none".into(), "header names".into()]
        }
        "keep_headers" => ["all".into(), "not with `drop_headers`".into()],
        "problem_response" => ["none".into(), String::new()],
        "window_header" => ["none".into(), "a header name".into()],
        "on_replay" => ["none".into(), String::new()],
        "skip" | "all_routes" | "route" => ["off".into(), String::new()],
        "methods" => ["POST, PUT, PATCH, DELETE".into(), "of these".into()],
        "max_run" => {
            let leases = defaults().max_run().as_secs() / lease.as_secs();
            [
                format!("{leases} leases"),
                format!("the lease to {}", duration(MAX_MAX_RUN)),
            ]
        }
        "store_timeout" => {
            assert_eq!(defaults().store_timeout(), MAX_STORE_TIMEOUT);
            let default = format!("{}, or a third of the lease", duration(MAX_STORE_TIMEOUT));
            [default, "up to a third of the lease".into()]
        }
        "stream_budget" => [size(stream_budget as u64), "at least 1 byte".into()],
        "on_outcome" => ["none".into(), String::new()],
        "on_drain" => ["refuse".into(), "refuse, serve".into()],
        "max_waiters" => [DEFAULT_MAX_WAITERS.to_string(), String::new()],
        "max_waiters_per_key" => [DEFAULT_MAX_WAITERS_PER_KEY.to_string(), String::new()],
        "problem_base" => {
            let base = format!("`{}`", problem_base);
            [base, "a URI that ends in `/`, `#` or `:`".into()]
        }
        other => panic!("`{other}` is no option"),
    };
    [default, bounds]
}

/// The cells of each row that is about an option.
fn rows(text: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    let rows = text.lines().filter(|line| line.starts_with("| "));
    rows.map(|line| {
        let inner = line.trim_matches('|');
        inner.split('|').map(str::trim).collect()
    })
}

#[test]
fn the_documented_table_has_each_option_with_its_default_and_bounds() {
    let mut of_a_route = Vec::new();
    for row in rows(include_str!("../options.md")).skip(1) {
        let [option, _, places, default, bounds] = row[..] else {
            panic!("{row:?}");
        };
        let option = option.trim_matches('`');
        let [code_default, code_bounds] = default_and_bounds(option);
        assert_eq!(
            (default, bounds),
            (&*code_default, &*code_bounds),
            "{option}"
        );
        if places != "layer" {
            of_a_route.push(option);
        }
    }
    of_a_route.sort_unstable();
    assert_eq!(of_a_route, options_of_a_route());
}

#[test]
fn the_table_of_the_guide_has_the_same_defaults_and_bounds() {
    let page = include_str!("../../../guide/options.md");
    let table = page
        .split("| builder | attribute |")
        .nth(1)
        .expect("a table");
    let table = table.split("\n\n").next().expect("its rows");
    let mut of_a_route = vec!["scope", "skip"];
    for row in rows(table) {
        let [method, attribute, default, bounds] = row[..] else {
            panic!("{row:?}");
        };
        let Some((option, _)) = method.trim_matches('`').split_once('(') else {
            continue;
        };
        let [code_default, code_bounds] = default_and_bounds(option);
        assert_eq!(
            (default, bounds),
            (&*code_default, &*code_bounds),
            "{option}"
        );
        if !attribute.is_empty() {
            of_a_route.push(option);
        }
    }
    of_a_route.sort_unstable();
    assert_eq!(of_a_route, options_of_a_route());
}
