//! The options of one operation, resolved: nothing is left to look up. It checks nothing.

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderName, HeaderValue};

use super::choices::{KeptAnswer, OnDrain, OnStoreFailure, OnUnknown, Unknown};
use super::defaults::{
    DEFAULT_LEASE, DEFAULT_MAX_BODY, DEFAULT_MAX_RESPONSE, DEFAULT_PROBLEM_BASE,
    DEFAULT_RELEASE_ON, DEFAULT_STREAM_BUDGET, DEFAULT_TRANSACTION_RUNS, DEFAULT_TTL,
    IDEMPOTENCY_KEY,
};
use super::fingerprinting::Fingerprinting;
use super::header_names::HeaderNames;
use super::kept_headers::KeptHeaders;
use super::key_format::KeyFormat;
use super::key_source::{KeySource, Sought};
use super::provided::Provided;
use super::replay_edit::ReplayFn;
use super::route_options::RouteOptions;
use super::scope::KeyScope;
use super::status_set::StatusSet;
use crate::request::Fingerprint;
use crate::store::transactions::Isolation;
use crate::store::{MIN_CLAIM_RETENTION, StoreError, StoreErrorKind, TransactionOptions};
use crate::telemetry::ObserverFn;

/// The longest that a store call may take unless told otherwise, if that is less than a third of the lease.
pub(super) const MAX_STORE_TIMEOUT: Duration = Duration::from_secs(5);

/// The options of one operation, resolved.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Options {
    pub(crate) ttl: Duration,
    pub(crate) lease: Duration,
    pub(crate) max_run: Option<Duration>,
    pub(crate) store_timeout: Option<Duration>,
    pub(crate) required: bool,
    pub(crate) key: KeySource,
    pub(crate) strict_keys: bool,
    pub(crate) key_format: KeyFormat,
    pub(crate) max_key_age: Option<Duration>,
    pub(crate) first_sent_header: Option<HeaderName>,
    pub(crate) scope: KeyScope,
    pub(crate) fingerprint: Fingerprinting,
    pub(crate) vary: HeaderNames,
    /// Zero for not at all.
    pub(crate) wait: Duration,
    pub(crate) max_in_flight: Option<usize>,
    pub(crate) isolation: Isolation,
    /// How often a handler runs whose transaction is undone.
    pub(crate) transaction_runs: usize,
    pub(crate) unknown: Unknown,
    pub(crate) on_store_failure: OnStoreFailure,
    pub(crate) release_on: StatusSet,
    pub(crate) max_body: u64,
    pub(crate) max_response: u64,
    /// Of all streams of the layer together.
    pub(crate) stream_budget: usize,
    pub(crate) on_drain: OnDrain,
    /// Whom the application has for each outcome.
    pub(crate) on_outcome: Option<Provided<dyn ObserverFn>>,
    pub(crate) record: KeptAnswer,
    pub(crate) kept_headers: KeptHeaders,
    pub(crate) keep_cookies: bool,
    pub(crate) on_replay: Option<Provided<dyn ReplayFn>>,
    /// What problem types start with.
    pub(crate) problem_base: Arc<str>,
    pub(crate) window_header: Option<HeaderName>,
}

impl Options {
    /// What a layer has that nobody chose anything for but its scope.
    pub(crate) fn new(scope: KeyScope) -> Self {
        Self {
            ttl: DEFAULT_TTL,
            lease: DEFAULT_LEASE,
            max_run: None,
            store_timeout: None,
            required: false,
            key: KeySource::of_header(IDEMPOTENCY_KEY),
            strict_keys: false,
            key_format: KeyFormat::any(),
            max_key_age: None,
            first_sent_header: None,
            scope,
            fingerprint: Fingerprinting::bytes(),
            vary: HeaderNames::none(),
            wait: Duration::ZERO,
            max_in_flight: None,
            isolation: Isolation::Default,
            transaction_runs: DEFAULT_TRANSACTION_RUNS,
            unknown: Unknown::Reject,
            on_store_failure: OnStoreFailure::Reject,
            release_on: StatusSet::of_codes(DEFAULT_RELEASE_ON.iter().copied()),
            max_body: DEFAULT_MAX_BODY,
            max_response: DEFAULT_MAX_RESPONSE,
            stream_budget: DEFAULT_STREAM_BUDGET,
            on_drain: OnDrain::Refuse,
            on_outcome: None,
            record: KeptAnswer::Whole,
            kept_headers: KeptHeaders::AllBut(HeaderNames::none()),
            keep_cookies: false,
            on_replay: None,
            problem_base: DEFAULT_PROBLEM_BASE.into(),
            window_header: None,
        }
    }

    /// These options with those that a route sets for itself.
    pub(crate) fn with(&self, route: &RouteOptions) -> Self {
        let first_sent_header = match &route.first_sent_header {
            Some(name) => HeaderName::from_bytes(name.as_bytes()).ok(),
            None => self.first_sent_header.clone(),
        };
        Self {
            ttl: route.ttl.unwrap_or(self.ttl),
            lease: route.lease.unwrap_or(self.lease),
            max_run: self.max_run,
            store_timeout: self.store_timeout,
            required: route.required.unwrap_or(self.required),
            // What does not resolve was refused when the layer was built, or by the attribute.
            key: match route.key.are_set() {
                true => route.key.resolve().unwrap_or_else(|_| self.key.clone()),
                false => self.key.clone(),
            },
            strict_keys: route.strict_keys.unwrap_or(self.strict_keys),
            key_format: route
                .key_format
                .as_ref()
                .unwrap_or(&self.key_format)
                .clone(),
            scope: route.scope.as_ref().unwrap_or(&self.scope).clone(),
            fingerprint: match &route.fingerprint {
                Some(fingerprint) => fingerprint.clone(),
                None => self.fingerprint.clone(),
            },
            vary: match &route.vary {
                Some(names) => names.resolve().unwrap_or_else(|_| self.vary.clone()),
                None => self.vary.clone(),
            }
            .and(first_sent_header.as_ref()),
            max_key_age: (route.max_key_age.or(self.max_key_age)).filter(|age| !age.is_zero()),
            first_sent_header,
            wait: route.wait.unwrap_or(self.wait),
            max_in_flight: route.max_in_flight.or(self.max_in_flight),
            isolation: route.transaction.unwrap_or(self.isolation),
            transaction_runs: route.transaction_runs.unwrap_or(self.transaction_runs),
            unknown: match (&route.recover, route.on_unknown) {
                (Some(recover), _) => Unknown::Recover(recover.clone()),
                (None, Some(OnUnknown::Reject)) => Unknown::Reject,
                (None, Some(OnUnknown::Rerun)) => Unknown::Rerun,
                (None, None) => self.unknown.clone(),
            },
            on_store_failure: route.on_store_failure.unwrap_or(self.on_store_failure),
            release_on: route.release_on.unwrap_or(self.release_on),
            max_body: route.max_body.unwrap_or(self.max_body),
            max_response: route.max_response.unwrap_or(self.max_response),
            stream_budget: self.stream_budget,
            on_drain: self.on_drain,
            on_outcome: self.on_outcome.clone(),
            record: route.record.unwrap_or(self.record),
            kept_headers: match route.kept_headers() {
                Some(Ok(headers)) => headers,
                Some(Err(_)) | None => self.kept_headers.clone(),
            },
            keep_cookies: route.keep_cookies.unwrap_or(self.keep_cookies),
            on_replay: route
                .on_replay
                .as_ref()
                .or(self.on_replay.as_ref())
                .cloned(),
            problem_base: Arc::clone(&self.problem_base),
            window_header: self.window_header.clone(),
        }
    }

    /// Looks for the request's key in its head, and whether this route takes it.
    pub(crate) fn seek_key(&self, request: &HttpRequest) -> Sought {
        match self.key.seek(request, self.strict_keys) {
            Sought::Found(key) => Sought::Found(key.and_then(|key| self.key_format.check(key))),
            other => other,
        }
    }

    /// Looks for it in the body, where the head has none.
    pub(crate) fn key_in_body(&self, request: &HttpRequest, body: &[u8]) -> Sought {
        match self.key.in_body(request, body) {
            Some(key) => Sought::Found(key.and_then(|key| self.key_format.check(key))),
            None => Sought::Nowhere,
        }
    }

    /// What tells the request from others under its key.
    pub(crate) fn fingerprint_of(&self, request: &HttpRequest, body: &[u8]) -> Fingerprint {
        let plain = self.fingerprint.of(request, body);
        match self.vary.names() {
            [] => plain,
            names => plain.with_headers(request, names),
        }
    }

    /// The same in the way in which another one was computed; `None` where these options cannot.
    pub(crate) fn fingerprint_like(
        &self,
        other: &Fingerprint,
        request: &HttpRequest,
        body: &[u8],
    ) -> Option<Fingerprint> {
        let scheme = other.scheme() & !Fingerprint::VARY;
        let plain = self.fingerprint.by_scheme(scheme, request, body)?;
        let same = if scheme == other.scheme() {
            plain
        } else {
            plain.with_headers(request, self.vary.names())
        };
        same.is_comparable_to(other).then_some(same)
    }

    /// Whether they are the same, but for functions, which are of the same types: one that is made anew is of the type
    /// that it was.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let without_functions = Self {
            key: other.key.clone(),
            key_format: other.key_format.clone(),
            scope: other.scope.clone(),
            fingerprint: other.fingerprint.clone(),
            unknown: other.unknown.clone(),
            on_outcome: other.on_outcome.clone(),
            on_replay: other.on_replay.clone(),
            ..self.clone()
        };
        let are_unknown_alike = match (&self.unknown, &other.unknown) {
            (Unknown::Recover(one), Unknown::Recover(other)) => one.kind() == other.kind(),
            (one, other) => one == other,
        };
        let kinds = |it: &Self| {
            let observer = it.on_outcome.as_ref().map(|observer| observer.kind());
            (observer, it.on_replay.as_ref().map(|edit| edit.kind()))
        };
        without_functions == *other
            && kinds(self) == kinds(other)
            && are_unknown_alike
            && self.key.is_like(&other.key)
            && self.key_format.is_like(&other.key_format)
            && self.scope.is_like(&other.scope)
            && self.fingerprint.is_like(&other.fingerprint)
    }

    /// How long a claim is kept from its last sign of life, whatever a finished record's `ttl`.
    pub(crate) fn claim_retention(&self) -> Duration {
        MIN_CLAIM_RETENTION
            .max(self.kept_for())
            .max(self.lease * 10)
    }

    /// What tells clients for how long a retry gets the answer of its record.
    pub(crate) fn window(&self) -> Option<(HeaderName, HeaderValue)> {
        let name = self.window_header.clone()?;
        let window = self.max_key_age.unwrap_or(self.ttl);
        Some((name, HeaderValue::from(window.as_secs())))
    }

    /// How a handler's transaction is to be.
    pub(crate) fn transaction_options(&self) -> TransactionOptions {
        TransactionOptions::new(self.lease, self.isolation)
    }

    /// How long handler and drain are kept alive.
    pub(crate) fn max_run(&self) -> Duration {
        self.max_run.unwrap_or(self.lease * 10).max(self.lease)
    }

    /// Whether the handler runs although the claim failed like this. A record that could be read, or that
    /// is there and could not, stands in its way, and so does a store without room.
    pub(crate) fn runs_despite(&self, error: &StoreError) -> bool {
        let is_down = matches!(
            error.kind(),
            StoreErrorKind::Unavailable | StoreErrorKind::Refused
        );
        is_down && self.on_store_failure == OnStoreFailure::Run
    }

    /// The deadline of one store call: three of them fit in a lease, also in a route's shorter one.
    pub(crate) fn store_timeout(&self) -> Duration {
        let default = MAX_STORE_TIMEOUT.min(self.lease / 3);
        self.store_timeout.unwrap_or(default).min(self.lease / 3)
    }

    /// The first option of a marked handler that is decided before the claim, and comes too late under a
    /// layer that has claimed by these options already.
    pub(crate) fn too_late(&self, route: &RouteOptions) -> Option<&'static str> {
        let takes_back = route.required == Some(false) && self.required;
        [
            ("lease", route.lease.is_some()),
            ("max_body", route.max_body.is_some()),
            ("key_header", route.key.header.is_some()),
            ("key", route.key.function.is_some()),
            ("strict_keys", route.strict_keys.is_some()),
            ("key_format", route.key_format.is_some()),
            ("max_key_age", route.max_key_age.is_some()),
            ("first_sent_header", route.first_sent_header.is_some()),
            ("scope", route.scope.is_some()),
            ("fingerprint", route.fingerprint.is_some()),
            ("vary", route.vary.is_some()),
            ("wait", route.wait.is_some()),
            ("max_in_flight", route.max_in_flight.is_some()),
            ("on_unknown", route.on_unknown.is_some()),
            ("recover", route.recover.is_some()),
            ("on_replay", route.on_replay.is_some()),
            ("on_store_failure", route.on_store_failure.is_some()),
            ("required", takes_back),
        ]
        .into_iter()
        .find_map(|(option, is_late)| is_late.then_some(option))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_kept_for_a_day_the_ttl_or_ten_leases() {
        let hours = |h: u64| Duration::from_secs(3600 * h);
        let with = |ttl, lease| {
            Options {
                ttl,
                lease,
                ..Options::new(KeyScope::everyone())
            }
            .claim_retention()
        };
        assert_eq!(with(hours(1), hours(1)), hours(24));
        assert_eq!(with(hours(48), hours(1)), hours(48));
        assert_eq!(with(hours(1), hours(3)), hours(30));
    }
}
