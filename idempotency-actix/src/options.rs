//! The options, their defaults and their validation: builder, attribute and table only fill them in.

use std::time::Duration;

use crate::error::ConfigError;
use crate::fingerprinting::Fingerprinting;
use crate::given::Given;
use crate::key_source::KeySource;
use crate::recovery::Recover;
use crate::route_options::RouteOptions;
use crate::scope::KeyScope;
use crate::status_set::StatusSet;
use crate::store::{MIN_CLAIM_RETENTION, StoreError, StoreErrorKind};

/// The answers that release a claim unless told otherwise: 401, 403, 425 and 429.
///
/// By these a server refuses before it acts, and none of them is a result worth pinning for a day.
pub const DEFAULT_RELEASE_ON: &[u16] = &[401, 403, 425, 429];

/// How long a finished record is replayed unless told otherwise: 24 hours, as Stripe does.
pub const DEFAULT_TTL: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a claim is believed alive without renewal unless told otherwise: 30 seconds.
pub const DEFAULT_LEASE: Duration = Duration::from_secs(30);

/// The largest request body that is read for a key unless told otherwise: 2 MiB.
pub const DEFAULT_MAX_BODY: u64 = 2 * 1024 * 1024;

/// The largest answer that is kept unless told otherwise: 1 MiB.
pub const DEFAULT_MAX_RESPONSE: u64 = 1024 * 1024;

/// How many retries may wait in one process unless told otherwise: 1,024.
pub const DEFAULT_MAX_WAITERS: usize = 1024;

/// How many retries may wait for one operation in one process unless told otherwise: 16.
pub const DEFAULT_MAX_WAITERS_PER_KEY: usize = 16;

/// The header of draft-ietf-httpapi-idempotency-key-header.
pub(crate) const DEFAULT_KEY_HEADER: &str = "idempotency-key";

const MIN_TTL: Duration = Duration::from_millis(1);
const MAX_TTL: Duration = Duration::from_secs(10 * 31_557_600);
const MIN_LEASE: Duration = Duration::from_millis(10);
const MAX_LEASE: Duration = Duration::from_secs(24 * 60 * 60);
const MAX_STORE_TIMEOUT: Duration = Duration::from_secs(5);
const MAX_WAIT: Duration = Duration::from_secs(5 * 60);

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

/// What happens to a retry when nobody knows whether the first request took effect: its process died, or
/// lost touch with the store for longer than the lease.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnUnknown {
    /// It is answered 500 `outcome-unknown`, and nothing runs: what keeps the promise.
    #[default]
    Reject,
    /// The handler runs again, one [generation](crate::Attempt::generation) higher.
    ///
    /// For effects that can be repeated, or that refuse a lower generation, as a resource behind a
    /// fencing token does. The first retry after the lease is answered 409 like one of a running request;
    /// the claim is taken over once the same attempt has shown no sign of life for half a lease more.
    Rerun,
}

/// What becomes of an unknown outcome, resolved.
#[derive(Clone, Debug)]
pub(crate) enum Unknown {
    Reject,
    Rerun,
    Recover(Given<dyn Recover>),
}

/// The options of one operation, resolved.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) ttl: Duration,
    pub(crate) lease: Duration,
    pub(crate) max_run: Option<Duration>,
    pub(crate) store_timeout: Option<Duration>,
    pub(crate) required: bool,
    /// Where the key is, if not where the layer has it.
    pub(crate) key: Option<KeySource>,
    pub(crate) strict_keys: bool,
    /// Whose the key is, if not the layer's scope tells.
    pub(crate) scope: Option<KeyScope>,
    pub(crate) fingerprint: Fingerprinting,
    /// Zero for not at all.
    pub(crate) wait: Duration,
    pub(crate) max_in_flight: Option<usize>,
    pub(crate) unknown: Unknown,
    pub(crate) on_store_failure: OnStoreFailure,
    pub(crate) release_on: StatusSet,
    pub(crate) max_body: u64,
    pub(crate) max_response: u64,
    pub(crate) keep_cookies: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ttl: DEFAULT_TTL,
            lease: DEFAULT_LEASE,
            max_run: None,
            store_timeout: None,
            required: false,
            key: None,
            strict_keys: false,
            scope: None,
            fingerprint: Fingerprinting::bytes(),
            wait: Duration::ZERO,
            max_in_flight: None,
            unknown: Unknown::Reject,
            on_store_failure: OnStoreFailure::Reject,
            release_on: StatusSet::of_codes(DEFAULT_RELEASE_ON.iter().copied()),
            max_body: DEFAULT_MAX_BODY,
            max_response: DEFAULT_MAX_RESPONSE,
            keep_cookies: false,
        }
    }
}

impl Options {
    /// These options with those that a route sets for itself, checked against each other, and against
    /// what a call of the store takes at most.
    pub(crate) fn checked_with(
        &self,
        route: &RouteOptions,
        stores: Option<Duration>,
    ) -> Result<Self, ConfigError> {
        if route.on_unknown.is_some() && route.recover.is_some() {
            return Err(ConfigError::UnknownTwice);
        }
        if let Some(key) = &route.key {
            key.resolve()?;
        }
        if let Some(scope) = &route.scope {
            scope.check()?;
        }
        self.with(route).checked(stores)
    }

    fn checked(self, stores: Option<Duration>) -> Result<Self, ConfigError> {
        let (ttl, lease) = (self.ttl, self.lease);
        if !(MIN_TTL..=MAX_TTL).contains(&ttl) {
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
        if self.wait > MAX_WAIT {
            return Err(ConfigError::Wait(self.wait));
        }
        if let Some(status) = self.release_on.first_outside(400, 599) {
            return Err(ConfigError::ReleaseOn(status));
        }
        let limits = [
            ("max_body", self.max_body == 0),
            ("max_response", self.max_response == 0),
            ("max_in_flight", self.max_in_flight == Some(0)),
        ];
        match limits.into_iter().find(|(_, is_zero)| *is_zero) {
            Some((limit, _)) => Err(ConfigError::ZeroLimit(limit)),
            None => Ok(self),
        }
    }

    /// These options with those that a route sets for itself.
    pub(crate) fn with(&self, route: &RouteOptions) -> Self {
        Self {
            ttl: route.ttl.unwrap_or(self.ttl),
            lease: route.lease.unwrap_or(self.lease),
            max_run: self.max_run,
            store_timeout: self.store_timeout,
            required: route.required.unwrap_or(self.required),
            // What does not resolve was refused when the layer was built, or by the attribute.
            key: match &route.key {
                Some(key) => key.resolve().ok(),
                None => self.key.clone(),
            },
            strict_keys: route.strict_keys.unwrap_or(self.strict_keys),
            scope: route.scope.as_ref().or(self.scope.as_ref()).cloned(),
            fingerprint: match &route.fingerprint {
                Some(fingerprint) => fingerprint.clone(),
                None => self.fingerprint.clone(),
            },
            wait: route.wait.unwrap_or(self.wait),
            max_in_flight: route.max_in_flight.or(self.max_in_flight),
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
            keep_cookies: route.keep_cookies.unwrap_or(self.keep_cookies),
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

    /// The first option of a marked handler that is decided before the claim, and comes too late under a
    /// layer that has claimed by these options already.
    pub(crate) fn too_late(&self, route: &RouteOptions) -> Option<&'static str> {
        let key = match &route.key {
            Some(key) if key.is_header() => Some("key_header"),
            Some(_) => Some("key"),
            None => None,
        };
        let takes_back = route.required == Some(false) && self.required;
        [
            ("lease", route.lease.is_some()),
            ("max_body", route.max_body.is_some()),
            (key.unwrap_or_default(), key.is_some()),
            ("strict_keys", route.strict_keys.is_some()),
            ("scope", route.scope.is_some()),
            ("fingerprint", route.fingerprint.is_some()),
            ("wait", route.wait.is_some()),
            ("max_in_flight", route.max_in_flight.is_some()),
            ("on_unknown", route.on_unknown.is_some()),
            ("recover", route.recover.is_some()),
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
                ..Options::default()
            }
            .claim_retention()
        };
        assert_eq!(with(hours(1), hours(1)), hours(24));
        assert_eq!(with(hours(48), hours(1)), hours(48));
        assert_eq!(with(hours(1), hours(3)), hours(30));
    }
}

#[cfg(test)]
mod table;
