//! How much the store may keep, and how much it does. It does not know what is kept.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::callers::{CallerId, Callers};
use crate::telemetry::Gauge;

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
    callers: Callers,
}

impl Capacity {
    pub(super) fn new(max_entries: usize, max_bytes: usize) -> Self {
        Self {
            max_entries,
            max_bytes,
            entries: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            callers: Callers::new(max_entries, max_bytes),
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

    /// Whether a claim of that caller would find room.
    pub(super) fn is_left_for(&self, caller: Option<CallerId>) -> bool {
        self.is_left() && caller.is_none_or(|caller| self.callers.has_room(caller, RECORD))
    }

    /// Takes room for one claim, or nothing if there is none. Each counter is compared and raised in one step:
    /// two shards that both saw the last place would pass the bound.
    pub(super) fn take_for_claim(&self, caller: Option<CallerId>) -> bool {
        let is_over_its_share = |caller| !self.callers.take(caller, RECORD);
        if caller.is_some_and(is_over_its_share) {
            return false;
        }
        let is_taken = self.take_one();
        if let (false, Some(caller)) = (is_taken, caller) {
            self.callers.give_back(caller, RECORD);
        }
        is_taken
    }

    fn take_one(&self) -> bool {
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
        Gauge::MemoryRecords.add(1);
        Gauge::MemoryBytes.add(RECORD);
        true
    }

    /// Takes room for a record whether or not there is any.
    pub(super) fn take_for_record(&self, caller: Option<CallerId>) {
        if let Some(caller) = caller {
            self.callers.take_anyway(caller, RECORD);
        }
        self.entries.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(RECORD, Ordering::Relaxed);
        Gauge::MemoryRecords.add(1);
        Gauge::MemoryBytes.add(RECORD);
    }

    /// Counts the octets of an answer, for those of the one that was there.
    pub(super) fn resize_answer(&self, caller: Option<CallerId>, before: usize, after: usize) {
        if before == after {
            return;
        }
        self.bytes.fetch_add(after, Ordering::Relaxed);
        self.bytes.fetch_sub(before, Ordering::Relaxed);
        Gauge::MemoryBytes.add(after);
        Gauge::MemoryBytes.subtract(before);
        if let Some(caller) = caller {
            self.callers.resize(caller, before, after);
        }
    }

    pub(super) fn give_back(&self, caller: Option<CallerId>, answer: usize) {
        self.entries.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(RECORD + answer, Ordering::Relaxed);
        Gauge::MemoryRecords.subtract(1);
        Gauge::MemoryBytes.subtract(RECORD + answer);
        if let Some(caller) = caller {
            self.callers.give_back(caller, RECORD + answer);
        }
    }

    fn fits(&self, bytes: usize) -> bool {
        bytes.saturating_add(RECORD) <= self.max_bytes
    }
}

/// With a store go its records.
impl Drop for Capacity {
    fn drop(&mut self) {
        Gauge::MemoryRecords.subtract(self.entries());
        Gauge::MemoryBytes.subtract(self.bytes());
    }
}

#[cfg(test)]
impl Capacity {
    pub(super) fn callers_are_forgotten(&self) -> bool {
        self.callers.are_forgotten()
    }
}
