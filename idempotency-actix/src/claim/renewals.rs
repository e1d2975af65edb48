//! The thread that keeps claims alive and finishes what a worker could not finish.
//!
//! One thread a layer, started by the first claim. It is not a worker's: a handler that blocks its
//! worker would stop the worker's renewals too, and a living owner would be called dead.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use slab::Slab;
use tokio::sync::Notify;

use super::deadline::deadline;
use super::lease::{Lease, Moment};
use crate::store::{Begun, ErasedStore, Renewed, StoreError};
use crate::telemetry::{Chain, Incident, incident};

/// How long the thread sleeps when nothing is due.
const IDLE: Duration = Duration::from_secs(3600);

type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

#[derive(Clone)]
pub(crate) struct Renewals(Arc<Shared>);

struct Shared {
    store: Arc<dyn ErasedStore>,
    schedule: Mutex<Schedule>,
    wake: Notify,
}

struct Schedule {
    claims: Slab<Planned>,
    jobs: Vec<Job>,
    /// When the thread looks next; an earlier due date has to wake it.
    next_look: Instant,
    /// The shortest time in which a new claim became due.
    shortest: Duration,
    /// Whether there was a new claim since the thread looked.
    is_busy: bool,
    started: bool,
    closed: bool,
}

struct Planned {
    lease: Arc<Lease>,
    due: Instant,
    /// The deadline of a renewal.
    timeout: Duration,
}

impl Renewals {
    pub(crate) fn new(store: Arc<dyn ErasedStore>) -> Self {
        Self(Arc::new(Shared {
            store,
            schedule: Mutex::new(Schedule {
                claims: Slab::new(),
                jobs: Vec::new(),
                next_look: Instant::now() + IDLE,
                shortest: IDLE,
                is_busy: false,
                started: false,
                closed: false,
            }),
            wake: Notify::new(),
        }))
    }

    /// Renews the claim until the renewal is dropped, the claim is lost, or it ran too long.
    pub(crate) fn renew(&self, lease: Arc<Lease>, timeout: Duration) -> Renewal {
        let due = lease.renewal_due();
        let mut schedule = self.0.lock();
        schedule.shortest = schedule.shortest.min(lease.claim.lease() / 3);
        schedule.is_busy = true;
        let slot = schedule.claims.insert(Planned {
            lease,
            due,
            timeout,
        });
        self.attend(schedule, due);
        Renewal {
            shared: Arc::clone(&self.0),
            slot,
        }
    }

    /// Runs a job on the renewing thread.
    pub(crate) fn run(&self, job: impl Future<Output = ()> + Send + 'static) {
        let mut schedule = self.0.lock();
        schedule.jobs.push(Box::pin(job));
        self.attend(schedule, Instant::now());
    }

    /// Whether the layer is gone, and jobs should give up rather than wait.
    pub(crate) fn is_closed(&self) -> bool {
        self.0.lock().closed
    }

    /// Lets the thread end when its jobs have.
    pub(crate) fn close(&self) {
        self.0.lock().closed = true;
        self.0.wake.notify_one();
    }

    /// Makes sure that the thread is there and looks no later than `due`.
    fn attend(&self, mut schedule: MutexGuard<'_, Schedule>, due: Instant) {
        let wake = due < schedule.next_look;
        let start = !std::mem::replace(&mut schedule.started, true);
        drop(schedule);
        if start {
            let shared = Arc::clone(&self.0);
            let thread = std::thread::Builder::new().name("idempotency-renewals".into());
            if let Err(error) = thread.spawn(move || run(&shared)) {
                self.0.lock().started = false;
                tracing::error!(%error, "claims are not renewed: no thread to do it");
            }
        } else if wake {
            self.0.wake.notify_one();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Schedule> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what is due, and says when to look again.
    fn take_due(self: &Arc<Self>, now: Instant) -> (Vec<Job>, Instant) {
        let mut schedule = self.lock();
        let mut jobs = std::mem::take(&mut schedule.jobs);
        // The next claim will not be due before that. To sleep for longer would mean to be woken by
        // it, though it is finished long before it is due: a context switch for each request.
        let is_busy = std::mem::take(&mut schedule.is_busy);
        let mut next_look = now + if is_busy { schedule.shortest } else { IDLE };
        for (slot, renewal) in &mut schedule.claims {
            if renewal.due <= now {
                // Not due again until the answer to this one is there.
                renewal.due = now + IDLE;
                let lease = Arc::clone(&renewal.lease);
                jobs.push(Box::pin(renew(
                    Arc::clone(self),
                    slot,
                    lease,
                    renewal.timeout,
                )));
            }
            next_look = next_look.min(renewal.due);
        }
        schedule.next_look = next_look;
        (jobs, next_look)
    }

    /// Plans the next renewal, unless the slot has another tenant by now.
    fn plan(&self, slot: usize, lease: &Arc<Lease>, due: Instant) {
        let mut schedule = self.lock();
        let renewal = schedule.claims.get_mut(slot);
        if let Some(renewal) = renewal.filter(|renewal| Arc::ptr_eq(&renewal.lease, lease)) {
            renewal.due = due;
        }
    }
}

fn run(shared: &Arc<Shared>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(attend(shared)),
        Err(error) => tracing::error!(%error, "claims are not renewed: no runtime to do it on"),
    }
}

async fn attend(shared: &Arc<Shared>) {
    let mut running = FuturesUnordered::new();
    loop {
        let (due, next_look) = shared.take_due(Instant::now());
        running.extend(due.into_iter().map(contained));
        if running.is_empty() && shared.lock().closed {
            return;
        }
        tokio::select! {
            () = shared.wake.notified() => {}
            () = tokio::time::sleep_until(next_look.into()) => {}
            Some(()) = running.next() => {}
        }
    }
}

/// A job whose panic, a store's perhaps, does not take the thread and every other claim along.
async fn contained(job: Job) {
    if AssertUnwindSafe(job).catch_unwind().await.is_err() {
        let cause = "the store panicked";
        incident(Incident::Abandoned, &"background work on a claim", &cause);
    }
}

/// Renews the claim, or asks for it again where the handler runs without.
async fn sign_of_life(store: &dyn ErasedStore, lease: &Lease) -> Result<Renewed, StoreError> {
    if lease.is_granted() {
        return store.renew(&lease.id, &lease.claim).await;
    }
    match store.begin(&lease.id, &lease.claim).await? {
        Begun::Claimed { .. } => {
            lease.grant();
            Ok(Renewed::Alive)
        }
        Begun::Found(_) => Ok(Renewed::Lost),
    }
}

async fn renew(shared: Arc<Shared>, slot: usize, lease: Arc<Lease>, timeout: Duration) {
    if lease.ran_too_long() {
        lease.seat.give_up();
        let cause = "the handler or its stream takes longer than `max_run`";
        return incident(Incident::RanTooLong, &lease, &cause);
    }
    let asked = Moment::now();
    let answer = deadline(timeout, sign_of_life(&*shared.store, &lease)).await;
    let still_running = shared.lock().claims.get(slot).is_some_and(|renewal| {
        // A claim that ended in the meantime is lost by rights.
        Arc::ptr_eq(&renewal.lease, &lease)
    });
    match answer {
        Ok(Renewed::Alive) => {
            lease.renewed(asked);
            shared.plan(slot, &lease, lease.renewal_due());
        }
        Ok(Renewed::Lost) if still_running => {
            lease.lose();
            lease.seat.give_up();
            incident(Incident::ClaimLost, &lease, &"the store has another record");
        }
        Ok(Renewed::Lost) => {}
        Err(error) => {
            tracing::warn!(?lease, error = %Chain(&error), "a claim could not be renewed, trying again");
            shared.plan(slot, &lease, Instant::now() + lease.claim.lease() / 12);
        }
    }
}

/// Keeps a claim alive while it exists. With it ends the seat, if it was not given up before.
pub(crate) struct Renewal {
    shared: Arc<Shared>,
    slot: usize,
}

impl Drop for Renewal {
    fn drop(&mut self) {
        let renewal = self.shared.lock().claims.remove(self.slot);
        renewal.lease.seat.give_up();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::MemoryStore;

    #[test]
    fn a_panicking_job_does_not_end_the_thread() {
        let renewals = Renewals::new(Arc::new(MemoryStore::new()));
        let (sender, receiver) = mpsc::channel();
        renewals.run(async { panic!("a store's mistake") });
        renewals.run(async move { sender.send(()).expect("a waiting test") });
        let done = receiver.recv_timeout(Duration::from_secs(30));
        assert_eq!(done, Ok(()));
        renewals.close();
    }
}
