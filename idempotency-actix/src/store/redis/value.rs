//! The octets under a record's key: those of the crate's codec, with the time to live that they are written with. They
//! know no server and no clock.

use std::time::Duration;

use actix_web::web::Bytes;

use super::stored::{Stored, StoredState};
use crate::store::{
    Claim, Fingerprint, Finished, RecordCodec, RecordError, RecordId, StoredRecord, Token,
    record_codec,
};

pub(super) use crate::store::record_codec::millis;

/// Reads a value that must be the record of this id.
pub(super) fn read(
    id: &RecordId,
    bytes: Vec<u8>,
    codec: &RecordCodec,
) -> Result<Stored, RecordError> {
    let bytes = Bytes::from(bytes);
    let record = codec.decode(id, bytes.clone())?;
    Ok(Stored {
        token: record.token,
        generation: record.generation,
        fingerprint: record.fingerprint,
        state: match record.state {
            record_codec::StoredState::Claimed {
                lease,
                retention,
                description,
            } => StoredState::Held {
                lease,
                px: millis(retention),
                description,
            },
            record_codec::StoredState::Finished(finished) => StoredState::Finished(finished),
            record_codec::StoredState::GivenUp => StoredState::GivenUp,
        },
        bytes,
    })
}

/// A claim as its owner knows it, unread.
pub(super) fn held(id: &RecordId, claim: &Claim) -> Stored {
    let (bytes, px) = self::claim(id, claim, claim.generation());
    Stored {
        token: *claim.token(),
        generation: claim.generation(),
        fingerprint: *claim.fingerprint(),
        state: StoredState::Held {
            lease: claim.lease(),
            px,
            description: claim.description().cloned(),
        },
        bytes: Bytes::from(bytes),
    }
}

/// The value of a claim, and the time to live that it is written with.
///
/// A claim outlives its lease three times at least, so that it can be seen to have lapsed. It is short and
/// never changes, since each later step of its owner sends it along to be compared.
pub(super) fn claim(id: &RecordId, claim: &Claim, generation: u64) -> (Vec<u8>, u64) {
    let px = millis(claim.retention().max(claim.lease() * 3));
    let state = record_codec::StoredState::Claimed {
        lease: claim.lease(),
        retention: Duration::from_millis(px),
        description: claim.description().cloned(),
    };
    let record = StoredRecord::new(*claim.token(), generation, *claim.fingerprint(), state);
    (RecordCodec::plain().encode(id, &record), px)
}

/// The value of a claim's attempt that finished, and belongs to `owner` from now on.
pub(super) fn finished(
    id: &RecordId,
    held: &Stored,
    owner: &Token,
    finished: &Finished,
    codec: &RecordCodec,
) -> Vec<u8> {
    let state = record_codec::StoredState::Finished(finished.clone());
    let record = StoredRecord::new(*owner, held.generation, held.fingerprint, state);
    codec.encode(id, &record)
}

/// The value that remembers a generation.
pub(super) fn given_up(id: &RecordId, generation: u64, fingerprint: &Fingerprint) -> Vec<u8> {
    let record = StoredRecord::given_up(generation, *fingerprint);
    RecordCodec::plain().encode(id, &record)
}

/// The same for a value that cannot be read; `None` if its head cannot be, either.
pub(super) fn given_up_unread(id: &RecordId, bytes: &[u8]) -> Option<Vec<u8>> {
    let record = RecordCodec::given_up_unread(id, bytes)?;
    Some(RecordCodec::plain().encode(id, &record))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::NotKept;

    const ID: RecordId = RecordId::from_bytes([1; 32]);

    fn claimed() -> Claim {
        let fingerprint = Fingerprint::new(Fingerprint::BYTES, [2; 32]);
        let (lease, day) = (Duration::from_secs(30), Duration::from_secs(86_400));
        Claim::new(Token::from_bytes([3; 16]), fingerprint, lease, day)
    }

    #[test]
    fn a_claim_is_written_as_its_owner_knows_it() {
        let (value, px) = claim(&ID, &claimed(), 2);
        assert_eq!(px, 86_400_000);
        let stored = read(&ID, value.clone(), &RecordCodec::plain()).expect("a claim");
        assert_eq!((stored.generation, &stored.bytes[..]), (2, &value[..]));
        assert!(stored.is_held_by(claimed().token()));
        assert_eq!(held(&ID, &claimed()).bytes, claim(&ID, &claimed(), 1).0);
    }

    #[test]
    fn an_answer_is_told_from_a_claim_that_lost_its_expiry() {
        let held = held(&ID, &claimed());
        let not_kept = Finished::NotKept(NotKept::new(204, None));
        let codec = RecordCodec::plain();
        let value = finished(&ID, &held, claimed().token(), &not_kept, &codec);
        let done = read(&ID, value, &codec).expect("an answer");
        assert_ne!(held.attempt(0), done.attempt(0));
        assert_eq!(done.attempt(0), done.attempt(1_700_000_000_000));
    }
}
