//! Which record to look at when. Whether it is over then is not known here.

use std::collections::VecDeque;

use crate::store::RecordId;
use crate::store::shrink::shrink_queue;

/// One look at a record, at its time. It is the record's current one if the record has its ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) due: u64,
    pub(super) id: RecordId,
    pub(super) ticket: u64,
}

/// When to look at which record.
///
/// Items wait in lanes, eight for each power of two of their wait. Nearly all waits in a lane are the same
/// `ttl` or lease, so that its items come due in the order in which they were put there, and a heap would
/// sort what is sorted. An item behind one with a longer wait is looked at late, by an eighth of its own
/// wait at most.
#[derive(Default)]
pub(super) struct ExpiryQueue {
    /// None of them empty.
    lanes: Vec<Lane>,
}

struct Lane {
    waits: u64,
    items: VecDeque<Item>,
}

impl ExpiryQueue {
    pub(super) fn put(&mut self, item: Item, now: u64) {
        let waits = leading(item.due.saturating_sub(now));
        let known = self.lanes.iter().position(|lane| lane.waits == waits);
        let place = known.unwrap_or_else(|| {
            let items = VecDeque::new();
            self.lanes.push(Lane { waits, items });
            self.lanes.len() - 1
        });
        self.lanes[place].items.push_back(item);
    }

    /// Takes an item that is due.
    pub(super) fn take_due(&mut self, now: u64) -> Option<Item> {
        let is_due = |lane: &Lane| lane.items.front().is_some_and(|item| item.due <= now);
        let place = self.lanes.iter().position(is_due)?;
        let items = &mut self.lanes[place].items;
        let item = items.pop_front();
        shrink_queue(items);
        if items.is_empty() {
            self.lanes.swap_remove(place);
        }
        item
    }

    pub(super) fn retain(&mut self, keep: impl Fn(&Item) -> bool) {
        for lane in &mut self.lanes {
            lane.items.retain(&keep);
            shrink_queue(&mut lane.items);
        }
        self.lanes.retain(|lane| !lane.items.is_empty());
    }

    pub(super) fn len(&self) -> usize {
        self.lanes.iter().map(|lane| lane.items.len()).sum()
    }
}

#[cfg(test)]
impl ExpiryQueue {
    pub(super) fn room(&self) -> usize {
        self.lanes.iter().map(|lane| lane.items.capacity()).sum()
    }
}

/// A wait with all but its first four binary digits set to zero.
fn leading(wait: u64) -> u64 {
    let rest = (u64::BITS - wait.leading_zeros()).saturating_sub(4);
    wait >> rest << rest
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_item_is_taken_once_not_early_and_at_most_an_eighth_of_its_wait_late(
            items in vec((0..50_u64, 1..1_000_u64), 1..100),
        ) {
            let mut queue = ExpiryQueue::default();
            let mut waits = Vec::new();
            let mut now = 0;
            for (n, (pause, wait)) in items.iter().enumerate() {
                now += pause;
                let mut id = [0; 32];
                id[..8].copy_from_slice(&(n as u64).to_be_bytes());
                let item = Item { due: now + wait, id: RecordId::from_bytes(id), ticket: n as u64 };
                queue.put(item, now);
                waits.push((RecordId::from_bytes(id), now + wait, *wait));
            }
            for now in 0..now + 2_000 {
                while let Some(Item { due, id, .. }) = queue.take_due(now) {
                    let place = waits.iter().position(|item| (item.0, item.1) == (id, due));
                    let (_, due, wait) = waits.remove(place.expect("an item that was put there"));
                    prop_assert!(due <= now && now <= due + wait / 8, "due {due}, wait {wait}, at {now}");
                }
                prop_assert!(waits.iter().all(|(_, due, wait)| now < due + wait / 8 + 1), "{now}");
            }
            prop_assert!(waits.is_empty() && queue.len() == 0);
        }
    }
}
