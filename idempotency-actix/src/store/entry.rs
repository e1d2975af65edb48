//! What is kept under one id, and what the clock makes of it. It knows no step, no other record, and not how it is kept.

use std::time::Duration;

use super::{
    AttemptId, Claim, Description, Fingerprint, Finished, MIN_CLAIM_RETENTION, Record, State, Token,
};

/// What a store keeps under one id. Times are nanoseconds of the store's clock.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) owner: Token,
    pub(super) generation: u64,
    pub(super) fingerprint: Fingerprint,
    pub(super) state: EntryState,
}

#[derive(Clone, Debug)]
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
        Self::new(claim, generation, state)
    }

    pub(super) fn finished(claim: &Claim, finished: &Finished, ttl: Duration, now: u64) -> Self {
        let state = EntryState::finished(finished, ttl, now);
        Self::new(claim, claim.generation(), state)
    }

    fn new(claim: &Claim, generation: u64, state: EntryState) -> Self {
        Self {
            owner: *claim.token(),
            generation,
            fingerprint: *claim.fingerprint(),
            state,
        }
    }

    /// The same attempt in another state.
    pub(super) fn at(&self, state: EntryState) -> Self {
        Self { state, ..*self }
    }

    /// The same claim with its lease and retention started anew.
    pub(super) fn alive(&self, now: u64) -> Self {
        let mut alive = self.clone();
        if let EntryState::Held { alive_at, .. } = &mut alive.state {
            *alive_at = now;
        }
        alive
    }

    pub(super) fn is_held_by(&self, token: &Token) -> bool {
        matches!(self.state, EntryState::Held { .. }) && self.owner == *token
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

    /// What is listed for operators: a claim that is unknown and described.
    pub(super) fn listed(&self, now: u64) -> Option<Listed> {
        let record = self.record(now)?;
        let State::Unknown { lease } = record.state else {
            return None;
        };
        Some(Listed {
            attempt: record.attempt,
            description: record.description?,
            alive_at: self.state.alive_at(),
            lease,
        })
    }
}

/// A claim whose owner is gone, as operators are told of it.
pub(super) struct Listed {
    pub(super) attempt: AttemptId,
    pub(super) description: Description,
    pub(super) alive_at: u64,
    pub(super) lease: Duration,
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

    /// The last sign of life of a claim; 0 where it is none.
    pub(super) fn alive_at(&self) -> u64 {
        match *self {
            Self::Held { alive_at, .. } => alive_at,
            Self::Finished { .. } | Self::GivenUp { .. } => 0,
        }
    }

    /// Whether the entry counts as absent from now on.
    pub(super) fn is_over(&self, now: u64) -> bool {
        self.expires() <= now
    }

    /// A claim in flight is never over, however short its retention.
    pub(super) fn expires(&self) -> u64 {
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

    /// From when on it is listed for operators.
    pub(super) fn listed_from(&self) -> Option<u64> {
        match self {
            Self::Held {
                description: Some(_),
                ..
            } => self.deadline(),
            _ => None,
        }
    }

    /// When a claim's lease is over.
    pub(super) fn deadline(&self) -> Option<u64> {
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
