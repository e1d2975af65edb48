//! One record in memory, and what the clock makes of it. It knows no other record, and not who asks.

use std::time::Duration;

use super::callers::CallerId;
use crate::store::{
    AttemptId, Claim, Description, Fingerprint, Finished, MIN_CLAIM_RETENTION, Record, State, Token,
};

/// What one shard keeps under one id. Times are nanoseconds of the store's clock.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) owner: Token,
    pub(super) generation: u64,
    pub(super) fingerprint: Fingerprint,
    /// Whose room it takes; `None` where nobody counts.
    pub(super) caller: Option<CallerId>,
    pub(super) state: EntryState,
    /// When the entry's one current item in the queue comes due.
    pub(super) check_at: u64,
    /// The number of that item. The time alone would not do: where the clock stands still, a claim that is released
    /// and made anew has an old item of the very same time.
    pub(super) ticket: u64,
}

#[derive(Debug)]
pub(super) enum EntryState {
    /// In flight or unknown: the clock says which.
    Held {
        lease: u64,
        retention: u64,
        alive_at: u64,
        description: Option<Description>,
    },
    Finished {
        finished: Finished,
        expires: u64,
    },
    /// Absent to every reader; remembers the generation.
    GivenUp {
        expires: u64,
    },
}

impl Entry {
    pub(super) fn held(claim: &Claim, generation: u64, now: u64) -> Self {
        let state = EntryState::Held {
            lease: nanos(claim.lease()),
            retention: nanos(claim.retention()),
            alive_at: now,
            description: claim.description().cloned(),
        };
        Self::new(claim, generation, state, now)
    }

    pub(super) fn finished(claim: &Claim, finished: &Finished, ttl: Duration, now: u64) -> Self {
        let state = EntryState::finished(finished, ttl, now);
        Self::new(claim, claim.generation(), state, now)
    }

    /// The same attempt in another state.
    pub(super) fn at(&self, state: EntryState, now: u64) -> Self {
        Self {
            check_at: state.next_check(now),
            state,
            ..*self
        }
    }

    fn new(claim: &Claim, generation: u64, state: EntryState, now: u64) -> Self {
        Self {
            owner: *claim.token(),
            generation,
            fingerprint: *claim.fingerprint(),
            caller: claim.caller(),
            check_at: state.next_check(now),
            ticket: 0,
            state,
        }
    }

    pub(super) fn is_held_by(&self, token: &Token) -> bool {
        matches!(self.state, EntryState::Held { .. }) && self.owner == *token
    }

    /// The last sign of life of a claim.
    pub(super) fn alive_at(&self) -> u64 {
        match self.state {
            EntryState::Held { alive_at, .. } => alive_at,
            EntryState::Finished { .. } | EntryState::GivenUp { .. } => 0,
        }
    }

    pub(super) fn attempt(&self) -> AttemptId {
        let pulse = match self.state {
            EntryState::Held { alive_at, .. } => alive_at.saturating_add(1),
            EntryState::Finished { .. } | EntryState::GivenUp { .. } => 0,
        };
        AttemptId::new(&self.owner, self.generation, pulse)
    }

    /// What a reader sees: nothing of an entry that is over or given up.
    pub(super) fn record(&self, now: u64) -> Option<Record> {
        let (state, description) = match &self.state {
            state if state.is_over(now) => return None,
            EntryState::GivenUp { .. } => return None,
            EntryState::Finished { finished, .. } => (State::Finished(finished.clone()), &None),
            EntryState::Held {
                lease, description, ..
            } => match self.state.is_unknown(now) {
                true => {
                    let lease = Duration::from_nanos(*lease);
                    (State::Unknown { lease }, description)
                }
                false => (State::InFlight, description),
            },
        };
        let record = Record::new(self.attempt(), self.fingerprint, state);
        Some(record.described(description.clone()))
    }
}

impl EntryState {
    pub(super) fn finished(finished: &Finished, ttl: Duration, now: u64) -> Self {
        Self::Finished {
            finished: finished.clone(),
            expires: now.saturating_add(nanos(ttl)),
        }
    }

    /// What remembers the generation: for the retention of the claim, and after an answer, which does not
    /// tell it, for as long as that had left, but for the shortest retention at least.
    pub(super) fn given_up(&self, now: u64) -> Self {
        let expires = match *self {
            Self::Held { retention, .. } => now.saturating_add(retention),
            Self::Finished { expires, .. } | Self::GivenUp { expires } => {
                expires.max(now.saturating_add(nanos(MIN_CLAIM_RETENTION)))
            }
        };
        Self::GivenUp { expires }
    }

    /// Starts a claim's lease and retention anew.
    pub(super) fn keep_alive(&mut self, now: u64) {
        if let Self::Held { alive_at, .. } = self {
            *alive_at = now;
        }
    }

    /// Whether the entry counts as absent from now on.
    pub(super) fn is_over(&self, now: u64) -> bool {
        self.expires() <= now
    }

    /// A claim in flight is never over, however short its retention.
    fn expires(&self) -> u64 {
        match *self {
            Self::Held {
                lease,
                retention,
                alive_at,
                ..
            } => alive_at.saturating_add(lease.max(retention)),
            Self::Finished { expires, .. } | Self::GivenUp { expires } => expires,
        }
    }

    pub(super) fn is_unknown(&self, now: u64) -> bool {
        self.deadline().is_some_and(|deadline| deadline <= now)
    }

    /// When to look at the entry again. A live claim is looked at when its lease is over and not
    /// when its retention is: it will be finished by then, and often with a shorter `ttl`.
    pub(super) fn next_check(&self, now: u64) -> u64 {
        match self.deadline() {
            Some(deadline) if now < deadline => deadline,
            _ => self.expires(),
        }
    }

    /// Octets that it counts with: its answer's, or its claim's label.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Finished { finished, .. } => finished.footprint(),
            // Its other texts are shared.
            Self::Held { description, .. } => {
                let label = description.as_ref().and_then(Description::label);
                label.map_or(0, str::len)
            }
            Self::GivenUp { .. } => 0,
        }
    }

    fn deadline(&self) -> Option<u64> {
        match *self {
            Self::Held {
                lease, alive_at, ..
            } => Some(alive_at.saturating_add(lease)),
            Self::Finished { .. } | Self::GivenUp { .. } => None,
        }
    }
}

/// A duration as the store counts it; five centuries and more are for ever.
pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
