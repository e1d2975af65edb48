//! [`MemoryStore`] and its bounds. What becomes of a record in a step is not known here.

use std::fmt;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::callers::CallerId;
use super::capacity::Capacity;
use super::hash::IdHash;
use super::shard::Shard;
use crate::store::Wakeups;
use crate::store::clock::Clock;
use crate::store::entry::{Listed, nanos};
use crate::store::{
    AttemptId, Begun, Claim, Completion, Cursor, Finished, Page, Record, RecordId, Released,
    Renewed, Resolved, Store, StoreError, UnknownOutcome, Verdict,
};

/// Many times the workers, so that two of them rarely want the same lock.
const SHARDS: usize = 64;

/// How many due items of one shard a full store looks at before it refuses a claim.
const MANY: usize = 64;

/// A [`Store`] in the memory of this process.
///
/// It is for **one replica**: another process knows nothing of its records, and would run a retry
/// that reaches it a second time. A restart forgets everything, so a retry of before runs again after.
/// Where either matters, take a store outside the process.
///
/// Clones are handles to the same records. No call waits: each is finished when it is first polled,
/// except [`changed`](Store::changed).
///
/// # Memory
///
/// A record leaves when its retention is over and never earlier: to evict one, even a finished one
/// under memory pressure, would run its retry a second time. So a store that is full refuses new
/// claims with [`StoreError::full`] (the client gets 503) until something is over. It is full at
/// [`max_entries`](MemoryStoreBuilder::max_entries) or
/// [`max_bytes`](MemoryStoreBuilder::max_bytes), whichever comes first.
///
/// One caller fills at most half of either bound: a layer tells the store whose claim it is, unless its scope is
/// [`KeyScope::everyone`](crate::KeyScope::everyone), and past its half a caller's new claims are refused, and nobody
/// else's. That protects many callers from one, and not from several that act together: limit the rate of new callers
/// before the layer.
///
/// The answer of a granted claim is always admitted, since losing it would be worse. The bound can
/// thus be passed by the number of requests in flight times `max_response`.
///
/// What is over is dropped by later calls, a few records each; there is no thread, and no pause in
/// which all records are looked at. An idle store keeps what it has until the next calls come. A record
/// among others of a slightly longer `ttl` may be dropped late, by an eighth of its own at most.
///
/// # Examples
///
/// ```
/// use idempotency_actix::MemoryStore;
///
/// let store = MemoryStore::builder()
///     .max_entries(100_000)
///     .max_bytes(64 * 1024 * 1024)
///     .build();
/// assert!(store.is_empty());
/// ```
#[derive(Clone)]
pub struct MemoryStore(Arc<Inner>);

struct Inner {
    clock: Clock,
    hash: IdHash,
    shards: Box<[LockedShard]>,
    capacity: Capacity,
    wakeups: Arc<Wakeups>,
}

/// Which store it was, without its records.
pub(crate) struct StoreIdentity(Weak<Inner>);

impl PartialEq for StoreIdentity {
    fn eq(&self, other: &Self) -> bool {
        self.0.ptr_eq(&other.0)
    }
}

/// On cache lines of its own, so that two cores at two shards do not slow each other down.
#[repr(align(128))]
struct LockedShard(Mutex<Shard>);

impl MemoryStore {
    /// A store with the default bounds on the monotonic clock.
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// A store with bounds and clock of choice.
    pub fn builder() -> MemoryStoreBuilder {
        MemoryStoreBuilder {
            max_entries: 2_000_000,
            max_bytes: 1024 * 1024 * 1024,
            clock: Clock::monotonic(),
        }
    }

    /// How many records are kept. What is over counts until a call has dropped it, and so does a
    /// remembered generation (point 7 of the [contract](Store#contract)).
    pub fn len(&self) -> usize {
        self.0.capacity.entries()
    }

    /// Whether no record is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Octets that count towards [`max_bytes`](MemoryStoreBuilder::max_bytes) now.
    pub fn bytes(&self) -> usize {
        self.0.capacity.bytes()
    }

    /// Which store it is, for whoever must not keep it.
    pub(crate) fn identity(&self) -> StoreIdentity {
        StoreIdentity(Arc::downgrade(&self.0))
    }

    fn shard(&self, id: &RecordId) -> usize {
        // The map inside a shard goes by the low bits and the top seven.
        (self.0.hash.hash_one(id) >> 48) as usize % SHARDS
    }

    /// One atomic step. The clock is read under the lock, so time never runs back in a record.
    fn step<T>(&self, shard: usize, act: impl FnOnce(&mut Shard, u64, &Capacity) -> T) -> T {
        let mut shard = self.0.shards[shard].lock();
        let now = nanos(self.0.clock.now());
        act(&mut shard, now, &self.0.capacity)
    }

    /// One atomic step that those who wait for the record want to hear of.
    fn change<T>(&self, id: &RecordId, act: impl FnOnce(&mut Shard, u64, &Capacity) -> T) -> T {
        let done = self.step(self.shard(id), act);
        self.0.wakeups.wake(id);
        done
    }

    /// Drops what is over, shard by shard from `first` on, until there is room for a claim.
    fn make_room(&self, first: usize, caller: Option<CallerId>) -> bool {
        (first..first + SHARDS).any(|shard| {
            self.step(shard % SHARDS, |shard, now, capacity| {
                shard.sweep(MANY, now, capacity);
                capacity.is_left_for(caller)
            })
        })
    }
}

impl LockedShard {
    /// A panic under the lock leaves a shard whole: nothing in it runs foreign code half-way.
    fn lock(&self) -> MutexGuard<'_, Shard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

/// Shows how much is kept, and nothing of it.
impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("len", &self.len())
            .field("bytes", &self.bytes())
            .finish_non_exhaustive()
    }
}

impl Store for MemoryStore {
    async fn begin(&self, id: &RecordId, claim: &Claim) -> Result<Begun, StoreError> {
        let at = self.shard(id);
        let begin = || {
            self.step(at, |shard, now, capacity| {
                shard.begin(id, claim, now, capacity)
            })
        };
        if let Some(begun) = begin() {
            return Ok(begun);
        }
        self.make_room(at, claim.caller());
        begin().ok_or_else(StoreError::full)
    }

    async fn renew(&self, id: &RecordId, claim: &Claim) -> Result<Renewed, StoreError> {
        Ok(self.step(self.shard(id), |shard, now, capacity| {
            shard.renew(id, claim, now, capacity)
        }))
    }

    async fn complete(
        &self,
        id: &RecordId,
        claim: &Claim,
        finished: &Finished,
        ttl: Duration,
    ) -> Result<Completion, StoreError> {
        // Copied before the lock is taken.
        let finished = finished.compact();
        Ok(self.change(id, |shard, now, capacity| {
            shard.complete(id, claim, &finished, ttl, now, capacity)
        }))
    }

    async fn release(&self, id: &RecordId, claim: &Claim) -> Result<Released, StoreError> {
        Ok(self.change(id, |shard, now, capacity| {
            shard.release(id, claim, now, capacity)
        }))
    }

    async fn inspect(&self, id: &RecordId) -> Result<Option<Record>, StoreError> {
        Ok(self.step(self.shard(id), |shard, now, _| shard.inspect(id, now)))
    }

    async fn resolve(
        &self,
        id: &RecordId,
        seen: &AttemptId,
        verdict: &Verdict,
    ) -> Result<Resolved, StoreError> {
        let compact = match verdict {
            Verdict::Finished(finished, ttl) => Some(Verdict::Finished(finished.compact(), *ttl)),
            _ => None,
        };
        let verdict = compact.as_ref().unwrap_or(verdict);
        Ok(self.change(id, |shard, now, capacity| {
            shard.resolve(id, seen, verdict, now, capacity)
        }))
    }

    /// Looks shard by shard at what is in flight or unknown, and at nothing that is finished.
    async fn unknown(&self, after: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
        let after = after.map(Cursor::time_and_id).transpose();
        let after = after.map_err(StoreError::refused)?;
        let mut found = Vec::new();
        for shard in 0..SHARDS {
            found.extend(self.step(shard, |shard, now, _| shard.unknown(now)));
        }
        let place = |(id, listed): &(RecordId, Listed)| (listed.alive_at, *id);
        found.retain(|it| after.is_none_or(|after| place(it) > after));
        found.sort_unstable_by_key(place);
        let is_last = found.len() <= limit;
        found.truncate(limit);
        let next = found.last().filter(|_| !is_last);
        let next = next.map(|(id, listed)| Cursor::behind(listed.alive_at, id));
        let (now, today) = (self.0.clock.now(), SystemTime::now());
        let outcomes = found.into_iter().map(|(id, listed)| {
            let quiet = now.saturating_sub(Duration::from_nanos(listed.alive_at));
            let last_seen = today.checked_sub(quiet).unwrap_or(UNIX_EPOCH);
            let Listed {
                attempt,
                description,
                lease,
                ..
            } = listed;
            UnknownOutcome::new(id, attempt, description, last_seen, lease)
        });
        Ok(Page::new(outcomes.collect(), next))
    }

    /// Resolves at the next completion, release or verdict of this record. A lease that runs out wakes
    /// nobody.
    async fn changed(&self, id: &RecordId) {
        let place = self.0.wakeups.enter(id, usize::MAX, usize::MAX);
        place.expect("a place without a limit").woken().await;
    }

    /// Fails while the store is full.
    async fn health(&self) -> Result<(), StoreError> {
        if self.0.capacity.is_left() || self.make_room(0, None) {
            return Ok(());
        }
        Err(StoreError::full())
    }
}

/// Sets the bounds and the clock of a [`MemoryStore`].
#[derive(Clone, Debug)]
#[must_use]
pub struct MemoryStoreBuilder {
    max_entries: usize,
    max_bytes: usize,
    clock: Clock,
}

impl MemoryStoreBuilder {
    /// How many records may be kept; 2,000,000 by default, a day of 23 a second. A caller may have half of them.
    ///
    /// Lower, and a busy hour is answered 503; higher, and a flood of keys fills the memory. At 0
    /// every new claim is refused.
    pub fn max_entries(self, max_entries: usize) -> Self {
        Self {
            max_entries,
            ..self
        }
    }

    /// How many octets may be kept; 1 GiB by default, room for more than a million typical records. A caller may have
    /// half of them.
    ///
    /// A record counts with 256 octets, its answer's
    /// [`StoredResponse::size`](crate::store::StoredResponse::size) and 80 for each header line, which is what
    /// they take in memory: a body or a header's value that is part of a larger buffer is copied out of it. At 0, or anything below 256, every new claim is refused.
    pub fn max_bytes(self, max_bytes: usize) -> Self {
        Self { max_bytes, ..self }
    }

    /// The clock that leases and retention go by; the monotonic one by default. Tests pass one that
    /// they move, and keep a clone.
    pub fn clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// Makes the store, empty.
    pub fn build(self) -> MemoryStore {
        let hash = IdHash::random();
        let shard = |_| LockedShard(Mutex::new(Shard::new(hash)));
        MemoryStore(Arc::new(Inner {
            clock: self.clock,
            hash,
            shards: (0..SHARDS).map(shard).collect(),
            capacity: Capacity::new(self.max_entries, self.max_bytes),
            wakeups: Arc::default(),
        }))
    }
}

#[cfg(test)]
mod tests;
