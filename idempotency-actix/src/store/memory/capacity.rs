//! How much the store may keep, and how much it does. It does not know what is kept.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Octets that a record is counted with beside those of its answer.
pub(super) const RECORD: usize = 256;

/// How much is kept, over all shards, and how much may be.
///
/// The counters order nothing else, so they are relaxed: what they count is guarded by the shards' locks.
#[derive(Debug)]
pub(super) struct Capacity {
    max_entries: usize,
    max_bytes: usize,
    entries: AtomicUsize,
    bytes: AtomicUsize,
}

impl Capacity {
    pub(super) fn new(max_entries: usize, max_bytes: usize) -> Self {
        Self {
            max_entries,
            max_bytes,
            entries: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
        }
    }

    pub(super) fn entries(&self) -> usize {
        self.entries.load(Ordering::Relaxed)
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(super) fn is_left(&self) -> bool {
        self.entries() < self.max_entries && self.fits(self.bytes())
    }

    /// Takes room for one claim, or nothing if there is none. Each counter is compared and raised in one step:
    /// two shards that both saw the last place would pass the bound.
    pub(super) fn take_for_claim(&self) -> bool {
        let one_more = |n: usize| (n < self.max_entries).then_some(n + 1);
        let record_more = |n: usize| self.fits(n).then_some(n + RECORD);
        let relaxed = Ordering::Relaxed;
        if self
            .entries
            .fetch_update(relaxed, relaxed, one_more)
            .is_err()
        {
            return false;
        }
        if self
            .bytes
            .fetch_update(relaxed, relaxed, record_more)
            .is_err()
        {
            self.entries.fetch_sub(1, relaxed);
            return false;
        }
        true
    }

    /// Takes room for a record whether or not there is any.
    pub(super) fn take_for_record(&self) {
        self.entries.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(RECORD, Ordering::Relaxed);
    }

    pub(super) fn take_for_answer(&self, size: usize) {
        self.bytes.fetch_add(size, Ordering::Relaxed);
    }

    pub(super) fn give_back(&self, answer: usize) {
        self.entries.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(RECORD + answer, Ordering::Relaxed);
    }

    pub(super) fn give_back_answer(&self, size: usize) {
        self.bytes.fetch_sub(size, Ordering::Relaxed);
    }

    fn fits(&self, bytes: usize) -> bool {
        bytes.saturating_add(RECORD) <= self.max_bytes
    }
}
