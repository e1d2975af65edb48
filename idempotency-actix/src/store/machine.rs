//! The state machine of a record: each step as a pure function of the entry that is there, what is asked, and the time.
//! It knows neither locks nor clocks, and not how an entry is kept.
//!
//! A step returns its answer, and sets the change where there is one: together they were a value so large that moving it
//! took a fifth of a replay from memory.

use std::time::Duration;

use super::entry::{Entry, EntryState};
use super::step::Change;
use super::{
    AttemptId, Begun, Claim, Completion, Finished, Record, Released, Renewed, Resolved, Token,
    Verdict,
};

pub(super) fn begin(
    entry: Option<&Entry>,
    claim: &Claim,
    now: u64,
    change: &mut Change<Entry>,
) -> Begun {
    let generation = match present(entry, now) {
        None => claim.generation(),
        // A copy of a command that was sent again meets its own claim.
        Some(entry) if entry.is_held_by(claim.token()) => {
            *change = Change::Save(entry.alive(now));
            let generation = entry.generation;
            return Begun::Claimed { generation };
        }
        Some(entry) => match entry.record(now) {
            Some(record) => return Begun::Found(record),
            None => claim.generation().max(entry.generation.saturating_add(1)),
        },
    };
    *change = Change::Save(Entry::held(claim, generation, now));
    Begun::Claimed { generation }
}

pub(super) fn renew(
    entry: Option<&Entry>,
    claim: &Claim,
    now: u64,
    change: &mut Change<Entry>,
) -> Renewed {
    match present(entry, now) {
        Some(entry) if entry.is_held_by(claim.token()) => {
            *change = Change::Save(entry.alive(now));
            Renewed::Alive
        }
        _ => Renewed::Lost,
    }
}

pub(super) fn complete(
    entry: Option<&Entry>,
    claim: &Claim,
    finished: &Finished,
    ttl: Duration,
    now: u64,
    change: &mut Change<Entry>,
) -> Completion {
    let (entry, completion) = match present(entry, now) {
        None => {
            let entry = Entry::finished(claim, finished, ttl, now);
            (entry, Completion::RecordedAbsent)
        }
        Some(entry) if entry.is_held_by(claim.token()) => {
            let entry = entry.at(EntryState::finished(finished, ttl, now));
            (entry, Completion::Recorded)
        }
        Some(entry) => match entry.state {
            EntryState::Finished { .. } if entry.owner == *claim.token() => {
                return Completion::Recorded;
            }
            EntryState::GivenUp { .. } if entry.generation < claim.generation() => {
                let entry = Entry::finished(claim, finished, ttl, now);
                (entry, Completion::RecordedAbsent)
            }
            _ => return Completion::Refused,
        },
    };
    *change = Change::Save(entry);
    completion
}

pub(super) fn release(
    entry: Option<&Entry>,
    claim: &Claim,
    now: u64,
    change: &mut Change<Entry>,
) -> Released {
    match present(entry, now) {
        Some(entry) if entry.is_held_by(claim.token()) => {
            *change = match claim.is_fenced() {
                true => remember(entry, now),
                false => give_up(entry, now),
            };
            Released::Released
        }
        _ => Released::NotOwner,
    }
}

/// What a reader sees, which is never a change.
pub(super) fn inspect(entry: Option<&Entry>, now: u64) -> Option<Record> {
    entry?.record(now)
}

pub(super) fn resolve(
    entry: Option<&Entry>,
    seen: &AttemptId,
    verdict: &Verdict,
    now: u64,
    change: &mut Change<Entry>,
) -> Resolved {
    let Some(entry) = present(entry, now) else {
        return Resolved::Refused;
    };
    if let Verdict::TakeOver(claim) = verdict
        && entry.is_held_by(claim.token())
    {
        *change = Change::Save(entry.alive(now));
        return Resolved::Done;
    }
    let is_open = match (verdict, &entry.state) {
        (Verdict::Forget, EntryState::Finished { .. }) => true,
        (_, state) => state.is_unknown(now),
    };
    if !is_open || entry.attempt() != *seen {
        return Resolved::Refused;
    }
    *change = match verdict {
        Verdict::Finished(finished, ttl) => Change::Save(Entry {
            owner: Token::NOBODY,
            ..entry.at(EntryState::finished(finished, *ttl, now))
        }),
        Verdict::TakeOver(claim) => {
            let generation = entry.generation.saturating_add(1);
            Change::Save(Entry::held(claim, generation, now))
        }
        Verdict::NotExecuted => give_up(entry, now),
        Verdict::Forget => remember(entry, now),
    };
    Resolved::Done
}

/// What is over counts as absent, whether or not it was dropped already.
fn present(entry: Option<&Entry>, now: u64) -> Option<&Entry> {
    entry.filter(|entry| !entry.state.is_over(now))
}

/// Makes a record absent; above generation 1 its generation is remembered.
fn give_up(entry: &Entry, now: u64) -> Change<Entry> {
    match entry.generation > 1 {
        true => remember(entry, now),
        false => Change::Remove,
    }
}

/// Makes a record absent, and remembers its generation.
fn remember(entry: &Entry, now: u64) -> Change<Entry> {
    Change::Save(entry.at(entry.state.given_up(now)))
}
