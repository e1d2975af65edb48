//! The steps of the contract on stored octets, for stores that load and save. It knows no database.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actix_web::web::Bytes;

use super::entry::{Entry, nanos};
use super::record_error::RecordError;
use super::step::{Change, Step};
use super::{
    AttemptId, Begun, Claim, Completion, Finished, Record, RecordCodec, RecordId, Released,
    Renewed, Resolved, StoreError, UnknownOutcome, Verdict, machine, saved,
};

/// What a store found under an id, and what each step of the [contract](super::Store#contract) makes of it.
///
/// With it a store on any database with transactions is [load and save](super::LoadAndSave).
///
/// The steps are pure: they read no clock, and the same octets at the same time give the same step. The stored
/// [form](super::Saved::octets) carries its version and is sealed where the codec has keys.
///
/// # Time
///
/// The time is the store's, and counts from 1970. Where many processes share the records, their clocks must agree within a
/// third of a lease; one clock for all, such as the database's, is better. A clock that is set back makes leases longer. One
/// that jumps ahead makes an outcome unknown too early, which the owner's next sign of life or its answer puts right.
///
/// # Errors
///
/// Each step on octets that cannot be read is [`StoreError::unreadable`], but for the one that forgets them.
///
/// # Examples
///
/// One step, without a database:
///
/// ```
/// use std::time::{Duration, SystemTime};
///
/// use actix_web::web::Bytes;
/// use idempotency_actix::store::{
///     Begun, Change, Claim, Fingerprint, Loaded, RecordCodec, RecordId, State, StoreError, Token,
/// };
///
/// let (codec, id, now) = (RecordCodec::plain(), RecordId::from_bytes([1; 32]), SystemTime::now());
/// let fingerprint = Fingerprint::new(Fingerprint::BYTES, [2; 32]);
/// let (lease, retention) = (Duration::from_secs(30), Duration::from_secs(86_400));
/// let claim = || Claim::new(Token::random(), fingerprint, lease, retention);
///
/// // Nothing is stored: the claim is granted.
/// let step = Loaded::new(&codec, &id, None, now).begin(&claim())?;
/// assert!(matches!(step.answer, Begun::Claimed { generation: 1 }));
/// let Change::Save(saved) = step.change else { unreachable!("a claim is written") };
/// assert_eq!(saved.expires, now + retention);
///
/// // A retry finds it in flight, and writes nothing.
/// let octets = Bytes::from(saved.octets);
/// let step = Loaded::new(&codec, &id, Some(octets), now + lease / 2).begin(&claim())?;
/// assert_eq!(step.change, Change::Nothing);
/// let Begun::Found(record) = step.answer else { unreachable!("there is a record") };
/// assert!(matches!(record.state, State::InFlight));
/// # Ok::<(), StoreError>(())
/// ```
#[derive(Debug)]
pub struct Loaded<'a> {
    codec: &'a RecordCodec,
    id: &'a RecordId,
    found: Found,
    now: u64,
}

#[derive(Debug)]
enum Found {
    Absent,
    Entry(Entry),
    Unreadable {
        error: RecordError,
        /// What remembers its generation, if that can be told.
        remembered: Option<Entry>,
    },
}

impl<'a> Loaded<'a> {
    /// What is stored under an id, or `None` where nothing is, at the present time by the store's clock.
    pub fn new(
        codec: &'a RecordCodec,
        id: &'a RecordId,
        octets: Option<Bytes>,
        now: SystemTime,
    ) -> Self {
        let now = nanos(now.duration_since(UNIX_EPOCH).unwrap_or_default());
        let found = octets.map_or(Found::Absent, |octets| Found::read(codec, id, &octets, now));
        Self {
            codec,
            id,
            found,
            now,
        }
    }

    /// Claims the operation, or tells the record that is there.
    pub fn begin(self, claim: &Claim) -> Result<Step<Begun>, StoreError> {
        self.step(|entry, now, change| machine::begin(entry, claim, now, change))
    }

    /// Starts the lease of the own claim anew.
    pub fn renew(self, claim: &Claim) -> Result<Step<Renewed>, StoreError> {
        self.step(|entry, now, change| machine::renew(entry, claim, now, change))
    }

    /// Finishes the own claim, to be kept for `ttl` from now.
    pub fn complete(
        self,
        claim: &Claim,
        finished: &Finished,
        ttl: Duration,
    ) -> Result<Step<Completion>, StoreError> {
        self.step(|entry, now, change| machine::complete(entry, claim, finished, ttl, now, change))
    }

    /// Gives the own claim up.
    pub fn release(self, claim: &Claim) -> Result<Step<Released>, StoreError> {
        self.step(|entry, now, change| machine::release(entry, claim, now, change))
    }

    /// Decides about the attempt that was seen.
    pub fn resolve(
        self,
        seen: &AttemptId,
        verdict: &Verdict,
    ) -> Result<Step<Resolved>, StoreError> {
        match (&self.found, verdict) {
            (Found::Unreadable { .. }, Verdict::Forget) if *seen == AttemptId::UNREADABLE => {
                Ok(self.forget_unreadable())
            }
            _ => {
                self.step(|entry, now, change| machine::resolve(entry, seen, verdict, now, change))
            }
        }
    }

    /// Reads the record. The step changes nothing.
    pub fn inspect(self) -> Result<Step<Option<Record>>, StoreError> {
        self.step(|entry, now, _| machine::inspect(entry, now))
    }

    /// What operators are told, if it is a claim whose owner is gone and which is described. Octets that cannot be read
    /// tell nothing.
    pub fn unknown(&self) -> Option<UnknownOutcome> {
        let Found::Entry(entry) = &self.found else {
            return None;
        };
        let listed = entry.listed(self.now)?;
        let last_seen = saved::time_of_day(listed.alive_at);
        let (attempt, description) = (listed.attempt, listed.description);
        let outcome = UnknownOutcome::new(*self.id, attempt, description, last_seen, listed.lease);
        Some(outcome)
    }

    /// Whether nothing is there that still counts, so that what is stored may be dropped.
    pub fn is_absent(&self) -> bool {
        match &self.found {
            Found::Absent => true,
            Found::Entry(entry) => entry.state.is_over(self.now),
            Found::Unreadable { .. } => false,
        }
    }

    fn step<T>(
        self,
        take: impl FnOnce(Option<&Entry>, u64, &mut Change<Entry>) -> T,
    ) -> Result<Step<T>, StoreError> {
        let Self { codec, id, now, .. } = self;
        let entry = self.entry()?;
        let mut change = Change::Nothing;
        let answer = take(entry.as_ref(), now, &mut change);
        let change = saved::written(codec, id, change);
        Ok(Step { answer, change })
    }

    fn entry(self) -> Result<Option<Entry>, StoreError> {
        match self.found {
            Found::Absent => Ok(None),
            Found::Entry(entry) => Ok(Some(entry)),
            Found::Unreadable { error, .. } => Err(StoreError::unreadable(error)),
        }
    }

    /// In one transaction it still is what was read.
    fn forget_unreadable(self) -> Step<Resolved> {
        let Self { codec, id, now, .. } = self;
        let remembered = match self.found {
            Found::Unreadable { remembered, .. } => remembered,
            Found::Absent | Found::Entry(_) => None,
        };
        let change = match remembered {
            Some(entry) => Change::Save(entry.at(entry.state.given_up(now))),
            None => Change::Remove,
        };
        Step {
            answer: Resolved::Done,
            change: saved::written(codec, id, change),
        }
    }
}

impl Found {
    fn read(codec: &RecordCodec, id: &RecordId, octets: &Bytes, now: u64) -> Self {
        let error = match saved::read(codec, id, octets) {
            Ok(entry) => return Self::Entry(entry),
            Err(error) => error,
        };
        let remembered = saved::unread(id, octets);
        // Its time is told by octets that are this record's. Those of nobody are never over.
        match remembered {
            Some(entry) if entry.state.is_over(now) => Self::Absent,
            remembered => Self::Unreadable { error, remembered },
        }
    }
}

#[cfg(test)]
mod tests;
