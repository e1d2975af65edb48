//! A budget of memory: of streams on their way, or of answers that wait for the store. It does not know which.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Octets that all streams of one layer may hold together.
///
/// The counter orders nothing else, so it is relaxed.
pub(crate) struct Budget {
    limit: usize,
    held: AtomicUsize,
}

impl Budget {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        let held = AtomicUsize::new(0);
        Arc::new(Self { limit, held })
    }

    /// A share of nothing yet.
    pub(crate) fn share(self: &Arc<Self>) -> Share {
        Share {
            budget: Arc::clone(self),
            held: 0,
        }
    }
}

/// What one of them holds, given back when it is dropped.
pub(crate) struct Share {
    budget: Arc<Budget>,
    held: usize,
}

impl Share {
    /// Takes so many octets, or none if so many are not left.
    pub(crate) fn take(&mut self, octets: usize) -> bool {
        let more = |held: usize| {
            let held = held.saturating_add(octets);
            (held <= self.budget.limit).then_some(held)
        };
        let relaxed = Ordering::Relaxed;
        let is_taken = self.budget.held.fetch_update(relaxed, relaxed, more);
        if is_taken.is_ok() {
            self.held += octets;
        }
        is_taken.is_ok()
    }

    /// Takes octets that are held already, whether or not so many are left.
    pub(crate) fn take_anyway(&mut self, octets: usize) {
        self.budget.held.fetch_add(octets, Ordering::Relaxed);
        self.held += octets;
    }

    /// Gives all back but so many octets.
    pub(crate) fn keep(&mut self, octets: usize) {
        let rest = self.held.saturating_sub(octets);
        self.budget.held.fetch_sub(rest, Ordering::Relaxed);
        self.held -= rest;
    }

    pub(crate) fn give_back(&mut self, octets: usize) {
        self.keep(self.held.saturating_sub(octets));
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.keep(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_never_take_more_than_there_is_and_leave_nothing_behind() {
        let budget = Budget::new(10);
        let (mut one, mut two) = (budget.share(), budget.share());
        assert!(one.take(6) && !two.take(5) && two.take(4));
        assert!(!one.take(usize::MAX));
        one.take_anyway(3);
        one.give_back(4);
        assert!(!two.take(2) && two.take(1));
        two.keep(2);
        assert!(one.take(3));
        drop((one, two));
        assert_eq!(budget.held.load(Ordering::Relaxed), 0);
    }
}
