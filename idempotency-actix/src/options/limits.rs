//! The limits of options, checked in one place when the layer is built.

use std::time::Duration;

use actix_web::http::header::HeaderName;

use super::resolved::Options;
use super::route_options::RouteOptions;
use crate::error::ConfigError;

pub(super) const MIN_TTL: Duration = Duration::from_millis(1);
pub(super) const MAX_TTL: Duration = Duration::from_secs(10 * 31_557_600);
pub(super) const MIN_LEASE: Duration = Duration::from_millis(10);
pub(super) const MAX_LEASE: Duration = Duration::from_secs(24 * 60 * 60);
/// As long as an answer may be kept; far from where a point in time overflows.
pub(super) const MAX_MAX_RUN: Duration = MAX_TTL;
pub(super) const MAX_WAIT: Duration = Duration::from_secs(5 * 60);

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
        route.key.resolve()?;
        if let Some(name) = &route.first_sent_header
            && HeaderName::from_bytes(name.as_bytes()).is_err()
        {
            return Err(ConfigError::HeaderName((**name).to_owned()));
        }
        if let Some(names) = &route.vary {
            names.resolve()?;
        }
        route.kept_headers().transpose()?;
        self.with(route).checked(stores)
    }

    fn checked(self, stores: Option<Duration>) -> Result<Self, ConfigError> {
        self.scope.check()?;
        let (ttl, lease) = (self.ttl, self.lease);
        if !(MIN_TTL..=MAX_TTL).contains(&ttl) {
            return Err(ConfigError::Ttl(ttl));
        }
        if !(MIN_LEASE..=MAX_LEASE).contains(&lease) {
            return Err(ConfigError::Lease(lease));
        }
        match self.max_key_age {
            Some(max_key_age) if max_key_age > ttl => {
                return Err(ConfigError::MaxKeyAge { max_key_age, ttl });
            }
            Some(_) if !self.tells_time() => return Err(ConfigError::NoKeyTime),
            _ => {}
        }
        match self.max_run {
            Some(max_run) if !(lease..=MAX_MAX_RUN).contains(&max_run) => {
                return Err(ConfigError::MaxRun { max_run, lease });
            }
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
        if let Some(name) = self.kept_headers.dropped_in_error() {
            return Err(ConfigError::DroppedHeader(name.to_string()));
        }
        let limits = [
            ("max_body", self.max_body == 0),
            ("max_response", self.max_response == 0),
            ("stream_budget", self.stream_budget == 0),
            ("max_in_flight", self.max_in_flight == Some(0)),
            ("transaction_runs", self.transaction_runs == 0),
        ];
        let is_absolute = url::Url::parse(&self.problem_base).is_ok();
        if !is_absolute || !self.problem_base.ends_with(['/', '#', ':']) {
            return Err(ConfigError::ProblemBase((*self.problem_base).to_owned()));
        }
        match limits.into_iter().find(|(_, is_zero)| *is_zero) {
            Some((limit, _)) => Err(ConfigError::ZeroLimit(limit)),
            None => Ok(self),
        }
    }
}

#[cfg(test)]
mod documented;
