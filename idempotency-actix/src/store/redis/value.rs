//! The octets under a record's key, version 1: written and read. They know no server and no clock.
//!
//! All integers are big-endian.
//!
//! | octets | content |
//! |---|---|
//! | 1 | version: 1 |
//! | 1 | kind: 1 claim, 2 answer, 3 not kept, 4 given up |
//! | 1 | 1 if what follows the head is sealed |
//! | 32 | the record's id |
//! | 16 | the owner's token |
//! | 8 | fencing generation |
//! | 1 + 32 | fingerprint: scheme and digest |
//! | .. | claim: lease and retention in milliseconds, 8 octets each |
//! | .. | answer: the codec of [`StoredResponse`] |
//! | .. | not kept: 2 octets of status, 1 if there is a location and else 0, the location |

use std::time::Duration;

use actix_web::web::Bytes;

use super::seal::{Seal, Unsealed};
use super::stored::{Stored, StoredState};
use super::value_error::ValueError;
use crate::store::{Claim, Fingerprint, Finished, NotKept, RecordId, StoredResponse, Token};

const VERSION: u8 = 1;
const HEAD: usize = 92;

const CLAIM: u8 = 1;
const ANSWER: u8 = 2;
const NOT_KEPT: u8 = 3;
const GIVEN_UP: u8 = 4;

/// Reads a value that must be the record of this id.
pub(super) fn read(id: &RecordId, bytes: Vec<u8>, seal: &Seal) -> Result<Stored, ValueError> {
    let bytes = Bytes::from(bytes);
    let (head, rest) = split(id, &bytes)?;
    let state = match (head[1], head[2]) {
        (CLAIM, 0) => {
            let (lease, px) = rest.split_at_checked(8).ok_or(ValueError::Malformed)?;
            let lease = Duration::from_millis(u64_of(lease)?);
            let px = u64_of(px)?;
            StoredState::Held { lease, px }
        }
        (kind @ (ANSWER | NOT_KEPT), sealed @ (0 | 1)) => {
            let plain = match seal.open(head, rest, sealed == 1)? {
                Unsealed::AsIs => bytes.slice(HEAD..),
                Unsealed::Opened(plain) => Bytes::from(plain),
            };
            StoredState::Finished(match kind {
                ANSWER => Finished::Completed(StoredResponse::decode(plain)?),
                _ => Finished::NotKept(not_kept(&plain)?),
            })
        }
        (GIVEN_UP, 0) if rest.is_empty() => StoredState::GivenUp,
        _ => return Err(ValueError::Malformed),
    };
    Ok(Stored {
        token: Token::from_bytes(array(&head[35..51])?),
        generation: generation_of(head)?,
        fingerprint: fingerprint_of(head)?,
        state,
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
        },
        bytes: Bytes::from(bytes),
    }
}

/// The head of a value: whose record it is.
struct ValueHead<'a> {
    id: &'a RecordId,
    token: &'a Token,
    generation: u64,
    fingerprint: &'a Fingerprint,
}

impl ValueHead<'_> {
    fn write(&self, kind: u8, is_sealed: bool, room: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEAD + room);
        out.extend([VERSION, kind, u8::from(is_sealed)]);
        out.extend(self.id.as_bytes());
        out.extend(self.token.as_bytes());
        out.extend(self.generation.to_be_bytes());
        out.push(self.fingerprint.scheme());
        out.extend(self.fingerprint.digest());
        out
    }
}

/// The value of a claim, and the time to live that it is written with.
///
/// A claim outlives its lease three times at least, so that it can be seen to have lapsed. It is short and
/// never changes, since each later step of its owner sends it along to be compared.
pub(super) fn claim(id: &RecordId, claim: &Claim, generation: u64) -> (Vec<u8>, u64) {
    let px = millis(claim.retention().max(claim.lease() * 3));
    let head = ValueHead {
        id,
        token: claim.token(),
        generation,
        fingerprint: claim.fingerprint(),
    };
    let mut out = head.write(CLAIM, false, 16);
    out.extend(millis(claim.lease()).to_be_bytes());
    out.extend(px.to_be_bytes());
    (out, px)
}

/// The value of a claim's attempt that finished, and belongs to `owner` from now on.
///
/// An answer that does not fit the stored form is remembered as one that was not kept.
pub(super) fn finished(
    id: &RecordId,
    held: &Stored,
    owner: &Token,
    finished: &Finished,
    seal: &Seal,
) -> Vec<u8> {
    let head = ValueHead {
        id,
        token: owner,
        generation: held.generation,
        fingerprint: &held.fingerprint,
    };
    let kept = match finished {
        Finished::Completed(response) => {
            let mut out = head.write(ANSWER, seal.seals(), response.encoded_len());
            match response.encode_into(&mut out) {
                Ok(()) => return seal.close(out, HEAD),
                Err(_) => &response.not_kept(),
            }
        }
        Finished::NotKept(kept) => kept,
    };
    let location = kept.location.as_deref().unwrap_or_default();
    let mut out = head.write(NOT_KEPT, seal.seals(), 3 + location.len());
    out.extend(kept.status.to_be_bytes());
    out.push(u8::from(kept.location.is_some()));
    out.extend(location);
    seal.close(out, HEAD)
}

/// The value that remembers a generation.
pub(super) fn given_up(id: &RecordId, generation: u64, fingerprint: &Fingerprint) -> Vec<u8> {
    let head = ValueHead {
        id,
        token: &Token::NOBODY,
        generation,
        fingerprint,
    };
    head.write(GIVEN_UP, false, 0)
}

/// The same for a value that cannot be read; `None` if its head cannot be, either.
pub(super) fn given_up_unread(id: &RecordId, bytes: &[u8]) -> Option<Vec<u8>> {
    let (head, _) = split(id, bytes).ok()?;
    let generation = generation_of(head).ok()?;
    let fingerprint = fingerprint_of(head).ok()?;
    Some(given_up(id, generation, &fingerprint))
}

/// Milliseconds, rounded up: nothing is over before its time.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

fn not_kept(plain: &[u8]) -> Result<NotKept, ValueError> {
    let (status, location) = plain.split_at_checked(2).ok_or(ValueError::Malformed)?;
    let location = match location {
        [0] => None,
        [1, location @ ..] => Some(location.to_vec()),
        _ => return Err(ValueError::Malformed),
    };
    let status = u16::from_be_bytes(array(status)?);
    Ok(NotKept::new(status, location))
}

/// Tells the head of this record from what follows it.
fn split<'a>(id: &RecordId, bytes: &'a [u8]) -> Result<(&'a [u8], &'a [u8]), ValueError> {
    match bytes.first() {
        Some(&VERSION) => {}
        Some(&version) => return Err(ValueError::Version(version)),
        None => return Err(ValueError::Malformed),
    }
    let (head, rest) = bytes.split_at_checked(HEAD).ok_or(ValueError::Malformed)?;
    if head[3..35] != *id.as_bytes() {
        return Err(ValueError::OtherRecord);
    }
    Ok((head, rest))
}

fn generation_of(head: &[u8]) -> Result<u64, ValueError> {
    u64_of(&head[51..59])
}

fn fingerprint_of(head: &[u8]) -> Result<Fingerprint, ValueError> {
    Ok(Fingerprint::new(head[59], array(&head[60..92])?))
}

fn u64_of(bytes: &[u8]) -> Result<u64, ValueError> {
    array(bytes).map(u64::from_be_bytes)
}

fn array<const N: usize>(bytes: &[u8]) -> Result<[u8; N], ValueError> {
    bytes.try_into().map_err(|_| ValueError::Malformed)
}

#[cfg(test)]
mod tests {
    use actix_web::http::StatusCode;
    use actix_web::http::header::{ETAG, HeaderName, HeaderValue};

    use super::*;
    use crate::request::short;
    use crate::store::State;

    const ID: RecordId = RecordId::from_bytes([1; 32]);
    const LEASE: Duration = Duration::from_secs(30);
    const DAY: Duration = Duration::from_secs(86_400);

    fn claimed() -> Claim {
        let fingerprint = Fingerprint::new(Fingerprint::BYTES, [2; 32]);
        Claim::new(Token::from_bytes([3; 16]), fingerprint, LEASE, DAY)
    }

    fn answer() -> Finished {
        let tag = [(ETAG, HeaderValue::from_static("a"))];
        let body = Some(Bytes::from_static(b"ok"));
        Finished::Completed(StoredResponse::new(StatusCode::CREATED, tag, body))
    }

    fn write(finished: &Finished, seal: &Seal) -> Vec<u8> {
        let held = held(&ID, &claimed());
        self::finished(&ID, &held, claimed().token(), finished, seal)
    }

    fn read(value: Vec<u8>, seal: &Seal) -> Result<Stored, ValueError> {
        super::read(&ID, value, seal)
    }

    fn finished_of(stored: Stored) -> Option<Finished> {
        match stored.record(0, 0)?.state {
            State::Finished(finished) => Some(finished),
            _ => None,
        }
    }

    fn hex(value: &[u8]) -> String {
        value.chunks(4).map(short).collect()
    }

    /// Frozen with the version: replicas of two versions share a server while one is deployed.
    #[test]
    fn the_stored_form_of_version_1_never_changes() {
        let owner = ["01".repeat(32), "03".repeat(16)].concat();
        let of = |kind, generation, rest: &str| {
            let fingerprint = ["01", &"02".repeat(32)].concat();
            format!("01{kind}00{owner}{generation:016x}{fingerprint}{rest}")
        };
        let (claim_value, px) = claim(&ID, &claimed(), 7);
        assert_eq!(
            hex(&claim_value),
            of("01", 7, "00000000000075300000000005265c00")
        );
        assert_eq!(px, 86_400_000);
        let codec = "010100c900010000000000000002000400000001".to_owned() + "65746167616f6b";
        assert_eq!(
            hex(&write(&answer(), &Seal::default())),
            of("02", 1, &codec)
        );
        let location = Some(b"/1".to_vec());
        let not_kept = Finished::NotKept(NotKept::new(201, location));
        assert_eq!(
            hex(&write(&not_kept, &Seal::default())),
            of("03", 1, "00c9012f31")
        );
        let remembered = hex(&given_up(&ID, 7, claimed().fingerprint()));
        assert_eq!(
            remembered,
            of("04", 7, "").replace(&"03".repeat(16), &"00".repeat(16))
        );
    }

    #[test]
    fn a_value_is_read_as_it_was_written() {
        let not_kept = |location| Finished::NotKept(NotKept::new(204, location));
        for finished in [answer(), not_kept(None), not_kept(Some(Vec::new()))] {
            let stored = read(write(&finished, &Seal::default()), &Seal::default());
            assert_eq!(stored.ok().and_then(finished_of), Some(finished));
        }
        let (value, _) = claim(&ID, &claimed(), 2);
        let stored = read(value.clone(), &Seal::default()).expect("a claim");
        assert_eq!((stored.generation, &stored.bytes[..]), (2, &value[..]));
        assert!(stored.is_held_by(claimed().token()));
    }

    #[test]
    fn what_cannot_be_stored_is_remembered_as_not_kept() {
        let line = (HeaderName::from_static("x"), HeaderValue::from_static(""));
        let lines = std::iter::repeat_n(line, 5_000);
        let long = StoredResponse::new(StatusCode::CREATED, lines, None);
        let stored = read(
            write(&Finished::Completed(long), &Seal::default()),
            &Seal::default(),
        );
        let kept = NotKept::new(201, None);
        assert_eq!(
            stored.ok().and_then(finished_of),
            Some(Finished::NotKept(kept))
        );
    }

    #[test]
    fn what_is_not_the_record_is_an_error() {
        let good = write(&answer(), &Seal::default());
        let error = |value| read(value, &Seal::default()).err();
        for length in 0..good.len() {
            assert!(error(good[..length].to_vec()).is_some(), "{length} octets");
        }
        let with = |at: usize, octet| {
            let mut value = good.clone();
            value[at] = octet;
            error(value)
        };
        assert!(matches!(with(0, 2), Some(ValueError::Version(2))));
        assert!(matches!(with(1, 9), Some(ValueError::Malformed)));
        assert!(matches!(with(2, 1), Some(ValueError::NoKeys)));
        assert!(matches!(with(3, 9), Some(ValueError::OtherRecord)));
        assert!(matches!(with(HEAD, 9), Some(ValueError::Answer(_))));
        assert!(matches!(
            error(b"someone else's".to_vec()),
            Some(ValueError::Version(_))
        ));
    }

    #[test]
    fn a_value_that_cannot_be_read_tells_its_generation_while_its_head_is_whole() {
        let (whole, _) = claim(&ID, &claimed(), 7);
        let remembered = given_up(&ID, 7, claimed().fingerprint());
        assert_eq!(given_up_unread(&ID, &whole), Some(remembered.clone()));
        for length in 0..whole.len() {
            let due = (length >= HEAD).then(|| remembered.clone());
            assert_eq!(given_up_unread(&ID, &whole[..length]), due, "{length}");
        }
        let with = |at: usize, octet| {
            let mut value = whole.clone();
            value[at] = octet;
            given_up_unread(&ID, &value)
        };
        assert_eq!(with(1, 9), Some(remembered.clone()));
        assert_eq!(with(2, 1), Some(remembered));
        // Another version may have another head, and another record another generation.
        assert_eq!(with(0, 2), None);
        assert_eq!(with(3, 9), None);
    }

    #[test]
    fn an_answer_is_told_from_a_claim_that_lost_its_expiry() {
        let held = held(&ID, &claimed());
        let done = read(write(&answer(), &Seal::default()), &Seal::default());
        let done = done.expect("an answer");
        assert_ne!(held.attempt(0), done.attempt(0));
        assert_eq!(done.attempt(0), done.attempt(1_700_000_000_000));
    }

    #[cfg(feature = "encryption")]
    #[test]
    fn a_sealed_answer_is_bound_to_its_head() {
        use super::super::keyring::Keyring;

        let sealing = |keyring| Seal {
            keyring: Some(keyring),
        };
        let seal = sealing(Keyring::new(1, [7; 32]));
        let value = write(&answer(), &seal);
        assert!(!value.windows(2).any(|octets| octets == b"ok"));
        let opened = read(value.clone(), &seal).ok().and_then(finished_of);
        assert_eq!(opened, Some(answer()));
        // Kind, token, generation, fingerprint: whatever of the head is changed, it is not opened.
        for at in [1, 40, 58, 60] {
            let mut moved = value.clone();
            moved[at] ^= 1;
            assert!(
                matches!(read(moved, &seal), Err(ValueError::Seal(_))),
                "{at}"
            );
        }
        assert!(matches!(
            read(value, &Seal::default()),
            Err(ValueError::NoKeys)
        ));
        let plain = write(&answer(), &Seal::default());
        assert!(matches!(
            read(plain.clone(), &seal),
            Err(ValueError::NotSealed)
        ));
        let lenient = sealing(Keyring::new(1, [7; 32]).accept_unsealed(true));
        assert!(read(plain, &lenient).is_ok());
    }
}
