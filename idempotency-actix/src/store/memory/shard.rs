use std::collections::{HashMap, hash_map};
use std::time::Duration;

use super::agenda::Agenda;
use super::entry::{Entry, Stage};
use super::hash::IdHash;
use super::room::Room;
use crate::store::{
    AttemptId, Begun, Claim, Completion, Finished, Record, RecordId, Released, Renewed, Resolved,
    Token, Verdict,
};

/// How many due items of the agenda an ordinary call looks at. A record makes three in its ordinary life of
/// two calls, so the agenda is served faster than it is fed.
const FEW: usize = 4;

/// How many items the agenda may hold beside two for each record.
const SLACK: usize = 64;

/// The records of one part of all ids. Every method is one atomic step, under the shard's lock.
pub(super) struct Shard {
    /// Boxed, so that a growing map moves little while its shard is locked.
    records: HashMap<RecordId, Box<Entry>, IdHash>,
    /// When to look at which record. An item that is not its record's `check_at` is stale.
    agenda: Agenda,
}

impl Shard {
    pub(super) fn new(hash: IdHash) -> Self {
        Self {
            records: HashMap::with_hasher(hash),
            agenda: Agenda::default(),
        }
    }

    /// `None` means that there is no room for a claim.
    pub(super) fn begin(
        &mut self,
        id: &RecordId,
        claim: &Claim,
        now: u64,
        room: &Room,
    ) -> Option<Begun> {
        self.sweep(FEW, now, room);
        let generation = match self.present(id, now, room) {
            None if !room.take_for_claim() => return None,
            None => claim.generation(),
            Some(entry) if entry.is_held_by(claim.token()) => {
                entry.stage.keep_alive(now);
                let generation = entry.generation;
                return Some(Begun::Claimed { generation });
            }
            Some(entry) => match entry.record(now) {
                Some(record) => return Some(Begun::Found(record)),
                None => claim.generation().max(entry.generation.saturating_add(1)),
            },
        };
        self.put(id, Entry::held(claim, generation, now), now, room);
        Some(Begun::Claimed { generation })
    }

    pub(super) fn renew(&mut self, id: &RecordId, token: &Token, now: u64, room: &Room) -> Renewed {
        match self.present(id, now, room) {
            Some(entry) if entry.is_held_by(token) => {
                entry.stage.keep_alive(now);
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
        room: &Room,
    ) -> Completion {
        self.sweep(FEW, now, room);
        let (entry, completion) = match self.present(id, now, room) {
            Some(entry) if entry.is_held_by(claim.token()) => {
                let stage = Stage::finished(finished, ttl, now);
                (entry.at(stage, now), Completion::Recorded)
            }
            Some(entry) => match entry.stage {
                Stage::Finished { .. } if entry.owner == *claim.token() => {
                    return Completion::Recorded;
                }
                Stage::GivenUp { .. } if entry.generation < claim.generation() => {
                    let entry = Entry::finished(claim, finished, ttl, now);
                    (entry, Completion::RecordedAbsent)
                }
                _ => return Completion::Refused,
            },
            None => {
                room.take_for_record();
                let entry = Entry::finished(claim, finished, ttl, now);
                (entry, Completion::RecordedAbsent)
            }
        };
        self.put(id, entry, now, room);
        completion
    }

    pub(super) fn release(
        &mut self,
        id: &RecordId,
        claim: &Claim,
        now: u64,
        room: &Room,
    ) -> Released {
        match self.present(id, now, room) {
            Some(entry) if entry.is_held_by(claim.token()) => {
                match claim.is_fenced() {
                    true => self.remember(id, now, room),
                    false => self.give_up(id, now, room),
                }
                Released::Released
            }
            _ => Released::NotOwner,
        }
    }

    pub(super) fn inspect(&self, id: &RecordId, now: u64) -> Option<Record> {
        self.records.get(id)?.record(now)
    }

    pub(super) fn resolve(
        &mut self,
        id: &RecordId,
        seen: &AttemptId,
        verdict: &Verdict,
        now: u64,
        room: &Room,
    ) -> Resolved {
        let Some(entry) = self.present(id, now, room) else {
            return Resolved::Refused;
        };
        if let Verdict::TakeOver(claim) = verdict
            && entry.is_held_by(claim.token())
        {
            entry.stage.keep_alive(now);
            return Resolved::Done;
        }
        let is_open = match (verdict, &entry.stage) {
            (Verdict::Forget, Stage::Finished { .. }) => true,
            (_, stage) => stage.is_unknown(now),
        };
        if !is_open || entry.attempt() != *seen {
            return Resolved::Refused;
        }
        match verdict {
            Verdict::Finished(finished, ttl) => {
                let mut entry = entry.at(Stage::finished(finished, *ttl, now), now);
                entry.owner = Token::NOBODY;
                self.put(id, entry, now, room);
            }
            Verdict::TakeOver(claim) => {
                let generation = entry.generation.saturating_add(1);
                self.put(id, Entry::held(claim, generation, now), now, room);
            }
            Verdict::NotExecuted => self.give_up(id, now, room),
            Verdict::Forget => self.remember(id, now, room),
        }
        Resolved::Done
    }

    /// Looks at no more than `most` due items, and drops the records that are over.
    pub(super) fn sweep(&mut self, most: usize, now: u64, room: &Room) {
        for _ in 0..most {
            let Some((due, id)) = self.agenda.take_due(now) else {
                return;
            };
            match self.records.get_mut(&id) {
                Some(entry) if entry.check_at != due => {}
                Some(entry) if !entry.stage.is_over(now) => {
                    entry.check_at = entry.stage.next_check(now);
                    self.agenda.put(entry.check_at, id, now);
                }
                Some(_) => self.remove(&id, room),
                None => {}
            }
        }
    }

    /// The entry under an id, dropped first if it is over.
    fn present(&mut self, id: &RecordId, now: u64, room: &Room) -> Option<&mut Entry> {
        if self.records.get(id)?.stage.is_over(now) {
            self.remove(id, room);
        }
        self.records.get_mut(id).map(|entry| &mut **entry)
    }

    /// Writes an entry for which there is room, and queues it unless an earlier item leads to it.
    fn put(&mut self, id: &RecordId, mut entry: Entry, now: u64, room: &Room) {
        let due = entry.check_at;
        room.take_for_answer(entry.stage.size());
        match self.records.entry(*id) {
            hash_map::Entry::Vacant(place) => {
                place.insert(Box::new(entry));
            }
            hash_map::Entry::Occupied(mut place) => {
                let old = place.get_mut();
                room.give_back_answer(old.stage.size());
                let queued = old.check_at;
                entry.check_at = due.min(queued);
                **old = entry;
                if queued <= due {
                    return;
                }
            }
        }
        self.agenda.put(due, *id, now);
        if self.agenda.len() > 2 * self.records.len() + SLACK {
            self.drop_stale_items();
        }
    }

    fn drop_stale_items(&mut self) {
        let records = &self.records;
        self.agenda.retain(|due, id| {
            let entry = records.get(id);
            entry.is_some_and(|entry| entry.check_at == due)
        });
    }

    /// Makes a record absent; above generation 1 its generation is remembered.
    fn give_up(&mut self, id: &RecordId, now: u64, room: &Room) {
        match self.records.get(id) {
            Some(entry) if entry.generation > 1 => self.remember(id, now, room),
            _ => self.remove(id, room),
        }
    }

    /// Makes a record absent, and remembers its generation.
    fn remember(&mut self, id: &RecordId, now: u64, room: &Room) {
        if let Some(entry) = self.records.get(id) {
            let entry = entry.at(entry.stage.given_up(now), now);
            self.put(id, entry, now, room);
        }
    }

    fn remove(&mut self, id: &RecordId, room: &Room) {
        if let Some(entry) = self.records.remove(id) {
            room.give_back(entry.stage.size());
        }
    }
}

#[cfg(test)]
impl Shard {
    pub(super) fn records_and_queued(&self) -> (usize, usize) {
        (self.records.len(), self.agenda.len())
    }

    pub(super) fn counted_bytes(&self) -> usize {
        let entries = self.records.values();
        entries
            .map(|entry| super::room::RECORD + entry.stage.size())
            .sum()
    }
}
