//! Finished answers that the store did not take in time, and claims that could not be given up.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBuilder};

use crate::claim::deadline::deadline;
use crate::claim::lease::Tenure;
use crate::claim::renewals::Keeper;
use crate::request::record_id::RecordId;
use crate::run::waiting::Waiters;
use crate::store::{Claim, Completion, ErasedStore, Finished, Released};
use crate::telemetry::{Chain, Incident, incident};

/// Bodies that wait for the store: 64 MiB. Past it the oldest answer is recorded as *not kept*.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// Answers that wait for the store. Past it the oldest is given up, and its record becomes unknown.
const MAX_PARCELS: usize = 65_536;

/// Claims that wait for their release. Past it another one is left to become unknown.
const MAX_GHOSTS: usize = 65_536;

/// Retries on the keeper's thread what must not be lost.
pub(crate) struct Outbox {
    store: Arc<dyn ErasedStore>,
    keeper: Keeper,
    waiters: Arc<Waiters>,
    waiting: Mutex<Waiting>,
    ghosts: AtomicUsize,
}

/// What waits, oldest first. Its size is counted and not summed up: an outage fills it.
#[derive(Default)]
struct Waiting {
    parcels: BTreeMap<u64, Arc<Parcel>>,
    bytes: usize,
    /// The number of the next parcel.
    next: u64,
    /// The oldest parcel that may still hold an answer.
    heaviest: u64,
}

/// One answer on its way; `None` once it was given up.
struct Parcel(Mutex<Option<Finished>>);

impl Outbox {
    pub(crate) fn new(
        store: Arc<dyn ErasedStore>,
        keeper: Keeper,
        waiters: Arc<Waiters>,
    ) -> Arc<Self> {
        Arc::new(Self {
            store,
            keeper,
            waiters,
            waiting: Mutex::default(),
            ghosts: AtomicUsize::new(0),
        })
    }

    /// Retries a `complete`, and keeps the claim alive meanwhile.
    pub(crate) fn complete(
        self: &Arc<Self>,
        tenure: Arc<Tenure>,
        finished: Finished,
        ttl: Duration,
        timeout: Duration,
    ) {
        tenure.answer();
        let heartbeat = self.keeper.renew(Arc::clone(&tenure), timeout);
        let parcel = Arc::new(Parcel(Mutex::new(Some(finished))));
        let number = self.waiting().admit(Arc::clone(&parcel));
        let outbox = Arc::clone(self);
        self.keeper.run(async move {
            outbox.deliver(&parcel, &tenure, ttl, timeout).await;
            outbox.waiting().remove(number);
            drop(heartbeat);
        });
    }

    /// Repeats a `release` by token until two leases have passed since the store last failed: the claim
    /// may not even have landed yet, and lands when a store that stood still goes on.
    pub(crate) fn release(self: &Arc<Self>, id: RecordId, claim: Claim, timeout: Duration) {
        if self.ghosts.fetch_add(1, Ordering::Relaxed) >= MAX_GHOSTS {
            self.ghosts.fetch_sub(1, Ordering::Relaxed);
            let cause = "too many claims wait for their release";
            return incident(Incident::ReleaseDropped, &id, &cause);
        }
        let outbox = Arc::clone(self);
        self.keeper.run(async move {
            outbox.release_ghost(&id, &claim, timeout).await;
            outbox.ghosts.fetch_sub(1, Ordering::Relaxed);
        });
    }

    async fn release_ghost(&self, id: &RecordId, claim: &Claim, timeout: Duration) {
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
            if now >= start + claim.retention() || self.keeper.is_closed() {
                let cause = "the store did not answer in all that time";
                return incident(Incident::ReleaseDropped, id, &cause);
            }
            tokio::time::sleep(delay).await;
        }
    }

    async fn deliver(&self, parcel: &Parcel, tenure: &Tenure, ttl: Duration, timeout: Duration) {
        for delay in delays(Duration::from_secs(5)) {
            tokio::time::sleep(delay).await;
            let Some(finished) = parcel.lock().clone() else {
                let cause = "too many answers wait for the store";
                return incident(Incident::CompleteDropped, tenure, &cause);
            };
            match record(&*self.store, tenure, &finished, ttl, timeout).await {
                Recorded::Failed if self.keeper.is_closed() => {
                    let cause = "the layer was dropped before the store answered";
                    return incident(Incident::CompleteDropped, tenure, &cause);
                }
                Recorded::Failed => {}
                Recorded::Done => return self.waiters.wake(&tenure.id),
                Recorded::Refused | Recorded::TooOld => return,
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Takes a parcel in, at the cost of the oldest where the bounds are passed.
    fn admit(&mut self, parcel: Arc<Parcel>) -> u64 {
        let number = self.next;
        self.next += 1;
        self.bytes += parcel.size();
        self.parcels.insert(number, parcel);
        if self.parcels.len() > MAX_PARCELS
            && let Some((_, oldest)) = self.parcels.pop_first()
        {
            self.bytes -= oldest.size();
            *oldest.lock() = None;
        }
        while self.bytes > MAX_BYTES {
            let Some((&oldest, parcel)) = self.parcels.range(self.heaviest..).next() else {
                break;
            };
            self.bytes -= parcel.lighten();
            self.heaviest = oldest + 1;
        }
        number
    }

    fn remove(&mut self, number: u64) {
        if let Some(parcel) = self.parcels.remove(&number) {
            self.bytes -= parcel.size();
        }
    }
}

impl Parcel {
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

/// What became of one try to record an answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Recorded {
    Done,
    /// Another attempt or a verdict owns the record.
    Refused,
    /// So much time has passed that an absent record may be another attempt's.
    TooOld,
    /// Nobody knows; it may be tried again.
    Failed,
}

/// Tries once to record an answer. Never again after an answer that says yes or no.
pub(crate) async fn record(
    store: &dyn ErasedStore,
    tenure: &Tenure,
    finished: &Finished,
    ttl: Duration,
    timeout: Duration,
) -> Recorded {
    if !tenure.may_record() {
        let cause = "the claim's retention has passed since its last sign of life";
        incident(Incident::CompleteDropped, tenure, &cause);
        return Recorded::TooOld;
    }
    let call = store.complete(&tenure.id, &tenure.claim, finished, ttl);
    match deadline(timeout, call).await {
        Ok(Completion::Recorded) => Recorded::Done,
        Ok(Completion::RecordedAbsent) => {
            let cause = "the store had lost the claim, and has the answer now";
            incident(Incident::RecordedAbsent, tenure, &cause);
            Recorded::Done
        }
        Ok(Completion::Refused) => {
            let cause = "another attempt or a verdict owns the record";
            incident(Incident::CompleteRefused, tenure, &cause);
            Recorded::Refused
        }
        Err(error) => {
            incident(Incident::CompleteFailed, tenure, &Chain(&error));
            Recorded::Failed
        }
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

    fn parcel(bytes: usize) -> Arc<Parcel> {
        let body = Some(Bytes::from(vec![0; bytes]));
        let response = StoredResponse::new(StatusCode::OK, [], body);
        Arc::new(Parcel(Mutex::new(Some(Finished::Completed(response)))))
    }

    #[test]
    fn past_the_bytes_the_oldest_answers_are_lightened() {
        let mut waiting = Waiting::default();
        let parcels = [(); 4].map(|()| parcel(MAX_BYTES / 2));
        let numbers = parcels.clone().map(|parcel| waiting.admit(parcel));
        let sizes = parcels.map(|parcel| parcel.size());
        assert_eq!(sizes, [0, 0, MAX_BYTES / 2, MAX_BYTES / 2]);
        assert_eq!(waiting.bytes, MAX_BYTES);
        numbers.iter().for_each(|&number| waiting.remove(number));
        assert_eq!((waiting.bytes, waiting.parcels.len()), (0, 0));
    }

    #[test]
    fn past_the_count_the_oldest_answer_is_given_up() {
        let mut waiting = Waiting::default();
        let oldest = parcel(1);
        waiting.admit(Arc::clone(&oldest));
        for _ in 0..MAX_PARCELS {
            waiting.admit(parcel(1));
        }
        assert!(oldest.lock().is_none());
        assert_eq!(waiting.parcels.len(), MAX_PARCELS);
        assert_eq!(waiting.bytes, MAX_PARCELS);
    }
}
