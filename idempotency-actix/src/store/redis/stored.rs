//! A record as it stands on the server, and what a reader sees of it by the server's clock. It knows nothing
//! of octets and commands.

use std::time::Duration;

use actix_web::web::Bytes;

use crate::store::{AttemptId, Description, Fingerprint, Finished, Record, State, Token};

/// A record as it stands on the server.
pub(super) struct Stored {
    pub(super) token: Token,
    pub(super) generation: u64,
    pub(super) fingerprint: Fingerprint,
    pub(super) state: StoredState,
    /// The octets it was read from: what a change is compared with.
    pub(super) bytes: Bytes,
}

/// How far the operation came, as far as the octets tell.
pub(super) enum StoredState {
    /// In flight or unknown: the server's clock says which.
    Held {
        lease: Duration,
        /// The whole time to live, in milliseconds: what is missing of it is the time since the last
        /// sign of life.
        px: u64,
        description: Option<Description>,
    },
    Finished(Finished),
    /// Absent to every reader; remembers the generation.
    GivenUp,
}

impl Stored {
    pub(super) fn is_held_by(&self, token: &Token) -> bool {
        matches!(self.state, StoredState::Held { .. }) && self.token == *token
    }

    /// A claim's last sign of life in milliseconds since 1970, where its time to live ends then.
    pub(super) fn last_seen(&self, pulse: u64) -> Option<u64> {
        match self.state {
            StoredState::Held { px, .. } => Some(pulse.saturating_sub(px)),
            StoredState::Finished(_) | StoredState::GivenUp => None,
        }
    }

    /// The attempt, as the end of its time to live tells its signs of life apart. A finished one gives
    /// none, and is told by that from a claim, even from one that lost its expiry.
    pub(super) fn attempt(&self, pulse: u64) -> AttemptId {
        let pulse = match self.state {
            StoredState::Held { .. } => pulse.max(1),
            StoredState::Finished(_) | StoredState::GivenUp => 0,
        };
        AttemptId::new(&self.token, self.generation, pulse)
    }

    /// What a reader sees; `left` is the time to live in milliseconds, and `pulse` when it ends.
    pub(super) fn record(self, left: i64, pulse: u64) -> Option<Record> {
        let attempt = self.attempt(pulse);
        let (state, description) = match self.state {
            StoredState::GivenUp => return None,
            StoredState::Finished(finished) => (State::Finished(finished), None),
            StoredState::Held {
                lease,
                px,
                description,
            } => match is_lapsed(lease, px, left) {
                true => (State::Unknown { lease }, description),
                false => (State::InFlight, description),
            },
        };
        let record = Record::new(attempt, self.fingerprint, state);
        Some(record.described(description))
    }
}

/// Whether a claim's lease is over. A value without an expiry (-1) lost its clock, and is alive.
pub(super) fn is_lapsed(lease: Duration, px: u64, left: i64) -> bool {
    u64::try_from(left).is_ok_and(|left| Duration::from_millis(px.saturating_sub(left)) >= lease)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(30);

    #[test]
    fn a_lease_is_measured_by_what_is_missing_of_the_time_to_live() {
        let px = 90_000;
        assert!(!is_lapsed(LEASE, px, 90_000));
        assert!(!is_lapsed(LEASE, px, 60_001));
        assert!(is_lapsed(LEASE, px, 60_000));
        // A clock that was set back leaves more than there was.
        assert!(!is_lapsed(LEASE, px, 90_001));
        // A claim without an expiry has lost its clock.
        assert!(!is_lapsed(LEASE, px, -1));
    }
}
