//! The state machine of the records in one shard. It knows neither locks nor clocks, but the time it is told.

use std::collections::{BTreeSet, HashMap, hash_map};
use std::time::Duration;

use super::capacity::Capacity;
use super::entry::{Entry, EntryState};
use super::expiry_queue::{ExpiryQueue, Item};
use super::hash::IdHash;
use crate::store::{
    AttemptId, Begun, Claim, Completion, Finished, Record, RecordId, Released, Renewed, Resolved,
    State, Token, Verdict, shrink_map,
};

/// How many due items of the queue an ordinary call looks at. A record makes three in its ordinary life of
/// two calls, so the queue is served faster than it is fed.
const FEW: usize = 4;

/// How many items the queue may hold beside two for each record.
const SLACK: usize = 64;

/// The records of one part of all ids. Every method is one atomic step, under the shard's lock.
pub(super) struct Shard {
    /// Boxed, so that a growing map moves little while its shard is locked.
    records: HashMap<RecordId, Box<Entry>, IdHash>,
    /// When to look at which record. An item that has not its record's ticket is stale.
    queue: ExpiryQueue,
    /// Those in flight or unknown: few among all records.
    held: BTreeSet<RecordId>,
    /// How many items were ever put there: each has a ticket of its own.
    tickets: u64,
}

impl Shard {
    pub(super) fn new(hash: IdHash) -> Self {
        Self {
            records: HashMap::with_hasher(hash),
            queue: ExpiryQueue::default(),
            held: BTreeSet::new(),
            tickets: 0,
        }
    }

    /// `None` means that there is no room for a claim.
    pub(super) fn begin(
        &mut self,
        id: &RecordId,
        claim: &Claim,
        now: u64,
        capacity: &Capacity,
    ) -> Option<Begun> {
        self.sweep(FEW, now, capacity);
        let generation = match self.present(id, now, capacity) {
            None if !capacity.take_for_claim(claim.caller()) => return None,
            None => claim.generation(),
            // A copy of a command that was sent again meets its own claim.
            Some(entry) if entry.is_held_by(claim.token()) => {
                entry.state.keep_alive(now);
                let generation = entry.generation;
                return Some(Begun::Claimed { generation });
            }
            Some(entry) => match entry.record(now) {
                Some(record) => return Some(Begun::Found(record)),
                None => claim.generation().max(entry.generation.saturating_add(1)),
            },
        };
        self.put(id, Entry::held(claim, generation, now), now, capacity);
        Some(Begun::Claimed { generation })
    }

    pub(super) fn renew(
        &mut self,
        id: &RecordId,
        token: &Token,
        now: u64,
        capacity: &Capacity,
    ) -> Renewed {
        match self.present(id, now, capacity) {
            Some(entry) if entry.is_held_by(token) => {
                entry.state.keep_alive(now);
                Renewed::Alive
            }
            _ => Renewed::Lost,
        }
    }

    pub(super) fn complete(
        &mut self,
        id: &RecordId,
        claim: &Claim,
        finished: &Finished,
        ttl: Duration,
        now: u64,
        capacity: &Capacity,
    ) -> Completion {
        self.sweep(FEW, now, capacity);
        let (entry, completion) = match self.present(id, now, capacity) {
            Some(entry) if entry.is_held_by(claim.token()) => {
                let state = EntryState::finished(finished, ttl, now);
                (entry.at(state, now), Completion::Recorded)
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
            None => {
                capacity.take_for_record(claim.caller());
                let entry = Entry::finished(claim, finished, ttl, now);
                (entry, Completion::RecordedAbsent)
            }
        };
        self.put(id, entry, now, capacity);
        completion
    }

    pub(super) fn release(
        &mut self,
        id: &RecordId,
        claim: &Claim,
        now: u64,
        capacity: &Capacity,
    ) -> Released {
        match self.present(id, now, capacity) {
            Some(entry) if entry.is_held_by(claim.token()) => {
                match claim.is_fenced() {
                    true => self.remember(id, now, capacity),
                    false => self.give_up(id, now, capacity),
                }
                Released::Released
            }
            _ => Released::NotOwner,
        }
    }

    pub(super) fn inspect(&self, id: &RecordId, now: u64) -> Option<Record> {
        self.records.get(id)?.record(now)
    }

    /// Claims whose owner is gone, each with its last sign of life.
    pub(super) fn unknown(&self, now: u64) -> Vec<(u64, RecordId, Record)> {
        let held = self.held.iter();
        held.filter_map(|id| {
            let entry = self.records.get(id)?;
            let record = entry.record(now)?;
            let is_unknown = matches!(record.state, State::Unknown { .. });
            let is_listed = is_unknown && record.description.is_some();
            is_listed.then(|| (entry.alive_at(), *id, record))
        })
        .collect()
    }

    pub(super) fn resolve(
        &mut self,
        id: &RecordId,
        seen: &AttemptId,
        verdict: &Verdict,
        now: u64,
        capacity: &Capacity,
    ) -> Resolved {
        let Some(entry) = self.present(id, now, capacity) else {
            return Resolved::Refused;
        };
        if let Verdict::TakeOver(claim) = verdict
            && entry.is_held_by(claim.token())
        {
            entry.state.keep_alive(now);
            return Resolved::Done;
        }
        let is_open = match (verdict, &entry.state) {
            (Verdict::Forget, EntryState::Finished { .. }) => true,
            (_, state) => state.is_unknown(now),
        };
        if !is_open || entry.attempt() != *seen {
            return Resolved::Refused;
        }
        match verdict {
            Verdict::Finished(finished, ttl) => {
                let mut entry = entry.at(EntryState::finished(finished, *ttl, now), now);
                entry.owner = Token::NOBODY;
                self.put(id, entry, now, capacity);
            }
            Verdict::TakeOver(claim) => {
                let generation = entry.generation.saturating_add(1);
                self.put(id, Entry::held(claim, generation, now), now, capacity);
            }
            Verdict::NotExecuted => self.give_up(id, now, capacity),
            Verdict::Forget => self.remember(id, now, capacity),
        }
        Resolved::Done
    }

    /// Looks at no more than `most` due items, and drops the records that are over.
    pub(super) fn sweep(&mut self, most: usize, now: u64, capacity: &Capacity) {
        for _ in 0..most {
            let Some(item) = self.queue.take_due(now) else {
                return;
            };
            match self.records.get_mut(&item.id) {
                Some(entry) if entry.ticket != item.ticket => {}
                Some(entry) if !entry.state.is_over(now) => {
                    let due = entry.state.next_check(now);
                    entry.check_at = due;
                    self.queue.put(Item { due, ..item }, now);
                }
                Some(_) => self.remove(&item.id, capacity),
                None => {}
            }
        }
    }

    /// The entry under an id, dropped first if it is over.
    fn present(&mut self, id: &RecordId, now: u64, capacity: &Capacity) -> Option<&mut Entry> {
        if self.records.get(id)?.state.is_over(now) {
            self.remove(id, capacity);
        }
        self.records.get_mut(id).map(|entry| &mut **entry)
    }

    /// Writes an entry for which there is room, and queues it unless an earlier item leads to it.
    fn put(&mut self, id: &RecordId, mut entry: Entry, now: u64, capacity: &Capacity) {
        let due = entry.check_at;
        let ticket = self.tickets;
        entry.ticket = ticket;
        let size = entry.state.size();
        match entry.state {
            EntryState::Held { .. } => self.held.insert(*id),
            _ => self.held.remove(id),
        };
        match self.records.entry(*id) {
            hash_map::Entry::Vacant(place) => {
                capacity.resize_answer(entry.caller, 0, size);
                place.insert(Box::new(entry));
            }
            hash_map::Entry::Occupied(mut place) => {
                let old = place.get_mut();
                entry.caller = old.caller;
                capacity.resize_answer(old.caller, old.state.size(), size);
                let (queued, leading) = (old.check_at, old.ticket);
                if queued <= due {
                    (entry.check_at, entry.ticket) = (queued, leading);
                    **old = entry;
                    return;
                }
                **old = entry;
            }
        }
        self.tickets += 1;
        let id = *id;
        self.queue.put(Item { due, id, ticket }, now);
        if self.queue.len() > 2 * self.records.len() + SLACK {
            self.drop_stale_items();
        }
    }

    fn drop_stale_items(&mut self) {
        let records = &self.records;
        self.queue.retain(|item| {
            let entry = records.get(&item.id);
            entry.is_some_and(|entry| entry.ticket == item.ticket)
        });
    }

    /// Makes a record absent; above generation 1 its generation is remembered.
    fn give_up(&mut self, id: &RecordId, now: u64, capacity: &Capacity) {
        match self.records.get(id) {
            Some(entry) if entry.generation > 1 => self.remember(id, now, capacity),
            _ => self.remove(id, capacity),
        }
    }

    /// Makes a record absent, and remembers its generation.
    fn remember(&mut self, id: &RecordId, now: u64, capacity: &Capacity) {
        if let Some(entry) = self.records.get(id) {
            let entry = entry.at(entry.state.given_up(now), now);
            self.put(id, entry, now, capacity);
        }
    }

    fn remove(&mut self, id: &RecordId, capacity: &Capacity) {
        if let Some(entry) = self.records.remove(id) {
            capacity.give_back(entry.caller, entry.state.size());
            self.held.remove(id);
            shrink_map(&mut self.records);
        }
    }
}

#[cfg(test)]
impl Shard {
    pub(super) fn records_and_queued(&self) -> (usize, usize) {
        (self.records.len(), self.queue.len())
    }

    /// How many records and queue items there is room for, which an empty shard has next to nothing of.
    pub(super) fn room(&self) -> usize {
        self.records.capacity() + self.queue.room()
    }

    pub(super) fn counted_bytes(&self) -> usize {
        let entries = self.records.values();
        entries
            .map(|entry| super::capacity::RECORD + entry.state.size())
            .sum()
    }
}
