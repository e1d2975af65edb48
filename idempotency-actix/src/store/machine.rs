//! The state machine of a record: each step as a pure function of the entry that is there, what is asked, and the time.
//! It knows neither locks nor clocks, and not how an entry is kept.

use std::time::Duration;

use super::entry::{Entry, EntryState};
use super::step::{Change, Step};
use super::{
    AttemptId, Begun, Claim, Completion, Finished, Released, Renewed, Resolved, Token, Verdict,
};

pub(super) fn begin(entry: Option<&Entry>, claim: &Claim, now: u64) -> Step<Begun, Entry> {
    let generation = match present(entry, now) {
        None => claim.generation(),
        // A copy of a command that was sent again meets its own claim.
        Some(entry) if entry.is_held_by(claim.token()) => {
            let generation = entry.generation;
            return Step::save(Begun::Claimed { generation }, entry.alive(now));
        }
        Some(entry) => match entry.record(now) {
            Some(record) => return Step::nothing(Begun::Found(record)),
            None => claim.generation().max(entry.generation.saturating_add(1)),
        },
    };
    let claimed = Entry::held(claim, generation, now);
    Step::save(Begun::Claimed { generation }, claimed)
}

pub(super) fn renew(entry: Option<&Entry>, token: &Token, now: u64) -> Step<Renewed, Entry> {
    match present(entry, now) {
        Some(entry) if entry.is_held_by(token) => Step::save(Renewed::Alive, entry.alive(now)),
        _ => Step::nothing(Renewed::Lost),
    }
}

pub(super) fn complete(
    entry: Option<&Entry>,
    claim: &Claim,
    finished: &Finished,
    ttl: Duration,
    now: u64,
) -> Step<Completion, Entry> {
    let Some(entry) = present(entry, now) else {
        let entry = Entry::finished(claim, finished, ttl, now);
        return Step::save(Completion::RecordedAbsent, entry);
    };
    match entry.state {
        EntryState::Held { .. } if entry.owner == *claim.token() => {
            let entry = entry.at(EntryState::finished(finished, ttl, now));
            Step::save(Completion::Recorded, entry)
        }
        EntryState::Finished { .. } if entry.owner == *claim.token() => {
            Step::nothing(Completion::Recorded)
        }
        EntryState::GivenUp { .. } if entry.generation < claim.generation() => {
            let entry = Entry::finished(claim, finished, ttl, now);
            Step::save(Completion::RecordedAbsent, entry)
        }
        _ => Step::nothing(Completion::Refused),
    }
}

pub(super) fn release(entry: Option<&Entry>, claim: &Claim, now: u64) -> Step<Released, Entry> {
    match present(entry, now) {
        Some(entry) if entry.is_held_by(claim.token()) => {
            let change = match claim.is_fenced() {
                true => remember(entry, now),
                false => give_up(entry, now),
            };
            Step::new(Released::Released, change)
        }
        _ => Step::nothing(Released::NotOwner),
    }
}

pub(super) fn resolve(
    entry: Option<&Entry>,
    seen: &AttemptId,
    verdict: &Verdict,
    now: u64,
) -> Step<Resolved, Entry> {
    let Some(entry) = present(entry, now) else {
        return Step::nothing(Resolved::Refused);
    };
    if let Verdict::TakeOver(claim) = verdict
        && entry.is_held_by(claim.token())
    {
        return Step::save(Resolved::Done, entry.alive(now));
    }
    let is_open = match (verdict, &entry.state) {
        (Verdict::Forget, EntryState::Finished { .. }) => true,
        (_, state) => state.is_unknown(now),
    };
    if !is_open || entry.attempt() != *seen {
        return Step::nothing(Resolved::Refused);
    }
    let change = match verdict {
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
    Step::new(Resolved::Done, change)
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
