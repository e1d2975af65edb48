//! What is under way in one layer, counted while it is, and whether new work is still let in. It ends none.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use slab::Slab;

use super::lease::Lease;
use crate::store::shrink_slab;
use crate::telemetry::Gauge;

/// What one layer has under way, on all workers.
#[derive(Default)]
pub(crate) struct Activity {
    runs: AtomicUsize,
    detached: AtomicUsize,
    is_draining: AtomicBool,
    /// Runs whose claim nobody renews, as their database keeps it.
    transactions: Mutex<Slab<Arc<Lease>>>,
}

impl Activity {
    /// Counts a run until the value is dropped: before the store is asked, since whoever drains must see a claim that
    /// is about to be granted.
    pub(crate) fn run(self: &Arc<Self>) -> Running {
        self.runs.fetch_add(1, Ordering::SeqCst);
        Gauge::Runs.add(1);
        Running(Arc::clone(self))
    }

    /// Counts a run in a transaction until the value is dropped.
    pub(crate) fn transact(self: &Arc<Self>, lease: Arc<Lease>) -> Transacting {
        Transacting {
            slot: self.transactions().insert(lease),
            run: self.run(),
        }
    }

    /// Counts a request that goes on without its connection until the value is dropped.
    pub(crate) fn detach(self: &Arc<Self>) -> Detached {
        self.detached.fetch_add(1, Ordering::SeqCst);
        Gauge::Detached.add(1);
        Detached(Arc::clone(self))
    }

    pub(crate) fn runs(&self) -> usize {
        self.runs.load(Ordering::SeqCst)
    }

    pub(crate) fn detached(&self) -> usize {
        self.detached.load(Ordering::SeqCst)
    }

    /// From now on nothing new is to be let in.
    pub(crate) fn drain(&self) {
        self.is_draining.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::SeqCst)
    }

    /// The leases of the runs in a transaction.
    pub(super) fn in_transactions(&self) -> Vec<Arc<Lease>> {
        let transactions = self.transactions();
        transactions
            .iter()
            .map(|(_, lease)| Arc::clone(lease))
            .collect()
    }

    fn transactions(&self) -> MutexGuard<'_, Slab<Arc<Lease>>> {
        let transactions = self.transactions.lock();
        transactions.unwrap_or_else(PoisonError::into_inner)
    }
}

/// A run while it is under way.
pub(crate) struct Running(Arc<Activity>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.runs.fetch_sub(1, Ordering::SeqCst);
        Gauge::Runs.subtract(1);
    }
}

/// A run in a transaction while it is under way.
pub(crate) struct Transacting {
    run: Running,
    slot: usize,
}

impl Drop for Transacting {
    fn drop(&mut self) {
        let mut transactions = self.run.0.transactions();
        transactions.remove(self.slot);
        shrink_slab(&mut transactions);
    }
}

/// A request without its connection while it is under way.
pub(crate) struct Detached(Arc<Activity>);

impl Drop for Detached {
    fn drop(&mut self) {
        self.0.detached.fetch_sub(1, Ordering::SeqCst);
        Gauge::Detached.subtract(1);
    }
}
