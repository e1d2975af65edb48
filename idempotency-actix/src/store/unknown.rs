//! What a store lists for operators: claims whose owner is gone, page by page. It knows no store.

use std::error::Error;
use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{AttemptId, Description, RecordId, StoreError};

/// An operation of which nobody can tell whether it happened: its claim lapsed, and no answer came.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownOutcome {
    /// The record.
    pub id: RecordId,
    /// The attempt that was seen, which a verdict is about.
    pub attempt: AttemptId,
    /// What an operator may know of it.
    pub description: Description,
    /// The owner's last sign of life, as a time of day.
    pub last_seen: SystemTime,
    /// The claim's lease: the outcome is unknown since so long after `last_seen`.
    pub lease: Duration,
}

impl UnknownOutcome {
    /// A claim as a store found it.
    pub fn new(
        id: RecordId,
        attempt: AttemptId,
        description: Description,
        last_seen: SystemTime,
        lease: Duration,
    ) -> Self {
        Self {
            id,
            attempt,
            description,
            last_seen,
            lease,
        }
    }

    /// Since when the outcome is unknown.
    pub fn since(&self) -> SystemTime {
        self.last_seen
            .checked_add(self.lease)
            .unwrap_or(self.last_seen)
    }

    /// Its place among others: its last sign of life in nanoseconds since 1970, and its id.
    fn place(&self) -> (u64, RecordId) {
        let since = self.last_seen.duration_since(UNIX_EPOCH);
        let nanos = since.unwrap_or_default().as_nanos();
        (u64::try_from(nanos).unwrap_or(u64::MAX), self.id)
    }
}

/// Answer to [`Store::unknown`](super::Store::unknown).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page {
    /// What was found; where there is a next page perhaps nothing.
    pub outcomes: Vec<UnknownOutcome>,
    /// Where the next page begins; `None` if this is the last one.
    pub next: Option<Cursor>,
}

impl Page {
    /// Those outcomes, and where the next page begins.
    pub fn new(outcomes: Vec<UnknownOutcome>, next: Option<Cursor>) -> Self {
        Self { outcomes, next }
    }

    /// The page behind a cursor, of all outcomes that are unknown, for stores that look at all their claims in flight in
    /// one call. The oldest come first.
    ///
    /// # Errors
    ///
    /// The cursor is another store's, which is [`StoreError::refused`].
    pub fn of_all(
        outcomes: impl IntoIterator<Item = UnknownOutcome>,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Self, StoreError> {
        let after = after.map(Cursor::time_and_id).transpose();
        let after = after.map_err(StoreError::refused)?;
        let is_behind = |it: &UnknownOutcome| after.is_none_or(|after| it.place() > after);
        let mut outcomes: Vec<_> = outcomes.into_iter().filter(is_behind).collect();
        outcomes.sort_unstable_by_key(UnknownOutcome::place);
        let is_last = outcomes.len() <= limit;
        outcomes.truncate(limit);
        let last = outcomes.last().filter(|_| !is_last);
        let next = last.map(|last| Cursor::behind(last.place().0, &last.id));
        Ok(Self { outcomes, next })
    }
}

/// Where a listing goes on. Its text is the store's own, and fits into a URL as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(Box<str>);

impl Cursor {
    /// A cursor of that text.
    ///
    /// # Errors
    ///
    /// A text that is empty, longer than 8 KiB, or has anything in it but ASCII letters, digits and `-_.~:`.
    pub fn new(text: &str) -> Result<Self, ParseCursorError> {
        let is_good = |b: u8| b.is_ascii_alphanumeric() || b"-_.~:".contains(&b);
        match (1..=8_192).contains(&text.len()) && text.bytes().all(is_good) {
            true => Ok(Self(text.into())),
            false => Err(ParseCursorError(())),
        }
    }

    /// The place behind that record, for stores that list by a time and an id.
    pub fn behind(time: u64, id: &RecordId) -> Self {
        Self(format!("{time}.{id}").into())
    }

    /// What [`behind`](Self::behind) was given.
    ///
    /// # Errors
    ///
    /// It is another store's.
    pub fn time_and_id(&self) -> Result<(u64, RecordId), ParseCursorError> {
        let read = || {
            let (time, id) = self.0.split_once('.')?;
            Some((time.parse().ok()?, id.parse().ok()?))
        };
        read().ok_or(ParseCursorError(()))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Cursor {
    type Err = ParseCursorError;

    fn from_str(text: &str) -> Result<Self, ParseCursorError> {
        Self::new(text)
    }
}

/// Why a text is no [`Cursor`], or not one of the store that was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseCursorError(());

impl ParseCursorError {
    /// What a store says of a cursor that is not its own.
    pub fn foreign() -> Self {
        Self(())
    }
}

impl fmt::Display for ParseCursorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a cursor of this store")
    }
}

impl Error for ParseCursorError {}
