//! The options, their defaults and their validation: the builder and the attribute only fill them in.

use std::time::Duration;

use actix_web::http::StatusCode;

use crate::error::ConfigError;
use crate::store::{StoreError, StoreErrorKind};

/// The answers that release a claim unless told otherwise: 401, 403, 425 and 429.
///
/// By these a server refuses before it acts, and none of them is a result worth pinning for a day.
pub const DEFAULT_RELEASE_ON: [u16; 4] = [401, 403, 425, 429];

/// How long a finished record is replayed unless told otherwise: 24 hours, as Stripe does.
pub const DEFAULT_TTL: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a claim is believed alive without renewal unless told otherwise: 30 seconds.
pub const DEFAULT_LEASE: Duration = Duration::from_secs(30);

/// The largest request body that is read for a key unless told otherwise: 2 MiB.
pub const DEFAULT_MAX_BODY: u64 = 2 * 1024 * 1024;

/// The largest answer that is kept unless told otherwise: 1 MiB.
pub const DEFAULT_MAX_RESPONSE: u64 = 1024 * 1024;

const MIN_CLAIM_RETENTION: Duration = DEFAULT_TTL;
const MAX_TTL: Duration = Duration::from_secs(10 * 31_557_600);
const MIN_LEASE: Duration = Duration::from_millis(10);
const MAX_LEASE: Duration = Duration::from_secs(24 * 60 * 60);
const MAX_STORE_TIMEOUT: Duration = Duration::from_secs(5);

/// A set of status codes from 100 to 999.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StatusSet([u64; 16]);

impl StatusSet {
    /// The union of inclusive ranges.
    pub(crate) const fn of(ranges: &[(u16, u16)]) -> Self {
        let mut set = Self([0; 16]);
        let mut i = 0;
        while i < ranges.len() {
            let mut code = ranges[i].0;
            while code <= ranges[i].1 && code < 1000 {
                set.0[code as usize / 64] |= 1 << (code % 64);
                code += 1;
            }
            i += 1;
        }
        set
    }

    pub(crate) fn contains(&self, status: StatusCode) -> bool {
        self.has(status.as_u16())
    }

    fn has(&self, code: u16) -> bool {
        let code = usize::from(code);
        self.0[code / 64] >> (code % 64) & 1 == 1
    }

    /// The first member that is not between these two.
    fn first_outside(&self, first: u16, last: u16) -> Option<StatusCode> {
        let mut codes = 100..1000;
        let code = codes.find(|&code| self.has(code) && !(first..=last).contains(&code))?;
        StatusCode::from_u16(code).ok()
    }
}

/// What happens to a request with a key when the store cannot be asked for the claim.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnStoreFailure {
    /// It is answered 503, and nothing runs: what keeps the promise.
    #[default]
    Reject,
    /// The handler runs unprotected, with a loud incident: what keeps the service up.
    ///
    /// While it runs the claim is asked for again, and its answer is recorded at the end if the store is
    /// back by then. A retry meanwhile may run a second time, so this is for effects that can be
    /// repeated, or that are made safe by a key [derived](crate::IdempotencyKey::derive) for the service
    /// behind. A record that is there, readable or not, is never run over.
    Run,
}

/// The options of one operation, resolved.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    pub(crate) ttl: Duration,
    pub(crate) lease: Duration,
    pub(crate) max_run: Option<Duration>,
    pub(crate) store_timeout: Option<Duration>,
    pub(crate) required: bool,
    pub(crate) release_on: StatusSet,
    pub(crate) max_body: u64,
    pub(crate) max_response: u64,
    pub(crate) keep_cookies: bool,
    pub(crate) on_store_failure: OnStoreFailure,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ttl: DEFAULT_TTL,
            lease: DEFAULT_LEASE,
            max_run: None,
            store_timeout: None,
            required: false,
            release_on: StatusSet::of(&DEFAULT_RELEASE_ON.map(|code| (code, code))),
            max_body: DEFAULT_MAX_BODY,
            max_response: DEFAULT_MAX_RESPONSE,
            keep_cookies: false,
            on_store_failure: OnStoreFailure::Reject,
        }
    }
}

impl Options {
    /// Checks them against each other, and against what a call of the store takes at most.
    pub(crate) fn checked(self, stores: Option<Duration>) -> Result<Self, ConfigError> {
        let (ttl, lease) = (self.ttl, self.lease);
        if !(Duration::from_millis(1)..=MAX_TTL).contains(&ttl) {
            return Err(ConfigError::Ttl(ttl));
        }
        if !(MIN_LEASE..=MAX_LEASE).contains(&lease) {
            return Err(ConfigError::Lease(lease));
        }
        match self.max_run {
            Some(max_run) if max_run < lease => return Err(ConfigError::MaxRun { max_run, lease }),
            _ => {}
        }
        for timeout in [self.store_timeout, stores].into_iter().flatten() {
            if timeout.is_zero() || timeout > lease / 3 {
                return Err(ConfigError::StoreTimeout { timeout, lease });
            }
        }
        if let Some(status) = self.release_on.first_outside(400, 599) {
            return Err(ConfigError::ReleaseOn(status));
        }
        if self.max_body == 0 {
            return Err(ConfigError::ZeroLimit("max_body"));
        }
        if self.max_response == 0 {
            return Err(ConfigError::ZeroLimit("max_response"));
        }
        Ok(self)
    }

    /// These options with those that a route sets for itself.
    pub(crate) fn with(&self, route: &RouteOptions) -> Self {
        Self {
            ttl: route.ttl.unwrap_or(self.ttl),
            lease: route.lease.unwrap_or(self.lease),
            required: route.required.unwrap_or(self.required),
            release_on: route.release_on.unwrap_or(self.release_on),
            max_body: route.max_body.unwrap_or(self.max_body),
            max_response: route.max_response.unwrap_or(self.max_response),
            keep_cookies: route.keep_cookies.unwrap_or(self.keep_cookies),
            on_store_failure: route.on_store_failure.unwrap_or(self.on_store_failure),
            ..*self
        }
    }

    /// How long a claim is kept from its last sign of life, whatever a finished record's `ttl`.
    pub(crate) fn claim_retention(&self) -> Duration {
        MIN_CLAIM_RETENTION.max(self.ttl).max(self.lease * 10)
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
}

/// The options of one route; what is not set is as the layer has it.
///
/// The attribute fills it in at compile time. For all-routes mode it is an entry of the layer's
/// [table](crate::IdempotencyBuilder::route). The options mean what they mean for the
/// [layer](crate::IdempotencyBuilder).
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use actix_web::http::Method;
/// use idempotency_actix::{Idempotency, KeyScope, MemoryStore, RouteOptions};
///
/// let receipts = RouteOptions::new().ttl(Duration::from_secs(7 * 24 * 3600)).required(true);
/// let idempotency = Idempotency::builder(MemoryStore::new(), KeyScope::everyone())
///     .all_routes()
///     .route(Method::POST, "/receipts", receipts)
///     .route(Method::PUT, "/files/{name}", RouteOptions::new().skip())
///     .build()?;
/// # Ok::<(), idempotency_actix::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RouteOptions {
    ttl: Option<Duration>,
    lease: Option<Duration>,
    required: Option<bool>,
    release_on: Option<StatusSet>,
    max_body: Option<u64>,
    max_response: Option<u64>,
    keep_cookies: Option<bool>,
    on_store_failure: Option<OnStoreFailure>,
    is_skipped: bool,
}

impl RouteOptions {
    /// Nothing set: everything as the layer has it.
    pub const fn new() -> Self {
        Self {
            ttl: None,
            lease: None,
            required: None,
            release_on: None,
            max_body: None,
            max_response: None,
            keep_cookies: None,
            on_store_failure: None,
            is_skipped: false,
        }
    }

    /// Sets how long a finished record is replayed.
    pub const fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Sets how long a claim is believed alive without renewal.
    pub const fn lease(mut self, lease: Duration) -> Self {
        self.lease = Some(lease);
        self
    }

    /// Sets whether a request without a key is refused. `false` takes back what the layer requires.
    pub const fn required(mut self, required: bool) -> Self {
        self.required = Some(required);
        self
    }

    /// Replaces the set of status codes that release the claim.
    pub fn release_on(mut self, statuses: impl IntoIterator<Item = StatusCode>) -> Self {
        let codes = statuses.into_iter().map(|status| status.as_u16());
        let ranges: Vec<_> = codes.map(|code| (code, code)).collect();
        self.release_on = Some(StatusSet::of(&ranges));
        self
    }

    /// The same from inclusive ranges, as the attribute has them.
    #[doc(hidden)]
    pub const fn release_on_ranges(mut self, ranges: &[(u16, u16)]) -> Self {
        self.release_on = Some(StatusSet::of(ranges));
        self
    }

    /// Sets the largest request body that is read for a key, in bytes.
    pub const fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = Some(bytes as u64);
        self
    }

    /// Sets the largest answer that is kept, in bytes of its body.
    pub const fn max_response(mut self, bytes: usize) -> Self {
        self.max_response = Some(bytes as u64);
        self
    }

    /// Sets whether `Set-Cookie` is kept and replayed.
    pub const fn keep_cookies(mut self, keep: bool) -> Self {
        self.keep_cookies = Some(keep);
        self
    }

    /// Sets what happens to a request when the store cannot be asked.
    pub const fn on_store_failure(mut self, choice: OnStoreFailure) -> Self {
        self.on_store_failure = Some(choice);
        self
    }

    /// Leaves the route alone in all-routes mode, key or not: for uploads and event streams.
    ///
    /// A marked handler on it claims for itself.
    pub const fn skip(mut self) -> Self {
        self.is_skipped = true;
        self
    }

    pub(crate) fn is_skipped(&self) -> bool {
        self.is_skipped
    }

    /// The first option set here that is decided before the claim, and too late under a layer that
    /// has claimed by these options already.
    pub(crate) fn comes_too_late(&self, outer: &Options) -> Option<&'static str> {
        let takes_back = self.required == Some(false) && outer.required;
        [
            ("lease", self.lease.is_some()),
            ("max_body", self.max_body.is_some()),
            ("on_store_failure", self.on_store_failure.is_some()),
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
    fn a_status_set_holds_its_ranges_and_nothing_else() {
        let set = StatusSet::of(&[(429, 429), (500, 599)]);
        let held: Vec<u16> = (100..1000)
            .filter(|&code| StatusCode::from_u16(code).is_ok_and(|code| set.contains(code)))
            .collect();
        assert_eq!(held[0], 429);
        assert_eq!(held[1..], (500..=599).collect::<Vec<_>>());
    }

    #[test]
    fn a_claim_is_kept_for_a_day_the_ttl_or_ten_leases() {
        let hours = |h: u64| Duration::from_secs(3600 * h);
        let with = |ttl, lease| {
            Options {
                ttl,
                lease,
                ..Options::default()
            }
            .claim_retention()
        };
        assert_eq!(with(hours(1), hours(1)), hours(24));
        assert_eq!(with(hours(48), hours(1)), hours(48));
        assert_eq!(with(hours(1), hours(3)), hours(30));
    }
}
