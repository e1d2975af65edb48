//! How many retries of one layer may wait for a record. It does not know how one waits.

use std::sync::Arc;

use crate::store::{Place, RecordId, Wakeups};

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
    pub(crate) fn enter(&self, id: &RecordId) -> Option<Place> {
        self.wakeups.enter(id, self.most, self.most_for_one)
    }
}
