//! What may be chosen of either store, and its defaults. It knows no database.

use std::time::Duration;

use crate::error::SqlConfigError;

/// How long a step may take unless told otherwise.
const TIMEOUT: Duration = Duration::from_secs(1);

/// A third of the longest lease.
const MAX_TIMEOUT: Duration = Duration::from_secs(8 * 60 * 60);

const SWEEP_EVERY: Duration = Duration::from_secs(30);
const MIN_SWEEP: Duration = Duration::from_millis(10);
const MAX_SWEEP: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a batch may take that deletes what is over: nobody waits for it.
pub(crate) const SWEEP_PATIENCE: Duration = Duration::from_secs(10);

#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Only where it was set: the layer has a deadline of its own, which is never over a third of the lease.
    pub(crate) timeout: Option<Duration>,
    pub(crate) sweep_every: Option<Duration>,
    pub(crate) connections: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            timeout: None,
            sweep_every: Some(SWEEP_EVERY),
            connections: 1,
        }
    }
}

impl Options {
    pub(crate) fn check(&self) -> Result<(), SqlConfigError> {
        if let Some(timeout) = self.timeout
            && (timeout.is_zero() || timeout > MAX_TIMEOUT)
        {
            return Err(SqlConfigError::Timeout(timeout));
        }
        if self.connections == 0 {
            return Err(SqlConfigError::NoConnections);
        }
        if let Some(every) = self.sweep_every
            && !(MIN_SWEEP..=MAX_SWEEP).contains(&every)
        {
            return Err(SqlConfigError::SweepEvery(every));
        }
        Ok(())
    }

    pub(crate) fn step_timeout(&self) -> Duration {
        self.timeout.unwrap_or(TIMEOUT)
    }
}
