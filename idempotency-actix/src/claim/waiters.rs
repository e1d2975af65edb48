//! How many retries of one layer may wait for a record. It does not know how one waits.

use std::sync::Arc;

use crate::store::{Place, RecordId, Wakeups};
use crate::telemetry::Gauge;

/// All waiters of one layer.
pub(crate) struct Waiters {
    wakeups: Arc<Wakeups>,
    most: usize,
    most_for_one: usize,
}

impl Waiters {
    /// Bounded in the process, and for each record.
    pub(crate) fn new(most: usize, most_for_one: usize) -> Self {
        Self {
            wakeups: Arc::default(),
            most,
            most_for_one,
        }
    }

    /// How many wait now.
    pub(crate) fn count(&self) -> usize {
        self.wakeups.waiting()
    }

    pub(crate) fn wake(&self, id: &RecordId) {
        self.wakeups.wake(id);
    }

    /// Takes a place for one more; `None` if too many wait already.
    pub(crate) fn enter(&self, id: &RecordId) -> Option<Waiting> {
        let place = self.wakeups.enter(id, self.most, self.most_for_one)?;
        Gauge::Waiters.add(1);
        Some(Waiting(place))
    }
}

/// A retry's place while it waits.
pub(crate) struct Waiting(Place);

impl Waiting {
    /// Resolves when its record may have changed.
    pub(crate) async fn woken(&mut self) {
        self.0.woken().await;
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        Gauge::Waiters.subtract(1);
    }
}
