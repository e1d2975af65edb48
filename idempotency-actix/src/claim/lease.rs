//! The lease of a granted claim: its signs of life, when it has to be renewed, and when it counts as lost. It calls no
//! store.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::quota::Seat;
use crate::store::{Claim, RecordId};

/// A claim from its grant to its end, as its owner and the renewing thread share it.
pub(crate) struct Lease {
    pub(crate) id: RecordId,
    pub(crate) claim: Claim,
    /// Given up when the claim is no longer kept alive, though its handler may never end.
    pub(crate) seat: Seat,
    /// When renewal stops, because handler and drain took longer than any should.
    pub(crate) renew_until: Instant,
    acked: Mutex<Moment>,
    /// Whether the store ever said so; a handler may run without.
    granted: AtomicBool,
    lost: AtomicBool,
    answered: AtomicBool,
    abandoned: AtomicBool,
}

impl Lease {
    /// A lease that began when its claim was asked for, not when the answer came.
    pub(crate) fn new(
        id: RecordId,
        claim: Claim,
        seat: Seat,
        asked: Moment,
        grant: Grant,
        max_run: Duration,
    ) -> Self {
        Self {
            id,
            claim,
            seat,
            renew_until: asked.monotonic + max_run,
            acked: Mutex::new(asked),
            granted: AtomicBool::new(grant == Grant::ByStore),
            lost: AtomicBool::new(false),
            answered: AtomicBool::new(false),
            abandoned: AtomicBool::new(false),
        }
    }

    pub(crate) fn renewed(&self, asked: Moment) {
        *self.acked() = asked;
    }

    pub(crate) fn grant(&self) {
        self.granted.store(true, Ordering::Release);
    }

    pub(crate) fn is_granted(&self) -> bool {
        self.granted.load(Ordering::Acquire)
    }

    pub(crate) fn lose(&self) {
        self.lost.store(true, Ordering::Release);
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }

    /// Notes that its run is given up, and that this was said.
    pub(super) fn abandon(&self) {
        self.abandoned.store(true, Ordering::Release);
    }

    pub(super) fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Acquire)
    }

    /// Notes that the answer is there and waits for the store: from now on no run is too long.
    pub(crate) fn answer(&self) {
        self.answered.store(true, Ordering::Release);
    }

    pub(crate) fn ran_too_long(&self) -> bool {
        !self.answered.load(Ordering::Acquire) && Instant::now() >= self.renew_until
    }

    /// When the next renewal is due: a third of the lease after the last sign of life, or soon where
    /// there is no claim yet.
    pub(crate) fn renewal_due(&self) -> Instant {
        let parts = if self.is_granted() { 3 } else { 12 };
        self.acked().monotonic + self.claim.lease() / parts
    }

    /// The time since the last sign of life, by the monotonic clock.
    pub(crate) fn since_acked(&self) -> Duration {
        self.acked().monotonic.elapsed()
    }

    /// Whether an absent record may still be this claim's, lost by the store: if it expired by its
    /// own retention, a later attempt may have come and gone.
    pub(crate) fn may_record(&self) -> bool {
        self.acked().age(Moment::now()) < self.claim.retention()
    }

    fn acked(&self) -> MutexGuard<'_, Moment> {
        self.acked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}#{}", self.id, self.claim.generation())
    }
}

/// Whether a handler runs by a claim that the store granted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grant {
    ByStore,
    /// The store could not be asked, and is asked on while the handler runs.
    Asked,
}

/// A point in time by two clocks: the monotonic one may stand still while a machine sleeps, the wall
/// clock may be set back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    monotonic: Instant,
    wall: SystemTime,
}

impl Moment {
    pub(crate) fn now() -> Self {
        Self {
            monotonic: Instant::now(),
            wall: SystemTime::now(),
        }
    }

    /// The time of day, for people.
    pub(crate) fn wall(&self) -> SystemTime {
        self.wall
    }

    /// The same by the monotonic clock.
    pub(crate) fn instant(self) -> Instant {
        self.monotonic
    }

    /// The same where the wall clock was set that much ahead since.
    #[cfg(test)]
    pub(super) fn before_a_step(self, ahead: Duration) -> Self {
        Self {
            wall: self.wall - ahead,
            ..self
        }
    }

    /// The larger of the two ages.
    fn age(&self, now: Self) -> Duration {
        let wall = now.wall.duration_since(self.wall).unwrap_or_default();
        now.monotonic.duration_since(self.monotonic).max(wall)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_older_of_two_clocks_counts() {
        let hour = Duration::from_secs(3600);
        let then = Moment::now();
        let at = |monotonic, wall| Moment { monotonic, wall };
        let slept = at(then.monotonic, then.wall + hour);
        let set_back = at(then.monotonic + hour, then.wall - hour);
        assert_eq!(then.age(slept), hour);
        assert_eq!(then.age(set_back), hour);
    }
}
