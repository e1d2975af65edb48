//! The pauses between two tries. It does not know what is tried.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// Pauses that double, without end. Up to as much again comes on top by chance, so that replicas do not
/// come back all at once.
pub(crate) fn growing_pauses(shortest: Duration, longest: Duration) -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(shortest)
        .with_max_delay(longest)
        .with_jitter()
        .without_max_times()
        .build()
}
