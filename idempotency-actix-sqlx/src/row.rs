//! A row of the table, and what a reader sees of it by the database's clock. It knows no statement.
//!
//! Times are microseconds since 1970, durations are microseconds.

use std::time::UNIX_EPOCH;

use actix_web::http::Method;
use idempotency_actix::store::{
    AttemptId, Description, Fingerprint, Finished, Record, RecordCodec, RecordId, State,
    StoredRecord, StoredState, Token,
};
use sqlx::{ColumnIndex, Decode, Type};

use crate::conditions::{ANSWER, CLAIM, GIVEN_UP, NOT_KEPT};
use crate::failure::{Failure, Trouble};
use crate::values::duration;

/// The columns in the order in which [`Row::read`] takes them; the time of the read comes first.
pub(crate) const COLUMNS: &str = "kind, token, generation, fingerprint, lease, retention, seen, expires, answer, begun, method, route, label";

/// A row as it stands in the table, with the time at which it was read.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) now: i64,
    pub(crate) kind: i32,
    pub(crate) token: Vec<u8>,
    pub(crate) generation: i64,
    pub(crate) fingerprint: Vec<u8>,
    pub(crate) lease: Option<i64>,
    pub(crate) retention: Option<i64>,
    pub(crate) seen: i64,
    pub(crate) expires: i64,
    pub(crate) answer: Option<Vec<u8>>,
    pub(crate) begun: i64,
    pub(crate) method: Option<String>,
    pub(crate) route: Option<String>,
    pub(crate) label: Option<String>,
}

impl Row {
    /// Takes the time and the columns from this one on.
    pub(crate) fn read<R: sqlx::Row>(row: &R, from: usize) -> Result<Self, sqlx::Error>
    where
        usize: ColumnIndex<R>,
        for<'r> i32: Decode<'r, R::Database> + Type<R::Database>,
        for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
        for<'r> Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
        for<'r> Option<i64>: Decode<'r, R::Database> + Type<R::Database>,
        for<'r> Option<Vec<u8>>: Decode<'r, R::Database> + Type<R::Database>,
        for<'r> Option<String>: Decode<'r, R::Database> + Type<R::Database>,
    {
        Ok(Self {
            now: row.try_get(from)?,
            kind: row.try_get(from + 1)?,
            token: row.try_get(from + 2)?,
            generation: row.try_get(from + 3)?,
            fingerprint: row.try_get(from + 4)?,
            lease: row.try_get(from + 5)?,
            retention: row.try_get(from + 6)?,
            seen: row.try_get(from + 7)?,
            expires: row.try_get(from + 8)?,
            answer: row.try_get(from + 9)?,
            begun: row.try_get(from + 10)?,
            method: row.try_get(from + 11)?,
            route: row.try_get(from + 12)?,
            label: row.try_get(from + 13)?,
        })
    }

    /// The same with the row's id behind it.
    pub(crate) fn read_named<R: sqlx::Row>(row: &R) -> Result<(Vec<u8>, Self), sqlx::Error>
    where
        usize: ColumnIndex<R>,
        for<'r> i32: Decode<'r, R::Database> + Type<R::Database>,
        for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
        for<'r> Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
        for<'r> Option<i64>: Decode<'r, R::Database> + Type<R::Database>,
        for<'r> Option<Vec<u8>>: Decode<'r, R::Database> + Type<R::Database>,
        for<'r> Option<String>: Decode<'r, R::Database> + Type<R::Database>,
    {
        Ok((row.try_get(14)?, Self::read(row, 0)?))
    }

    /// Makes sense of the row; `None` if its time is over.
    pub(crate) fn parse(
        self,
        id: &RecordId,
        codec: &RecordCodec,
    ) -> Result<Option<Parsed>, Failure> {
        let parsed = match self.kind {
            ANSWER | NOT_KEPT | GIVEN_UP if self.expires <= self.now => return Ok(None),
            CLAIM => {
                let lease = positive(self.lease)?;
                let retention = positive(self.retention)?;
                let quiet = self.now.saturating_sub(self.seen);
                if quiet >= lease && quiet >= retention {
                    return Ok(None);
                }
                let is_lapsed = quiet >= lease;
                Progress::Held {
                    lease,
                    retention,
                    is_lapsed,
                }
            }
            GIVEN_UP => Progress::GivenUp,
            ANSWER | NOT_KEPT => {
                let stored = self.answer.clone().ok_or_else(malformed)?;
                let stored = codec.decode(id, stored.into());
                let stored = stored.map_err(|error| Failure::Unreadable(error.into()))?;
                self.finished(stored)?
            }
            _ => return Err(malformed()),
        };
        let token = <[u8; 16]>::try_from(&self.token[..]).map_err(|_| malformed())?;
        Ok(Some(Parsed {
            token: Token::from_bytes(token),
            generation: self.readable_generation().ok_or_else(malformed)?,
            fingerprint: self.readable_fingerprint().ok_or_else(malformed)?,
            progress: parsed,
            row: self,
        }))
    }

    /// The answer in the row is the row's own: what is said outside of it may have been changed.
    fn finished(&self, stored: StoredRecord) -> Result<Progress, Failure> {
        let kind = match &stored.state {
            StoredState::Finished(Finished::Completed(_)) => ANSWER,
            StoredState::Finished(_) => NOT_KEPT,
            _ => return Err(malformed()),
        };
        let is_own = kind == self.kind
            && stored.token.as_bytes()[..] == self.token
            && i64::try_from(stored.generation) == Ok(self.generation)
            && Some(stored.fingerprint) == self.readable_fingerprint();
        match stored.state {
            StoredState::Finished(finished) if is_own => Ok(Progress::Finished(finished)),
            _ => Err(malformed()),
        }
    }

    /// The generation, where the row tells one.
    pub(crate) fn readable_generation(&self) -> Option<u64> {
        let generation = u64::try_from(self.generation).ok();
        generation.filter(|generation| *generation > 0)
    }

    pub(crate) fn readable_fingerprint(&self) -> Option<Fingerprint> {
        let (scheme, digest) = self.fingerprint.split_first()?;
        Some(Fingerprint::new(*scheme, digest.try_into().ok()?))
    }

    /// What an operator may know of the claim; the database tells its time.
    fn description(&self) -> Option<Description> {
        let method = Method::from_bytes(self.method.as_deref()?.as_bytes()).ok()?;
        let begun = UNIX_EPOCH + duration(self.begun);
        let description = Description::new(method, self.route.as_deref(), begun);
        Some(match &self.label {
            Some(label) => description.with_label(label),
            None => description,
        })
    }

    /// How long the row would have been kept, from now.
    pub(crate) fn left(&self) -> i64 {
        self.expires.saturating_sub(self.now)
    }
}

fn malformed() -> Failure {
    Failure::Unreadable(Trouble::Malformed.into())
}

fn positive(time: Option<i64>) -> Result<i64, Failure> {
    time.filter(|time| *time >= 0).ok_or_else(malformed)
}

/// A row that is a record whose time is not over.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) token: Token,
    pub(crate) generation: u64,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) progress: Progress,
    pub(crate) row: Row,
}

/// How far the operation came.
#[derive(Debug)]
pub(crate) enum Progress {
    Held {
        lease: i64,
        retention: i64,
        is_lapsed: bool,
    },
    Finished(Finished),
    /// Absent to every reader; remembers the generation.
    GivenUp,
}

impl Parsed {
    pub(crate) fn is_held_by(&self, token: &Token) -> bool {
        matches!(self.progress, Progress::Held { .. }) && self.token == *token
    }

    /// The attempt. A claim's last sign of life tells its signs of life apart, and a finished record shows none.
    pub(crate) fn attempt(&self) -> AttemptId {
        let pulse = match self.progress {
            Progress::Held { .. } => u64::try_from(self.row.seen).unwrap_or(0).max(1),
            Progress::Finished(_) | Progress::GivenUp => 0,
        };
        AttemptId::new(&self.token, self.generation, pulse)
    }

    /// What a reader sees.
    pub(crate) fn record(self) -> Option<Record> {
        let attempt = self.attempt();
        let (state, description) = match self.progress {
            Progress::GivenUp => return None,
            Progress::Finished(finished) => (State::Finished(finished), None),
            Progress::Held {
                lease, is_lapsed, ..
            } => {
                let lease = duration(lease);
                let state = match is_lapsed {
                    true => State::Unknown { lease },
                    false => State::InFlight,
                };
                (state, self.row.description())
            }
        };
        let record = Record::new(attempt, self.fingerprint, state);
        Some(record.described(description))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: RecordId = RecordId::from_bytes([1; 32]);
    const LEASE: i64 = 30;
    const RETENTION: i64 = 90;

    /// A claim that showed a sign of life at 1,000, read so much later.
    fn claim(later: i64) -> Row {
        Row {
            now: 1_000 + later,
            kind: CLAIM,
            token: vec![3; 16],
            generation: 1,
            fingerprint: vec![1; 33],
            lease: Some(LEASE),
            retention: Some(RETENTION),
            seen: 1_000,
            expires: 1_000 + RETENTION,
            answer: None,
            begun: 900,
            method: Some("POST".to_owned()),
            route: None,
            label: None,
        }
    }

    /// `None` is absent.
    fn is_lapsed(row: Row) -> Option<bool> {
        let parsed = row.parse(&ID, &RecordCodec::plain()).expect("a record");
        match parsed?.progress {
            Progress::Held { is_lapsed, .. } => Some(is_lapsed),
            other => panic!("{other:?} is no claim"),
        }
    }

    #[test]
    fn a_claim_is_in_flight_then_unknown_then_over() {
        let due = [
            (0, Some(false)),
            (LEASE - 1, Some(false)),
            (LEASE, Some(true)),
            (RETENTION - 1, Some(true)),
            (RETENTION, None),
            // A clock that was set back.
            (-500, Some(false)),
        ];
        for (later, due) in due {
            assert_eq!(is_lapsed(claim(later)), due, "{later}");
        }
    }

    #[test]
    fn a_claim_in_flight_outlives_its_retention_and_its_place_in_the_index() {
        let long = |later| Row {
            lease: Some(10 * RETENTION),
            ..claim(later)
        };
        assert_eq!(is_lapsed(long(2 * RETENTION)), Some(false));
        assert_eq!(is_lapsed(long(10 * RETENTION)), None);
    }

    #[test]
    fn what_remembers_a_generation_is_over_when_it_expires() {
        let row = |later| Row {
            kind: GIVEN_UP,
            ..claim(later)
        };
        let parse = |row: Row| row.parse(&ID, &RecordCodec::plain()).expect("a record");
        assert!(parse(row(RETENTION - 1)).is_some());
        assert!(parse(row(RETENTION)).is_none());
    }

    #[test]
    fn what_is_no_record_of_ours_is_never_absent() {
        let later = 100 * RETENTION;
        let unreadable = |row: Row| row.parse(&ID, &RecordCodec::plain()).is_err();
        assert!(unreadable(Row {
            kind: 9,
            ..claim(later)
        }));
        assert!(unreadable(Row {
            lease: None,
            ..claim(0)
        }));
        assert!(unreadable(Row {
            lease: Some(-1),
            ..claim(0)
        }));
        assert!(unreadable(Row {
            token: vec![3; 15],
            ..claim(0)
        }));
        assert!(unreadable(Row {
            generation: 0,
            ..claim(0)
        }));
        assert!(unreadable(Row {
            fingerprint: Vec::new(),
            ..claim(0)
        }));
    }
}
