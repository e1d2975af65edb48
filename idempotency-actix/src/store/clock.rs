//! The time of the memory store, which tests move. It knows nothing of leases.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Where a manual clock stops: half of what can be counted, so that what begins there still has its time.
const END: u64 = u64::MAX / 2;

/// Time as [`MemoryStore`](crate::MemoryStore) sees it: the monotonic clock, or one that tests move.
#[derive(Clone)]
pub struct Clock(Source);

#[derive(Clone)]
enum Source {
    Monotonic(Instant),
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// The operating system's monotonic clock.
    pub fn monotonic() -> Self {
        Self(Source::Monotonic(Instant::now()))
    }

    /// A clock that stands still until [`advance`](Self::advance) moves it; clones move together.
    pub fn manual() -> Self {
        Self(Source::Manual(Arc::new(AtomicU64::new(0))))
    }

    /// Moves a manual clock forward, to the nanosecond; a monotonic one moves by itself.
    ///
    /// It stops 292 years after it was made, and never goes back.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(nanos) = &self.0 {
            let by = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
            let later = |now: u64| Some(now.saturating_add(by).min(END));
            // It never refuses.
            _ = nanos.fetch_update(Ordering::SeqCst, Ordering::SeqCst, later);
        }
    }

    /// Time since the clock was made.
    pub(super) fn now(&self) -> Duration {
        match &self.0 {
            Source::Monotonic(origin) => origin.elapsed(),
            Source::Manual(nanos) => Duration::from_nanos(nanos.load(Ordering::SeqCst)),
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Source::Monotonic(_) => "Clock::monotonic",
            Source::Manual(_) => "Clock::manual",
        })
    }
}
