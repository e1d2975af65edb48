//! Finished answers that the store did not take in time, and claims that could not be given up.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBuilder};

use super::deadline::deadline;
use super::lease::Lease;
use super::recording::{Recorded, record};
use super::renewals::Renewals;
use super::waiters::Waiters;
use crate::store::{Claim, ErasedStore, Finished, RecordId, Released};
use crate::telemetry::{Incident, incident};

/// Bodies that wait for the store: 64 MiB. Past it the oldest answer is recorded as *not kept*.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// Answers that wait for the store. Past it the oldest is given up, and its record becomes unknown.
const MAX_ANSWERS: usize = 65_536;

/// Claims that wait for their release. Past it another one is left to become unknown.
const MAX_RELEASES: usize = 65_536;

/// Retries on the renewing thread what must not be lost.
pub(crate) struct Retries {
    store: Arc<dyn ErasedStore>,
    renewals: Renewals,
    waiters: Arc<Waiters>,
    queue: Mutex<Queue>,
    releases: AtomicUsize,
}

/// What waits, oldest first. Its size is counted and not summed up: an outage fills it.
#[derive(Default)]
struct Queue {
    answers: BTreeMap<u64, Arc<Parked>>,
    bytes: usize,
    /// The number of the next answer.
    next: u64,
    /// The oldest that may still be whole.
    first_whole: u64,
}

/// One answer on its way; `None` once it was given up.
struct Parked(Mutex<Option<Finished>>);

impl Retries {
    pub(crate) fn new(
        store: Arc<dyn ErasedStore>,
        renewals: Renewals,
        waiters: Arc<Waiters>,
    ) -> Arc<Self> {
        Arc::new(Self {
            store,
            renewals,
            waiters,
            queue: Mutex::default(),
            releases: AtomicUsize::new(0),
        })
    }

    /// Retries a `complete`, and keeps the claim alive meanwhile.
    pub(crate) fn complete(
        self: &Arc<Self>,
        lease: Arc<Lease>,
        finished: Finished,
        ttl: Duration,
        timeout: Duration,
    ) {
        lease.answer();
        let renewal = self.renewals.renew(Arc::clone(&lease), timeout);
        let parked = Arc::new(Parked(Mutex::new(Some(finished))));
        let number = self.queue().admit(Arc::clone(&parked));
        let retries = Arc::clone(self);
        self.renewals.run(async move {
            retries.deliver(&parked, &lease, ttl, timeout).await;
            retries.queue().remove(number);
            drop(renewal);
        });
    }

    /// Repeats a `release` by token until two leases have passed since the store last failed: the claim
    /// may not even have landed yet, and lands when a store that stood still goes on.
    pub(crate) fn release(self: &Arc<Self>, id: RecordId, claim: Claim, timeout: Duration) {
        if self.releases.fetch_add(1, Ordering::Relaxed) >= MAX_RELEASES {
            self.releases.fetch_sub(1, Ordering::Relaxed);
            let cause = "too many claims wait for their release";
            return incident(Incident::ReleaseDropped, &id, &cause);
        }
        let retries = Arc::clone(self);
        self.renewals.run(async move {
            retries.repeat_release(&id, &claim, timeout).await;
            retries.releases.fetch_sub(1, Ordering::Relaxed);
        });
    }

    async fn repeat_release(&self, id: &RecordId, claim: &Claim, timeout: Duration) {
        let (start, watch) = (Instant::now(), claim.lease() * 2);
        let mut failed = start;
        for delay in delays(claim.lease() / 4) {
            let answer = deadline(timeout, self.store.release(id, claim)).await;
            let now = Instant::now();
            match answer {
                Ok(Released::Released) => return self.waiters.wake(id),
                Ok(Released::NotOwner) if now >= failed + watch => return,
                Ok(Released::NotOwner) => {}
                Err(_) => failed = now,
            }
            if now >= start + claim.retention() || self.renewals.is_closed() {
                let cause = "the store did not answer in all that time";
                return incident(Incident::ReleaseDropped, id, &cause);
            }
            tokio::time::sleep(delay).await;
        }
    }

    async fn deliver(&self, parked: &Parked, lease: &Lease, ttl: Duration, timeout: Duration) {
        for delay in delays(Duration::from_secs(5)) {
            tokio::time::sleep(delay).await;
            let Some(finished) = parked.lock().clone() else {
                let cause = "too many answers wait for the store";
                return incident(Incident::CompleteDropped, lease, &cause);
            };
            match record(&*self.store, lease, &finished, ttl, timeout).await {
                Recorded::Failed if self.renewals.is_closed() => {
                    let cause = "the layer was dropped before the store answered";
                    return incident(Incident::CompleteDropped, lease, &cause);
                }
                Recorded::Failed => {}
                Recorded::Stored => return self.waiters.wake(&lease.id),
                Recorded::Refused | Recorded::TooOld => return,
            }
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// Takes an answer in, at the cost of the oldest where the bounds are passed.
    fn admit(&mut self, parked: Arc<Parked>) -> u64 {
        let number = self.next;
        self.next += 1;
        self.bytes += parked.size();
        self.answers.insert(number, parked);
        if self.answers.len() > MAX_ANSWERS
            && let Some((_, oldest)) = self.answers.pop_first()
        {
            self.bytes -= oldest.size();
            *oldest.lock() = None;
        }
        while self.bytes > MAX_BYTES {
            let Some((&oldest, parked)) = self.answers.range(self.first_whole..).next() else {
                break;
            };
            self.bytes -= parked.lighten();
            self.first_whole = oldest + 1;
        }
        number
    }

    fn remove(&mut self, number: u64) {
        if let Some(parked) = self.answers.remove(&number) {
            self.bytes -= parked.size();
        }
    }
}

impl Parked {
    fn lock(&self) -> MutexGuard<'_, Option<Finished>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn size(&self) -> usize {
        match &*self.lock() {
            Some(Finished::Completed(response)) => response.size(),
            _ => 0,
        }
    }

    /// Drops the answer and keeps the fact; returns the bytes that are free now.
    fn lighten(&self) -> usize {
        let mut finished = self.lock();
        let Some(Finished::Completed(response)) = &*finished else {
            return 0;
        };
        let size = response.size();
        *finished = Some(Finished::NotKept(response.not_kept()));
        size
    }
}

/// Growing pauses with jitter, without an end: the caller knows when to stop.
fn delays(longest: Duration) -> impl Iterator<Item = Duration> {
    ExponentialBuilder::default()
        .with_min_delay(longest.min(Duration::from_millis(50)))
        .with_max_delay(longest)
        .with_jitter()
        .without_max_times()
        .build()
}

#[cfg(test)]
mod tests {
    use actix_web::http::StatusCode;
    use actix_web::web::Bytes;

    use super::*;
    use crate::store::StoredResponse;

    fn parked(bytes: usize) -> Arc<Parked> {
        let body = Some(Bytes::from(vec![0; bytes]));
        let response = StoredResponse::new(StatusCode::OK, [], body);
        Arc::new(Parked(Mutex::new(Some(Finished::Completed(response)))))
    }

    #[test]
    fn past_the_bytes_the_oldest_answers_are_lightened() {
        let mut queue = Queue::default();
        let answers = [(); 4].map(|()| parked(MAX_BYTES / 2));
        let numbers = answers.clone().map(|parked| queue.admit(parked));
        let sizes = answers.map(|parked| parked.size());
        assert_eq!(sizes, [0, 0, MAX_BYTES / 2, MAX_BYTES / 2]);
        assert_eq!(queue.bytes, MAX_BYTES);
        numbers.iter().for_each(|&number| queue.remove(number));
        assert_eq!((queue.bytes, queue.answers.len()), (0, 0));
    }

    #[test]
    fn past_the_count_the_oldest_answer_is_given_up() {
        let mut queue = Queue::default();
        let oldest = parked(1);
        queue.admit(Arc::clone(&oldest));
        for _ in 0..MAX_ANSWERS {
            queue.admit(parked(1));
        }
        assert!(oldest.lock().is_none());
        assert_eq!(queue.answers.len(), MAX_ANSWERS);
        assert_eq!(queue.bytes, MAX_ANSWERS);
    }
}
