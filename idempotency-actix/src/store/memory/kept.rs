//! One entry in memory, with what its shard keeps beside it. It knows no other entry, and no step.

use super::callers::CallerId;
use crate::store::Description;
use crate::store::entry::{Entry, EntryState};

/// What one shard keeps under one id.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) entry: Entry,
    /// Whose room it takes; `None` where nobody counts.
    pub(super) caller: Option<CallerId>,
    /// When the entry's one current item in the queue comes due.
    pub(super) check_at: u64,
    /// The number of that item. The time alone would not do: where the clock stands still, a claim that is released
    /// and made anew has an old item of the very same time.
    pub(super) ticket: u64,
}

impl Kept {
    /// When to look at the entry again. A live claim is looked at when its lease is over and not
    /// when its retention is: it will be finished by then, and often with a shorter `ttl`.
    pub(super) fn next_check(&self, now: u64) -> u64 {
        match self.entry.state.deadline() {
            Some(deadline) if now < deadline => deadline,
            _ => self.entry.state.expires(),
        }
    }

    /// Octets that it counts with: its answer's, or its claim's label.
    pub(super) fn size(&self) -> usize {
        match &self.entry.state {
            EntryState::Finished { finished, .. } => finished.footprint(),
            // Its other texts are shared.
            EntryState::Held { description, .. } => {
                let label = description.as_ref().and_then(Description::label);
                label.map_or(0, str::len)
            }
            EntryState::GivenUp { .. } => 0,
        }
    }
}
