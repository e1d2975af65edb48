//! Answers that could not be recorded, and what becomes of each. When one is tried again is up to the backlog.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::background::Background;
use super::backlog::{Backlog, Progress, Work};
use super::guarded::guarded;
use super::lease::Lease;
use super::parked_queue::{Queue, Waiting};
use super::recording::{Tried, can_write, record};
use super::renewals::Renewal;
use super::waiters::Waiters;
use crate::store::{
    ErasedStore, Finished, RecordId, State, StoreError, StoreErrorKind, shrink_map,
};
use crate::telemetry::{Chain, Gauge, Incident, incident};

/// The pause before the first try, after two that failed already.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// How often it is looked whether another attempt has ended.
const LOOKS: Duration = Duration::from_millis(500);

/// So often a store that takes the claim's renewal may refuse its answer, until it is the answer's fault.
const TRIES: u32 = 5;

/// The answers of one layer that wait.
pub(super) struct Answers {
    desk: Arc<Desk>,
    backlog: Backlog<Delivery>,
}

/// What all deliveries share.
struct Desk {
    store: Arc<dyn ErasedStore>,
    waiters: Arc<Waiters>,
    queue: Mutex<Queue>,
    /// Those that wait for the end of another attempt.
    contested: Mutex<HashMap<RecordId, Vec<u64>>>,
}

/// An answer to deliver, and what it needs on its way.
pub(super) struct Parked {
    pub(super) lease: Arc<Lease>,
    pub(super) finished: Finished,
    pub(super) ttl: Duration,
    pub(super) timeout: Duration,
}

struct Delivery {
    desk: Arc<Desk>,
    number: u64,
    answer: Arc<Waiting>,
    lease: Arc<Lease>,
    ttl: Duration,
    timeout: Duration,
    since: Instant,
    /// How often the store refused it and did something else.
    refused: AtomicU32,
    /// Keeps the claim alive, where it is not another attempt's.
    _renewal: Option<Renewal>,
}

impl Answers {
    pub(super) fn new(
        store: Arc<dyn ErasedStore>,
        background: &Background,
        waiters: Arc<Waiters>,
    ) -> Self {
        Self {
            desk: Arc::new(Desk {
                store,
                waiters,
                queue: Mutex::default(),
                contested: Mutex::default(),
            }),
            backlog: Backlog::new(background),
        }
    }

    /// Takes an answer that could not be recorded, with what keeps its claim alive.
    pub(super) fn park(&self, parked: Parked, renewal: Renewal) {
        self.push(parked, Some(renewal));
    }

    /// Takes an answer that was refused: perhaps for another attempt, which may end without one.
    pub(super) fn contest(&self, parked: Parked) {
        self.push(parked, None);
    }

    fn push(&self, parked: Parked, renewal: Option<Renewal>) {
        let Parked {
            lease,
            finished,
            ttl,
            timeout,
        } = parked;
        let answer = Waiting::new(finished);
        let (number, given_up) = self.desk.queue().admit(Arc::clone(&answer));
        if renewal.is_none() {
            self.desk.contest(&lease.id, number);
        }
        Gauge::WaitingAnswers.add(1);
        let now = Instant::now();
        let delivery = Delivery {
            desk: Arc::clone(&self.desk),
            number,
            answer,
            lease,
            ttl,
            timeout,
            since: now,
            refused: AtomicU32::new(0),
            _renewal: renewal,
        };
        self.backlog.push(number, delivery, now + FIRST_PAUSE);
        if let Some(number) = given_up {
            self.backlog.hasten(number);
        }
    }

    /// An attempt was released: an answer that it stood in the way of is recorded before anybody else comes, and
    /// those who wait look again.
    pub(super) async fn released(&self, id: &RecordId) {
        let numbers = self.desk.contested().get(id).cloned();
        for number in numbers.unwrap_or_default() {
            if let Some(delivery) = self.backlog.get(number)
                && delivery.attempt().await == Progress::Done
            {
                self.backlog.remove(number);
            }
        }
        self.desk.waiters.wake(id);
    }

    pub(super) fn len(&self) -> usize {
        self.backlog.len()
    }

    /// The leases of all that wait.
    pub(super) fn leases(&self) -> Vec<Arc<Lease>> {
        let deliveries = self.backlog.all().into_iter();
        deliveries
            .map(|delivery| Arc::clone(&delivery.lease))
            .collect()
    }

    pub(super) fn close(&self) {
        self.backlog.close();
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        Gauge::WaitingAnswers.subtract(1);
    }
}

impl Work for Delivery {
    async fn attempt(&self) -> Progress {
        let Some(finished) = self.answer.lock().clone() else {
            let cause = "too many answers wait for the store";
            incident(Incident::CompleteDropped, &self.lease, &cause);
            return self.done();
        };
        match self.record(&finished).await {
            Tried::Stored => {
                self.desk.waiters.wake(&self.lease.id);
                self.done()
            }
            Tried::TooOld => self.done(),
            Tried::Refused => self.refused(&finished).await,
            Tried::Failed(error) => self.failed(&finished, &error).await,
        }
    }

    fn longest_pause(&self) -> Duration {
        Duration::from_secs(1)
    }
}

impl Delivery {
    async fn record(&self, finished: &Finished) -> Tried {
        record(
            &*self.desk.store,
            &self.lease,
            finished,
            self.ttl,
            self.timeout,
        )
        .await
    }

    fn done(&self) -> Progress {
        self.desk.queue().remove(self.number);
        self.desk.uncontest(&self.lease.id, self.number);
        Progress::Done
    }

    /// Another attempt's claim may end without an answer. A finished record never does, and where there is none
    /// and the answer is refused all the same, an operator has decided.
    async fn refused(&self, finished: &Finished) -> Progress {
        let call = || self.desk.store.inspect(&self.lease.id);
        match guarded(self.timeout, call).await {
            Ok(Some(record)) => match record.state {
                State::Finished(_) => self.done(),
                State::InFlight | State::Unknown { .. } => {
                    self.desk.contest(&self.lease.id, self.number);
                    Progress::Again(LOOKS)
                }
            },
            // Unless it ended between the two calls.
            Ok(None) => match self.record(finished).await {
                Tried::Failed(_) => Progress::Failed,
                recorded => {
                    if let Tried::Stored = recorded {
                        self.desk.waiters.wake(&self.lease.id);
                    }
                    self.done()
                }
            },
            Err(_) => Progress::Failed,
        }
    }

    async fn failed(&self, finished: &Finished, error: &StoreError) -> Progress {
        if self.since.elapsed() >= self.lease.claim.retention() {
            let cause = "the store did not take it in all the time that the claim is kept";
            incident(Incident::CompleteDropped, &self.lease, &cause);
            return self.done();
        }
        let mut lessened = finished.lessened();
        if lessened.is_none() || error.kind() == StoreErrorKind::Full {
            return Progress::Failed;
        }
        if !can_write(&*self.desk.store, &self.lease, self.timeout).await {
            return Progress::Failed;
        }
        if self.refused.fetch_add(1, Ordering::Relaxed) + 1 < TRIES {
            return Progress::Failed;
        }
        self.refused.store(0, Ordering::Relaxed);
        // The answer itself is given up only when the store has taken the fact.
        while let Some(less) = lessened {
            if let Tried::Stored = self.record(&less).await {
                incident(Incident::ValueRefused, &self.lease, &Chain(error));
                self.desk.waiters.wake(&self.lease.id);
                return self.done();
            }
            lessened = less.lessened();
        }
        Progress::Failed
    }
}

impl Desk {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn contested(&self) -> MutexGuard<'_, HashMap<RecordId, Vec<u64>>> {
        self.contested
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn contest(&self, id: &RecordId, number: u64) {
        let mut contested = self.contested();
        let numbers = contested.entry(*id).or_default();
        if !numbers.contains(&number) {
            numbers.push(number);
        }
    }

    fn uncontest(&self, id: &RecordId, number: u64) {
        let mut contested = self.contested();
        if let Some(numbers) = contested.get_mut(id) {
            numbers.retain(|&other| other != number);
            if numbers.is_empty() {
                contested.remove(id);
                shrink_map(&mut contested);
            }
        }
    }
}
