//! The value that a step writes. How it gets to the server is not known here.

use std::time::Duration;

use super::stored::Stored;
use super::value;
use crate::store::{Claim, Finished, RecordCodec, RecordId, Token};

/// What to make of a record that still is what was seen. Times to live are in milliseconds.
pub(super) enum Change {
    Keep { px: u64 },
    Set { value: Vec<u8>, px: u64 },
    Remove,
}

impl Change {
    pub(super) fn to_claim(id: &RecordId, claim: &Claim, generation: u64) -> Self {
        let (value, px) = value::claim(id, claim, generation);
        Self::Set { value, px }
    }

    /// Finishes the attempt, which belongs to `owner` from now on.
    pub(super) fn to_finished(
        id: &RecordId,
        attempt: &Stored,
        owner: Token,
        finished: &Finished,
        ttl: Duration,
        codec: &RecordCodec,
    ) -> Self {
        let px = value::millis(ttl);
        let value = value::finished(id, attempt, &owner, finished, codec);
        Self::Set { value, px }
    }

    /// Makes the record absent; above generation 1 its generation is remembered.
    pub(super) fn to_absent(id: &RecordId, stored: &Stored, px: u64) -> Self {
        match stored.generation > 1 {
            true => Self::to_remembered(id, stored, px),
            false => Self::Remove,
        }
    }

    /// Makes the record absent, and remembers its generation.
    pub(super) fn to_remembered(id: &RecordId, stored: &Stored, px: u64) -> Self {
        let value = value::given_up(id, stored.generation, &stored.fingerprint);
        Self::Set { value, px }
    }

    /// Octets of the value that is written.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Set { value, .. } => value.len(),
            Self::Keep { .. } | Self::Remove => 0,
        }
    }
}
