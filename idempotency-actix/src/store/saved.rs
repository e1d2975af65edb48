//! Stored octets of an entry, version 1: written and read. They know no step and no clock.
//!
//! All integers are big-endian.
//!
//! | octets | content |
//! |---|---|
//! | .. | the record, as [`RecordCodec`] writes it |
//! | 8 | when it is over, in nanoseconds since 1970 |
//! | 8 | a claim's last sign of life, in nanoseconds since 1970; else 0 |
//! | 1 | version: 1 |

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actix_web::web::Bytes;

use super::entry::{Entry, EntryState, nanos};
use super::record_error::RecordError;
use super::step::{Change, Saved};
use super::{RecordCodec, RecordId, StoredRecord, StoredState};

const VERSION: u8 = 1;
const TAIL: usize = 17;

/// A change of an entry as one of octets.
pub(super) fn written(codec: &RecordCodec, id: &RecordId, change: Change<Entry>) -> Change {
    match change {
        Change::Nothing => Change::Nothing,
        Change::Save(entry) => Change::Save(write(codec, id, entry)),
        Change::Remove => Change::Remove,
    }
}

/// Writes the octets that [`read`] reads.
fn write(codec: &RecordCodec, id: &RecordId, entry: Entry) -> Saved {
    let state = in_whole_millis(entry.state);
    let (expires, alive_at) = (state.expires(), state.alive_at());
    let unknown_from = state.listed_from().map(time_of_day);
    let state = match state {
        EntryState::Held {
            lease,
            retention,
            description,
            ..
        } => StoredState::Claimed {
            lease: Duration::from_nanos(lease),
            retention: Duration::from_nanos(retention),
            description,
        },
        EntryState::Finished { finished, .. } => StoredState::Finished(finished),
        EntryState::GivenUp { .. } => StoredState::GivenUp,
    };
    let record = StoredRecord::new(entry.owner, entry.generation, entry.fingerprint, state);
    let mut octets = codec.encode(id, &record);
    octets.reserve_exact(TAIL);
    octets.extend(expires.to_be_bytes());
    octets.extend(alive_at.to_be_bytes());
    octets.push(VERSION);
    Saved {
        octets,
        expires: time_of_day(expires),
        unknown_from,
    }
}

/// Reads octets that must be the entry of this id; an answer in plain is a slice of them.
pub(super) fn read(
    codec: &RecordCodec,
    id: &RecordId,
    octets: &Bytes,
) -> Result<Entry, RecordError> {
    let Tail {
        start,
        expires,
        alive_at,
    } = Tail::of(octets)?;
    let record = codec.decode(id, octets.slice(..start))?;
    let state = match record.state {
        StoredState::Claimed {
            lease,
            retention,
            description,
        } => EntryState::Held {
            lease: nanos(lease),
            retention: nanos(retention),
            alive_at,
            description,
        },
        StoredState::Finished(finished) => EntryState::Finished { finished, expires },
        StoredState::GivenUp => EntryState::GivenUp { expires },
    };
    Ok(Entry {
        owner: record.token,
        generation: record.generation,
        fingerprint: record.fingerprint,
        state,
    })
}

/// What remembers the generation of octets that cannot be read, for as long as they had left and for the shortest
/// retention at least; `None` if they do not tell whose they are.
pub(super) fn unread(id: &RecordId, octets: &[u8]) -> Option<Entry> {
    let Tail { start, expires, .. } = Tail::of(octets).ok()?;
    let record = RecordCodec::given_up_unread(id, &octets[..start])?;
    Some(Entry {
        owner: record.token,
        generation: record.generation,
        fingerprint: record.fingerprint,
        state: EntryState::GivenUp { expires },
    })
}

struct Tail {
    start: usize,
    expires: u64,
    alive_at: u64,
}

impl Tail {
    fn of(octets: &[u8]) -> Result<Self, RecordError> {
        let start = octets.len().checked_sub(TAIL);
        let start = start.ok_or(RecordError::Malformed)?;
        let (times, version) = octets[start..].split_at(TAIL - 1);
        if version != [VERSION] {
            return Err(RecordError::Version(version[0]));
        }
        let time = |octets: &[u8]| octets.iter().fold(0, |time, &it| time << 8 | u64::from(it));
        Ok(Self {
            start,
            expires: time(&times[..8]),
            alive_at: time(&times[8..]),
        })
    }
}

/// A claim as it is read again: the form has its times in milliseconds, rounded up.
fn in_whole_millis(mut state: EntryState) -> EntryState {
    const MILLI: u64 = 1_000_000;
    if let EntryState::Held {
        lease, retention, ..
    } = &mut state
    {
        for time in [lease, retention] {
            *time = time.div_ceil(MILLI).saturating_mul(MILLI);
        }
    }
    state
}

pub(super) fn time_of_day(nanos: u64) -> SystemTime {
    let since = Duration::from_nanos(nanos);
    UNIX_EPOCH.checked_add(since).unwrap_or(UNIX_EPOCH)
}
