//! The records of one part of all ids: what a step makes of them is counted, queued and dropped in time. It knows neither
//! locks nor clocks, but the time it is told.

use std::collections::{BTreeSet, HashMap, hash_map};
use std::time::Duration;

use super::callers::CallerId;
use super::capacity::Capacity;
use super::expiry_queue::{ExpiryQueue, Item};
use super::hash::IdHash;
use super::kept::Kept;
use crate::store::entry::{Entry, EntryState, Listed};
use crate::store::machine;
use crate::store::step::Change;
use crate::store::{
    AttemptId, Begun, Claim, Completion, Finished, Record, RecordId, Released, Renewed, Resolved,
    Verdict, shrink_map,
};

/// How many due items of the queue an ordinary call looks at. A record makes three in its ordinary life of
/// two calls, so the queue is served faster than it is fed.
const FEW: usize = 4;

/// How many items the queue may hold beside two for each record.
const SLACK: usize = 64;

/// The records of one part of all ids. Every method is one atomic step, under the shard's lock.
pub(super) struct Shard {
    /// Boxed, so that a growing map moves little while its shard is locked.
    records: HashMap<RecordId, Box<Kept>, IdHash>,
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
        let entry = self.present(id, now, capacity);
        let is_new = entry.is_none();
        let mut change = Change::Nothing;
        let begun = machine::begin(entry, claim, now, &mut change);
        if is_new && !capacity.take_for_claim(claim.caller()) {
            return None;
        }
        self.apply(id, claim.caller(), change, now, capacity);
        Some(begun)
    }

    pub(super) fn renew(
        &mut self,
        id: &RecordId,
        claim: &Claim,
        now: u64,
        capacity: &Capacity,
    ) -> Renewed {
        let mut change = Change::Nothing;
        let entry = self.present(id, now, capacity);
        let renewed = machine::renew(entry, claim, now, &mut change);
        self.apply(id, claim.caller(), change, now, capacity);
        renewed
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
        let entry = self.present(id, now, capacity);
        if entry.is_none() {
            capacity.take_for_record(claim.caller());
        }
        let mut change = Change::Nothing;
        let completion = machine::complete(entry, claim, finished, ttl, now, &mut change);
        self.apply(id, claim.caller(), change, now, capacity);
        completion
    }

    pub(super) fn release(
        &mut self,
        id: &RecordId,
        claim: &Claim,
        now: u64,
        capacity: &Capacity,
    ) -> Released {
        let mut change = Change::Nothing;
        let entry = self.present(id, now, capacity);
        let released = machine::release(entry, claim, now, &mut change);
        self.apply(id, claim.caller(), change, now, capacity);
        released
    }

    pub(super) fn inspect(&self, id: &RecordId, now: u64) -> Option<Record> {
        let kept = self.records.get(id);
        machine::inspect(kept.map(|kept| &kept.entry), now)
    }

    /// Claims whose owner is gone.
    pub(super) fn unknown(&self, now: u64) -> Vec<(RecordId, Listed)> {
        let held = self.held.iter();
        held.filter_map(|id| Some((*id, self.records.get(id)?.entry.listed(now)?)))
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
        let mut change = Change::Nothing;
        let entry = self.present(id, now, capacity);
        let resolved = machine::resolve(entry, seen, verdict, now, &mut change);
        // What it changes is there already, and takes the room of its own caller.
        self.apply(id, None, change, now, capacity);
        resolved
    }

    /// Looks at no more than `most` due items, and drops the records that are over.
    pub(super) fn sweep(&mut self, most: usize, now: u64, capacity: &Capacity) {
        for _ in 0..most {
            let Some(item) = self.queue.take_due(now) else {
                return;
            };
            match self.records.get_mut(&item.id) {
                Some(kept) if kept.ticket != item.ticket => {}
                Some(kept) if !kept.entry.state.is_over(now) => {
                    let due = kept.next_check(now);
                    kept.check_at = due;
                    self.queue.put(Item { due, ..item }, now);
                }
                Some(_) => self.remove(&item.id, capacity),
                None => {}
            }
        }
    }

    /// The entry under an id, dropped first if it is over.
    fn present(&mut self, id: &RecordId, now: u64, capacity: &Capacity) -> Option<&Entry> {
        if self.records.get(id)?.entry.state.is_over(now) {
            self.remove(id, capacity);
        }
        self.records.get(id).map(|kept| &kept.entry)
    }

    /// Does what a step says. A new entry takes the room of the caller, which was counted already.
    fn apply(
        &mut self,
        id: &RecordId,
        caller: Option<CallerId>,
        change: Change<Entry>,
        now: u64,
        capacity: &Capacity,
    ) {
        match change {
            Change::Nothing => {}
            Change::Save(entry) => self.put(id, caller, entry, now, capacity),
            Change::Remove => self.remove(id, capacity),
        }
    }

    /// Writes an entry, and queues it unless an earlier item leads to it.
    fn put(
        &mut self,
        id: &RecordId,
        caller: Option<CallerId>,
        entry: Entry,
        now: u64,
        capacity: &Capacity,
    ) {
        match entry.state {
            EntryState::Held { .. } => self.held.insert(*id),
            _ => self.held.remove(id),
        };
        let ticket = self.tickets;
        let mut kept = Kept {
            entry,
            caller,
            check_at: 0,
            ticket,
        };
        let due = kept.next_check(now);
        kept.check_at = due;
        let size = kept.size();
        match self.records.entry(*id) {
            hash_map::Entry::Vacant(place) => {
                capacity.resize_answer(caller, 0, size);
                place.insert(Box::new(kept));
            }
            hash_map::Entry::Occupied(mut place) => {
                let old = place.get_mut();
                kept.caller = old.caller;
                capacity.resize_answer(old.caller, old.size(), size);
                let (queued, leading) = (old.check_at, old.ticket);
                if queued <= due {
                    (kept.check_at, kept.ticket) = (queued, leading);
                    **old = kept;
                    return;
                }
                **old = kept;
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
            let kept = records.get(&item.id);
            kept.is_some_and(|kept| kept.ticket == item.ticket)
        });
    }

    fn remove(&mut self, id: &RecordId, capacity: &Capacity) {
        if let Some(kept) = self.records.remove(id) {
            capacity.give_back(kept.caller, kept.size());
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
        let all = self.records.values();
        all.map(|kept| super::capacity::RECORD + kept.size()).sum()
    }
}
