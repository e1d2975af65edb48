//! The time of the memory store and of keys, which tests move. It knows nothing of leases.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// Where a manual clock stops: half of what can be counted, so that what begins there still has its time.
const END: u64 = u64::MAX / 2;

/// Time as [`MemoryStore`](crate::MemoryStore) sees it, and as the [age of a
/// key](crate::IdempotencyBuilder::max_key_age) is told by: the system's clocks, or one that tests move.
#[derive(Clone)]
pub struct Clock(Source);

#[derive(Clone)]
enum Source {
    Monotonic(Instant),
    Manual(Arc<Manual>),
}

struct Manual {
    /// What time of day it was when the clock was made.
    start: SystemTime,
    nanos: AtomicU64,
}

impl Clock {
    /// The operating system's monotonic clock, and its time of day.
    pub fn monotonic() -> Self {
        Self(Source::Monotonic(Instant::now()))
    }

    /// A clock that stands still until [`advance`](Self::advance) moves it; clones move together.
    pub fn manual() -> Self {
        Self(Source::Manual(Arc::new(Manual {
            start: SystemTime::now(),
            nanos: AtomicU64::new(0),
        })))
    }

    /// Moves a manual clock forward, to the nanosecond; a monotonic one moves by itself.
    ///
    /// It stops 292 years after it was made, and never goes back.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(manual) = &self.0 {
            let by = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
            let later = |now: u64| Some(now.saturating_add(by).min(END));
            // It never refuses.
            _ = (manual.nanos).fetch_update(Ordering::SeqCst, Ordering::SeqCst, later);
        }
    }

    /// The time of day by this clock. A manual one begins with the system's, and moves only as it is told.
    pub fn time_of_day(&self) -> SystemTime {
        match &self.0 {
            Source::Monotonic(_) => SystemTime::now(),
            Source::Manual(manual) => manual.start + self.now(),
        }
    }

    /// Time since the clock was made.
    pub(super) fn now(&self) -> Duration {
        match &self.0 {
            Source::Monotonic(origin) => origin.elapsed(),
            Source::Manual(manual) => Duration::from_nanos(manual.nanos.load(Ordering::SeqCst)),
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
