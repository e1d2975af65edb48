//! Stored octets of a record, version 1: written and read. They know no server and no clock.
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
//! | .. | claim: lease and retention in milliseconds, 8 octets each, then its description, if there is one |
//! | .. | description: the time in milliseconds since 1970, 8 octets; then method, route pattern and label, each behind |
//! |    | its length and 1, in 2 octets, or 0 where it has none |
//! | .. | answer: the codec of [`StoredResponse`] |
//! | .. | not kept: 2 octets of status, 1 if there is a location and else 0, the location |

use std::time::{Duration, UNIX_EPOCH};

use actix_web::http::Method;
use actix_web::web::Bytes;

#[cfg(feature = "encryption")]
use super::keyring::Keyring;
use super::record_error::RecordError;
use super::seal::{Seal, Unsealed};
use super::{Claim, Description, Fingerprint, Finished, NotKept, RecordId, StoredResponse, Token};

const VERSION: u8 = 1;
const HEAD: usize = 92;

const CLAIM: u8 = 1;
const ANSWER: u8 = 2;
const NOT_KEPT: u8 = 3;
const GIVEN_UP: u8 = 4;

/// The versioned binary form of a record, for stores whose records outlive a process.
///
/// A value names its version and the record that it is, and is read as that record only. With a
/// [keyring](Self::sealed) what follows its head is sealed, bound to the head: an answer cannot be moved under another
/// record, owner, generation or fingerprint. The form is frozen with its version.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use actix_web::web::Bytes;
/// use idempotency_actix::store::{
///     Claim, Fingerprint, RecordCodec, RecordError, RecordId, StoredRecord, Token,
/// };
///
/// let fingerprint = Fingerprint::new(Fingerprint::BYTES, [2; 32]);
/// let (lease, retention) = (Duration::from_secs(30), Duration::from_secs(86_400));
/// let claim = Claim::new(Token::random(), fingerprint, lease, retention);
///
/// let codec = RecordCodec::plain();
/// let id = RecordId::from_bytes([1; 32]);
/// let value = Bytes::from(codec.encode(&id, &StoredRecord::claimed(&claim)));
/// assert_eq!(codec.decode(&id, value.clone())?, StoredRecord::claimed(&claim));
///
/// let other = RecordId::from_bytes([9; 32]);
/// assert!(matches!(codec.decode(&other, value), Err(RecordError::OtherRecord)));
/// # Ok::<(), RecordError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct RecordCodec {
    seal: Seal,
}

/// A record as it is stored. What a reader sees of it depends on the store's clock as well.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredRecord {
    /// Whose record it is.
    pub token: Token,
    /// The fencing generation.
    pub generation: u64,
    /// What the request was.
    pub fingerprint: Fingerprint,
    /// How far the operation came.
    pub state: StoredState,
}

/// How far an operation came, as far as stored octets tell.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoredState {
    /// In flight or unknown: the store's clock says which. Both times are stored in milliseconds, rounded up.
    Claimed {
        /// How long the claim is believed alive without renewal.
        lease: Duration,
        /// How long it is kept from its last sign of life.
        retention: Duration,
        /// What an operator may know of it.
        description: Option<Description>,
    },
    /// Done.
    Finished(Finished),
    /// Absent to every reader; remembers the generation.
    GivenUp,
}

impl StoredRecord {
    /// A record of that owner.
    pub fn new(
        token: Token,
        generation: u64,
        fingerprint: Fingerprint,
        state: StoredState,
    ) -> Self {
        Self {
            token,
            generation,
            fingerprint,
            state,
        }
    }

    /// The record that a granted claim is.
    pub fn claimed(claim: &Claim) -> Self {
        let (lease, retention) = (claim.lease(), claim.retention());
        let state = StoredState::Claimed {
            lease,
            retention,
            description: claim.description().cloned(),
        };
        Self::new(
            *claim.token(),
            claim.generation(),
            *claim.fingerprint(),
            state,
        )
    }

    /// The record that remembers a generation.
    pub fn given_up(generation: u64, fingerprint: Fingerprint) -> Self {
        Self::new(Token::NOBODY, generation, fingerprint, StoredState::GivenUp)
    }
}

impl RecordCodec {
    /// Answers in plain. Sealed ones are not read.
    pub fn plain() -> Self {
        Self::default()
    }

    /// Answers sealed by these keys. Whether ones in plain are read is up to the keyring.
    #[cfg(feature = "encryption")]
    #[cfg_attr(docsrs, doc(cfg(feature = "encryption")))]
    pub fn sealed(keyring: Keyring) -> Self {
        let keyring = Some(keyring);
        Self {
            seal: Seal { keyring },
        }
    }

    /// Writes the form that [`decode`](Self::decode) reads.
    ///
    /// An answer that does not fit it ([`StoredResponse::encode`]) is written as one that was not kept.
    pub fn encode(&self, id: &RecordId, record: &StoredRecord) -> Vec<u8> {
        let head = Head { id, record };
        match &record.state {
            StoredState::Claimed {
                lease,
                retention,
                description,
            } => {
                let described = description.as_ref().map_or(0, described_len);
                let mut out = head.write(CLAIM, false, 16 + described);
                out.extend(millis(*lease).to_be_bytes());
                out.extend(millis(*retention).to_be_bytes());
                if let Some(description) = description {
                    describe(description, &mut out);
                }
                out
            }
            StoredState::Finished(Finished::Completed(response)) => {
                let mut out = head.write(ANSWER, self.seal.seals(), response.encoded_len());
                match response.encode_into(&mut out) {
                    Ok(()) => self.seal.close(out, HEAD),
                    Err(_) => self.encode_not_kept(&head, &response.not_kept()),
                }
            }
            StoredState::Finished(Finished::NotKept(kept)) => self.encode_not_kept(&head, kept),
            StoredState::GivenUp => head.write(GIVEN_UP, false, 0),
        }
    }

    fn encode_not_kept(&self, head: &Head<'_>, kept: &NotKept) -> Vec<u8> {
        let location = kept.location.as_deref().unwrap_or_default();
        let mut out = head.write(NOT_KEPT, self.seal.seals(), 3 + location.len());
        out.extend(kept.status.to_be_bytes());
        out.push(u8::from(kept.location.is_some()));
        out.extend(location);
        self.seal.close(out, HEAD)
    }

    /// Reads a value that must be the record of this id; an answer in plain is a slice of it, not a copy.
    ///
    /// # Errors
    ///
    /// Anything that is not exactly one record of a known version and of this id, or that is sealed otherwise than
    /// asked for. Nothing is allocated for a length that the input does not have.
    pub fn decode(&self, id: &RecordId, value: Bytes) -> Result<StoredRecord, RecordError> {
        let (head, rest) = split(id, &value)?;
        let state = match (head[1], head[2]) {
            (CLAIM, 0) => {
                let (times, rest) = rest.split_at_checked(16).ok_or(RecordError::Malformed)?;
                let (lease, retention) = times.split_at(8);
                StoredState::Claimed {
                    lease: Duration::from_millis(u64_of(lease)?),
                    retention: Duration::from_millis(u64_of(retention)?),
                    description: description_of(rest)?,
                }
            }
            (kind @ (ANSWER | NOT_KEPT), sealed @ (0 | 1)) => {
                let plain = match self.seal.open(head, rest, sealed == 1)? {
                    Unsealed::AsIs => value.slice(HEAD..),
                    Unsealed::Opened(plain) => Bytes::from(plain),
                };
                StoredState::Finished(match kind {
                    ANSWER => Finished::Completed(StoredResponse::decode(plain)?),
                    _ => Finished::NotKept(not_kept(&plain)?),
                })
            }
            (GIVEN_UP, 0) if rest.is_empty() => StoredState::GivenUp,
            _ => return Err(RecordError::Malformed),
        };
        let token = Token::from_bytes(array(&head[35..51])?);
        let fingerprint = fingerprint_of(head)?;
        Ok(StoredRecord::new(
            token,
            generation_of(head)?,
            fingerprint,
            state,
        ))
    }

    /// The record that remembers the generation of a value that cannot be read; `None` if its head cannot be, either.
    pub(super) fn given_up_unread(id: &RecordId, value: &[u8]) -> Option<StoredRecord> {
        let (head, _) = split(id, value).ok()?;
        let generation = generation_of(head).ok()?;
        Some(StoredRecord::given_up(
            generation,
            fingerprint_of(head).ok()?,
        ))
    }
}

/// The head of a value: whose record it is.
struct Head<'a> {
    id: &'a RecordId,
    record: &'a StoredRecord,
}

impl Head<'_> {
    fn write(&self, kind: u8, is_sealed: bool, room: usize) -> Vec<u8> {
        let record = self.record;
        let mut out = Vec::with_capacity(HEAD + room);
        out.extend([VERSION, kind, u8::from(is_sealed)]);
        out.extend(self.id.as_bytes());
        out.extend(record.token.as_bytes());
        out.extend(record.generation.to_be_bytes());
        out.push(record.fingerprint.scheme());
        out.extend(record.fingerprint.digest());
        out
    }
}

/// Milliseconds, rounded up: nothing is over before its time.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

fn not_kept(plain: &[u8]) -> Result<NotKept, RecordError> {
    let (status, location) = plain.split_at_checked(2).ok_or(RecordError::Malformed)?;
    let location = match location {
        [0] => None,
        [1, location @ ..] => Some(location.to_vec()),
        _ => return Err(RecordError::Malformed),
    };
    let status = u16::from_be_bytes(array(status)?);
    Ok(NotKept::new(status, location))
}

fn described_len(description: &Description) -> usize {
    let texts = [
        description.method().as_str(),
        description.route().unwrap_or_default(),
        description.label().unwrap_or_default(),
    ];
    14 + texts.iter().map(|text| text.len()).sum::<usize>()
}

fn describe(description: &Description, out: &mut Vec<u8>) {
    let since = description.asked_at().duration_since(UNIX_EPOCH);
    out.extend(millis(since.unwrap_or_default()).to_be_bytes());
    let method = Some(description.method().as_str());
    for text in [method, description.route(), description.label()] {
        // A method longer than that is no claim's, and cannot be read again.
        let length = text.map_or(0, |text| u16::try_from(text.len() + 1).unwrap_or(u16::MAX));
        out.extend(length.to_be_bytes());
        out.extend_from_slice(text.unwrap_or_default().as_bytes());
    }
}

fn description_of(rest: &[u8]) -> Result<Option<Description>, RecordError> {
    if rest.is_empty() {
        return Ok(None);
    }
    let malformed = RecordError::Malformed;
    let (asked_at, rest) = rest.split_at_checked(8).ok_or(malformed)?;
    let asked_at = Duration::from_millis(u64_of(asked_at)?);
    let asked_at = UNIX_EPOCH.checked_add(asked_at);
    let (method, rest) = text_of(rest)?;
    let (route, rest) = text_of(rest)?;
    let (label, rest) = text_of(rest)?;
    let method = method.and_then(|method| Method::from_bytes(method.as_bytes()).ok());
    let (Some(method), Some(asked_at), []) = (method, asked_at, rest) else {
        return Err(RecordError::Malformed);
    };
    let description = Description::new(method, route, asked_at);
    Ok(Some(match label {
        Some(label) => description.with_label(label),
        None => description,
    }))
}

/// A text behind its length, and what follows it.
fn text_of(bytes: &[u8]) -> Result<(Option<&str>, &[u8]), RecordError> {
    let (length, rest) = bytes.split_at_checked(2).ok_or(RecordError::Malformed)?;
    let Some(length) = u16::from_be_bytes(array(length)?).checked_sub(1) else {
        return Ok((None, rest));
    };
    let text = rest.split_at_checked(length.into());
    let (text, rest) = text.ok_or(RecordError::Malformed)?;
    let text = str::from_utf8(text).map_err(|_| RecordError::Malformed)?;
    Ok((Some(text), rest))
}

/// Tells the head of this record from what follows it.
fn split<'a>(id: &RecordId, bytes: &'a [u8]) -> Result<(&'a [u8], &'a [u8]), RecordError> {
    match bytes.first() {
        Some(&VERSION) => {}
        Some(&version) => return Err(RecordError::Version(version)),
        None => return Err(RecordError::Malformed),
    }
    let (head, rest) = bytes.split_at_checked(HEAD).ok_or(RecordError::Malformed)?;
    if head[3..35] != *id.as_bytes() {
        return Err(RecordError::OtherRecord);
    }
    Ok((head, rest))
}

fn generation_of(head: &[u8]) -> Result<u64, RecordError> {
    u64_of(&head[51..59])
}

fn fingerprint_of(head: &[u8]) -> Result<Fingerprint, RecordError> {
    Ok(Fingerprint::new(head[59], array(&head[60..92])?))
}

fn u64_of(bytes: &[u8]) -> Result<u64, RecordError> {
    array(bytes).map(u64::from_be_bytes)
}

fn array<const N: usize>(bytes: &[u8]) -> Result<[u8; N], RecordError> {
    bytes.try_into().map_err(|_| RecordError::Malformed)
}

#[cfg(test)]
mod tests {
    use actix_web::http::StatusCode;
    use actix_web::http::header::{ETAG, HeaderName, HeaderValue};

    use super::*;
    use crate::request::short;

    const ID: RecordId = RecordId::from_bytes([1; 32]);
    const LEASE: Duration = Duration::from_secs(30);
    const DAY: Duration = Duration::from_secs(86_400);

    fn claimed() -> Claim {
        let fingerprint = Fingerprint::new(Fingerprint::BYTES, [2; 32]);
        Claim::new(Token::from_bytes([3; 16]), fingerprint, LEASE, DAY)
    }

    fn claim(generation: u64) -> StoredRecord {
        StoredRecord::claimed(&claimed().with_generation(generation))
    }

    fn described_claim() -> StoredRecord {
        let time = UNIX_EPOCH + Duration::from_millis(1_700_000_000_000);
        let description = Description::new(Method::POST, Some("/{}"), time).with_label("x");
        StoredRecord::claimed(&claimed().described(description))
    }

    fn done(finished: &Finished) -> StoredRecord {
        let state = StoredState::Finished(finished.clone());
        StoredRecord { state, ..claim(1) }
    }

    fn given_up() -> StoredRecord {
        StoredRecord::given_up(7, *claimed().fingerprint())
    }

    fn answer() -> Finished {
        let tag = [(ETAG, HeaderValue::from_static("a"))];
        let body = Some(Bytes::from_static(b"ok"));
        Finished::Completed(StoredResponse::new(StatusCode::CREATED, tag, body))
    }

    fn write(record: &StoredRecord) -> Vec<u8> {
        RecordCodec::plain().encode(&ID, record)
    }

    fn read(value: Vec<u8>) -> Result<StoredRecord, RecordError> {
        RecordCodec::plain().decode(&ID, value.into())
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
        let times = "00000000000075300000000005265c00";
        assert_eq!(hex(&write(&claim(7))), of("01", 7, times));
        let described = format!("{times}0000018bcfe568000005504f535400042f7b7d000278");
        assert_eq!(hex(&write(&described_claim())), of("01", 1, &described));
        let codec = "010100c900010000000000000002000400000001".to_owned() + "65746167616f6b";
        assert_eq!(hex(&write(&done(&answer()))), of("02", 1, &codec));
        let location = Some(b"/1".to_vec());
        let not_kept = Finished::NotKept(NotKept::new(201, location));
        assert_eq!(hex(&write(&done(&not_kept))), of("03", 1, "00c9012f31"));
        let remembered = hex(&write(&given_up()));
        assert_eq!(
            remembered,
            of("04", 7, "").replace(&"03".repeat(16), &"00".repeat(16))
        );
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let not_kept = |location| done(&Finished::NotKept(NotKept::new(204, location)));
        for record in [
            claim(2),
            described_claim(),
            done(&answer()),
            not_kept(None),
            not_kept(Some(Vec::new())),
            given_up(),
        ] {
            assert_eq!(read(write(&record)).ok(), Some(record));
        }
    }

    #[test]
    fn what_cannot_be_stored_is_remembered_as_not_kept() {
        let line = (HeaderName::from_static("x"), HeaderValue::from_static(""));
        let lines = std::iter::repeat_n(line, 5_000);
        let long = StoredResponse::new(StatusCode::CREATED, lines, None);
        let stored = read(write(&done(&Finished::Completed(long))));
        let kept = done(&Finished::NotKept(NotKept::new(201, None)));
        assert_eq!(stored.ok(), Some(kept));
    }

    #[test]
    fn what_is_not_the_record_is_an_error() {
        let good = write(&done(&answer()));
        let error = |value| read(value).err();
        for length in 0..good.len() {
            assert!(error(good[..length].to_vec()).is_some(), "{length} octets");
        }
        let with = |at: usize, octet| {
            let mut value = good.clone();
            value[at] = octet;
            error(value)
        };
        assert!(matches!(with(0, 2), Some(RecordError::Version(2))));
        assert!(matches!(with(1, 9), Some(RecordError::Malformed)));
        assert!(matches!(with(2, 1), Some(RecordError::NoKeys)));
        assert!(matches!(with(3, 9), Some(RecordError::OtherRecord)));
        assert!(matches!(with(HEAD, 9), Some(RecordError::Answer(_))));
        assert!(matches!(
            error(b"someone else's".to_vec()),
            Some(RecordError::Version(_))
        ));
    }

    #[test]
    fn a_value_that_cannot_be_read_tells_its_generation_while_its_head_is_whole() {
        let whole = write(&claim(7));
        let remembered = Some(given_up());
        for length in 0..whole.len() {
            let due = remembered.clone().filter(|_| length >= HEAD);
            assert_eq!(
                RecordCodec::given_up_unread(&ID, &whole[..length]),
                due,
                "{length}"
            );
        }
        let with = |at: usize, octet| {
            let mut value = whole.clone();
            value[at] = octet;
            RecordCodec::given_up_unread(&ID, &value)
        };
        assert_eq!(with(1, 9), remembered);
        assert_eq!(with(2, 1), remembered);
        // Another version may have another head, and another record another generation.
        assert_eq!(with(0, 2), None);
        assert_eq!(with(3, 9), None);
    }

    #[cfg(feature = "encryption")]
    #[test]
    fn a_sealed_answer_is_bound_to_its_head() {
        let codec = RecordCodec::sealed(Keyring::new(1, [7; 32]));
        let value = codec.encode(&ID, &done(&answer()));
        assert!(!value.windows(2).any(|octets| octets == b"ok"));
        let opened = codec.decode(&ID, value.clone().into());
        assert_eq!(opened.ok(), Some(done(&answer())));
        // Kind, token, generation, fingerprint: whatever of the head is changed, it is not opened.
        for at in [1, 40, 58, 60] {
            let mut moved = value.clone();
            moved[at] ^= 1;
            assert!(
                matches!(codec.decode(&ID, moved.into()), Err(RecordError::Sealed(_))),
                "{at}"
            );
        }
        assert!(matches!(read(value), Err(RecordError::NoKeys)));
        let plain = write(&done(&answer()));
        assert!(matches!(
            codec.decode(&ID, plain.clone().into()),
            Err(RecordError::NotSealed)
        ));
        let lenient = Keyring::new(1, [7; 32]).accept_unsealed(true);
        assert!(
            RecordCodec::sealed(lenient)
                .decode(&ID, plain.into())
                .is_ok()
        );
    }
}
