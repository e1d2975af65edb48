//! The options, their defaults and their validation: the builder and the attribute only fill them in.

use std::time::Duration;

use actix_web::http::StatusCode;

use crate::error::ConfigError;

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
        let code = usize::from(status.as_u16());
        self.0[code / 64] >> (code % 64) & 1 == 1
    }
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
        }
    }
}

impl Options {
    /// Checks them against each other, and against what a call of the store takes at most.
    pub(crate) fn check(&self, stores: Option<Duration>) -> Result<(), ConfigError> {
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
        if self.max_body == 0 {
            return Err(ConfigError::ZeroLimit("max_body"));
        }
        if self.max_response == 0 {
            return Err(ConfigError::ZeroLimit("max_response"));
        }
        Ok(())
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

    /// The deadline of one store call: three of them fit in a lease, also in a route's shorter one.
    pub(crate) fn store_timeout(&self) -> Duration {
        let default = MAX_STORE_TIMEOUT.min(self.lease / 3);
        self.store_timeout.unwrap_or(default).min(self.lease / 3)
    }
}

/// What a route sets for itself; the attribute fills it in at compile time.
#[derive(Clone, Copy, Debug, Default)]
pub struct RouteOptions {
    ttl: Option<Duration>,
    lease: Option<Duration>,
    required: Option<bool>,
    release_on: Option<StatusSet>,
    max_body: Option<u64>,
    max_response: Option<u64>,
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
        }
    }

    /// Sets the retention, in milliseconds.
    pub const fn ttl_ms(mut self, millis: u64) -> Self {
        self.ttl = Some(Duration::from_millis(millis));
        self
    }

    /// Sets the lease, in milliseconds.
    pub const fn lease_ms(mut self, millis: u64) -> Self {
        self.lease = Some(Duration::from_millis(millis));
        self
    }

    /// Sets whether a request must have a key.
    pub const fn required(mut self, required: bool) -> Self {
        self.required = Some(required);
        self
    }

    /// Replaces the set of releasing status codes by these inclusive ranges.
    pub const fn release_on(mut self, ranges: &[(u16, u16)]) -> Self {
        self.release_on = Some(StatusSet::of(ranges));
        self
    }

    /// Sets the largest request body, in bytes.
    pub const fn max_body(mut self, bytes: u64) -> Self {
        self.max_body = Some(bytes);
        self
    }

    /// Sets the largest kept answer, in bytes.
    pub const fn max_response(mut self, bytes: u64) -> Self {
        self.max_response = Some(bytes);
        self
    }

    /// The first option set here that is decided before the claim, too late under an outer claim.
    pub(crate) fn decided_before_claim(&self) -> Option<&'static str> {
        if self.lease.is_some() {
            return Some("lease");
        }
        self.max_body.is_some().then_some("max_body")
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
