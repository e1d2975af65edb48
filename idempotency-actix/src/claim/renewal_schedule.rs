//! When claims are to be renewed. It renews none, and knows no thread.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use slab::Slab;

use super::lease::Lease;
use crate::store::shrink_slab;

/// How long nobody looks when nothing is due.
const IDLE: Duration = Duration::from_secs(3600);

/// Claims, and their renewals in the order in which they are due.
///
/// Workers take its lock twice for each request, so nothing here goes through all claims: a scan called living
/// owners dead when there were many.
pub(super) struct Schedule {
    claims: Slab<Planned>,
    due: BTreeSet<(Instant, usize)>,
    /// When somebody looks next; an earlier due date has to wake them.
    next_look: Instant,
    /// The shortest time in which a new claim became due.
    shortest: Duration,
    /// Whether there was a new claim since somebody looked.
    is_busy: bool,
}

struct Planned {
    lease: Arc<Lease>,
    /// The deadline of a renewal.
    timeout: Duration,
    /// `None` while its renewal is on the way, or where there is none any more.
    due: Option<Instant>,
}

/// A renewal that is due.
pub(super) struct Due {
    pub(super) slot: usize,
    pub(super) lease: Arc<Lease>,
    pub(super) timeout: Duration,
}

impl Schedule {
    pub(super) fn new() -> Self {
        Self {
            claims: Slab::new(),
            due: BTreeSet::new(),
            next_look: Instant::now() + IDLE,
            shortest: IDLE,
            is_busy: false,
        }
    }

    /// Takes a claim in. The second value tells whether it is due before anybody looks.
    pub(super) fn admit(&mut self, lease: Arc<Lease>, timeout: Duration) -> (usize, bool) {
        let due = lease.renewal_due();
        self.shortest = self.shortest.min(lease.claim.lease() / 3);
        self.is_busy = true;
        let slot = self.claims.insert(Planned {
            lease,
            timeout,
            due: Some(due),
        });
        self.due.insert((due, slot));
        (slot, due < self.next_look)
    }

    pub(super) fn remove(&mut self, slot: usize) -> Arc<Lease> {
        let planned = self.claims.remove(slot);
        shrink_slab(&mut self.claims);
        if let Some(due) = planned.due {
            self.due.remove(&(due, slot));
        }
        planned.lease
    }

    pub(super) fn is_empty(&self) -> bool {
        self.claims.is_empty()
    }

    /// All claims that are kept, also those that are renewed no more.
    pub(super) fn leases(&self) -> Vec<Arc<Lease>> {
        let claims = self.claims.iter();
        claims
            .map(|(_, planned)| Arc::clone(&planned.lease))
            .collect()
    }

    /// Whether the slot is still that claim's, and has no other tenant by now.
    pub(super) fn has(&self, slot: usize, lease: &Arc<Lease>) -> bool {
        let planned = self.claims.get(slot);
        planned.is_some_and(|planned| Arc::ptr_eq(&planned.lease, lease))
    }

    /// Plans the next renewal of a claim whose last one is over, if the claim is still there.
    pub(super) fn plan(&mut self, slot: usize, lease: &Arc<Lease>, due: Instant) {
        if self.has(slot, lease) {
            self.claims[slot].due = Some(due);
            self.due.insert((due, slot));
        }
    }

    /// Plans the renewals that were on the way when the job that renews panicked. Of a claim that is lost one more
    /// is tried, and finds so.
    pub(super) fn plan_again(&mut self) {
        for (slot, planned) in self.claims.iter_mut() {
            let due = *planned.due.get_or_insert_with(Instant::now);
            self.due.insert((due, slot));
        }
    }

    /// Takes what is due, but not more than that.
    pub(super) fn take(&mut self, now: Instant, most: usize) -> Vec<Due> {
        let mut taken = Vec::new();
        while taken.len() < most
            && let Some(&(due, slot)) = self.due.first()
            && due <= now
        {
            self.due.pop_first();
            let planned = &mut self.claims[slot];
            planned.due = None;
            taken.push(Due {
                slot,
                lease: Arc::clone(&planned.lease),
                timeout: planned.timeout,
            });
        }
        taken
    }

    /// Says when to look again.
    pub(super) fn look_again(&mut self, now: Instant) -> Instant {
        // The next claim will not be due before that. To sleep for longer would mean to be woken by
        // it, though it is finished long before it is due: a context switch for each request.
        let is_busy = std::mem::take(&mut self.is_busy);
        let pause = if is_busy { self.shortest } else { IDLE };
        let first = self.due.first().map(|&(due, _)| due);
        self.next_look = first.map_or(now + pause, |due| due.min(now + pause));
        self.next_look
    }
}

#[cfg(test)]
mod tests {
    use super::super::lease::{Grant, Moment};
    use super::super::quota::Seat;
    use super::*;
    use crate::store::{Claim, Fingerprint, RecordId, Token};

    #[test]
    fn the_room_of_a_peak_is_given_back_after_it() {
        let fingerprint = Fingerprint::new(1, [7; 32]);
        let lease = || {
            let claim = Claim::new(Token::random(), fingerprint, IDLE, IDLE);
            let (id, asked) = (RecordId::from_bytes([1; 32]), Moment::now());
            let lease = Lease::new(id, claim, Seat::Uncounted, asked, Grant::ByStore, IDLE);
            Arc::new(lease)
        };
        let mut schedule = Schedule::new();
        let slots: Vec<_> = (0..1_000)
            .map(|_| schedule.admit(lease(), IDLE).0)
            .collect();
        let slots_of_peak = slots.len();
        for slot in slots {
            schedule.remove(slot);
        }
        assert!(schedule.is_empty() && schedule.claims.capacity() < slots_of_peak);
    }
}
