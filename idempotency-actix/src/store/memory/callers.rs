//! How much each caller has in the store. It does not know who a caller is.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::store::shrink_map;

/// A caller, as a claim tells it: a hash that no caller can choose.
pub(super) type CallerId = u64;

/// How many tables there are, so that callers rarely wait for each other.
const TABLES: usize = 32;

/// What each caller has in the store, whoever it is.
#[derive(Debug)]
pub(super) struct Callers {
    max: Held,
    tables: [Mutex<HashMap<CallerId, Held>>; TABLES],
}

#[derive(Clone, Copy, Debug, Default)]
struct Held {
    entries: usize,
    bytes: usize,
}

impl Callers {
    /// Each caller may have half of what there is: enough for the only one that a service has, and what is left is the
    /// others'.
    pub(super) fn new(max_entries: usize, max_bytes: usize) -> Self {
        Self {
            max: Held {
                entries: max_entries.div_ceil(2),
                bytes: max_bytes.div_ceil(2),
            },
            tables: Default::default(),
        }
    }

    /// Whether one more record of so many octets is within the caller's half.
    pub(super) fn has_room(&self, caller: CallerId, octets: usize) -> bool {
        self.change(caller, |held| self.fits(held, octets))
    }

    /// Takes room for a record of a caller; `false` if there is none, and nothing is taken.
    pub(super) fn take(&self, caller: CallerId, octets: usize) -> bool {
        self.change(caller, |held| {
            let fits = self.fits(held, octets);
            if fits {
                held.entries += 1;
                held.bytes += octets;
            }
            fits
        })
    }

    /// Counts a record whether or not there is room.
    pub(super) fn take_anyway(&self, caller: CallerId, octets: usize) {
        self.change(caller, |held| {
            held.entries += 1;
            held.bytes += octets;
        });
    }

    /// Counts what a record has become.
    pub(super) fn resize(&self, caller: CallerId, before: usize, after: usize) {
        self.change(caller, |held| held.bytes = held.bytes + after - before);
    }

    pub(super) fn give_back(&self, caller: CallerId, octets: usize) {
        self.change(caller, |held| {
            held.entries -= 1;
            held.bytes -= octets;
        });
    }

    fn fits(&self, held: &Held, octets: usize) -> bool {
        held.entries < self.max.entries && held.bytes.saturating_add(octets) <= self.max.bytes
    }

    fn change<T>(&self, caller: CallerId, act: impl FnOnce(&mut Held) -> T) -> T {
        let table = &self.tables[caller as usize % TABLES];
        let mut table = table.lock().unwrap_or_else(PoisonError::into_inner);
        let held = table.entry(caller).or_default();
        let done = act(held);
        if held.entries == 0 {
            table.remove(&caller);
            shrink_map(&mut table);
        }
        done
    }

    #[cfg(test)]
    pub(super) fn are_forgotten(&self) -> bool {
        let mut tables = self.tables.iter();
        tables.all(|table| table.lock().is_ok_and(|table| table.is_empty()))
    }
}
