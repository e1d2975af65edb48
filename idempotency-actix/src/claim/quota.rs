//! How many operations of a caller are in flight in this process. It does not know who may refuse one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::store::shrink_map;

/// A caller, as a quota knows it.
pub(crate) type CallerHash = [u8; 32];

/// How many operations each caller has in flight in this process, where a route limits that.
#[derive(Clone, Default)]
pub(crate) struct Quotas(Arc<Mutex<HashMap<CallerHash, usize>>>);

impl Quotas {
    /// Whether there is a seat now.
    pub(crate) fn has_room(&self, caller: &CallerHash, limit: usize) -> bool {
        self.taken().get(caller).copied().unwrap_or(0) < limit
    }

    /// Takes a seat for one operation; `None` if the caller has all that it may have.
    pub(crate) fn admit(&self, caller: CallerHash, limit: usize) -> Option<Seat> {
        let mut taken = self.taken();
        let of_caller = taken.entry(caller).or_insert(0);
        // At the limit there is an entry already, since no limit is zero.
        if *of_caller >= limit {
            return None;
        }
        *of_caller += 1;
        Some(Seat::Counted(Mutex::new(Some((self.clone(), caller)))))
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<CallerHash, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one operation in flight, until it is given up or dropped.
pub(crate) enum Seat {
    /// Nobody counts.
    Uncounted,
    Counted(Mutex<Option<(Quotas, CallerHash)>>),
}

impl Seat {
    pub(crate) fn give_up(&self) {
        let Self::Counted(taken) = self else {
            return;
        };
        let taken = taken.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((quotas, caller)) = taken else {
            return;
        };
        let mut taken = quotas.taken();
        if let Some(of_caller) = taken.get_mut(&caller) {
            *of_caller -= 1;
            if *of_caller == 0 {
                taken.remove(&caller);
                shrink_map(&mut taken);
            }
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.give_up();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_caller_has_its_seats_and_leaves_nothing_behind() {
        let quotas = Quotas::default();
        let seats = [(); 2].map(|()| quotas.admit([1; 32], 2).expect("a seat"));
        assert!(quotas.admit([1; 32], 2).is_none());
        let other = quotas.admit([2; 32], 2).expect("another caller's seat");
        drop(seats);
        assert!(quotas.admit([1; 32], 2).is_some());
        drop(other);
        assert!(quotas.taken().is_empty());
    }
}
