//! Renews leases, so that a running owner is not taken for dead. It does not know who holds a claim, nor what a lost one
//! means to a client.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::Notify;

use super::background::Background;
use super::guarded::guarded;
use super::lease::{Lease, Moment};
use super::renewal_schedule::{Due, Schedule};
use crate::store::{Begun, ErasedStore, Renewed, StoreError};
use crate::telemetry::{Chain, Incident, answered, incident};

/// How many renewals are on the way at a time.
const MOST: usize = 4096;

/// How many are taken under one lock, which workers wait for.
const FEW: usize = 32;

#[derive(Clone)]
pub(crate) struct Renewals(Arc<Shared>);

struct Shared {
    store: Arc<dyn ErasedStore>,
    background: Background,
    state: Mutex<State>,
    wake: Notify,
}

struct State {
    schedule: Schedule,
    /// Whether the job that renews was started, and has not ended.
    is_attended: bool,
}

impl Renewals {
    pub(super) fn new(store: Arc<dyn ErasedStore>, background: Background) -> Self {
        Self(Arc::new(Shared {
            store,
            background,
            state: Mutex::new(State {
                schedule: Schedule::new(),
                is_attended: false,
            }),
            wake: Notify::new(),
        }))
    }

    /// Renews the claim until the renewal is dropped, the claim is lost, or it ran too long.
    pub(super) fn renew(&self, lease: Arc<Lease>, timeout: Duration) -> Renewal {
        let mut state = self.0.lock();
        let (slot, is_early) = state.schedule.admit(lease, timeout);
        let is_attended = std::mem::replace(&mut state.is_attended, true);
        drop(state);
        if !is_attended {
            let shared = Arc::clone(&self.0);
            self.0.background.run(move || attend(Arc::clone(&shared)));
        } else {
            self.0.background.attend();
            if is_early {
                self.0.wake.notify_one();
            }
        }
        Renewal {
            shared: Arc::clone(&self.0),
            slot,
        }
    }

    /// The leases of all claims that somebody holds.
    pub(super) fn leases(&self) -> Vec<Arc<Lease>> {
        self.0.lock().schedule.leases()
    }

    /// Sees that the layer is gone.
    pub(super) fn close(&self) {
        self.0.wake.notify_one();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the job that renews, if the layer is gone and with it the last claim.
    fn ends(&self) -> bool {
        if !self.background.is_closed() {
            return false;
        }
        let mut state = self.lock();
        state.is_attended = !state.schedule.is_empty();
        !state.is_attended
    }
}

async fn attend(shared: Arc<Shared>) {
    shared.lock().schedule.plan_again();
    let mut running = FuturesUnordered::new();
    loop {
        let now = Instant::now();
        let mut is_all = false;
        while running.len() < MOST && !is_all {
            let due = shared.lock().schedule.take(now, FEW);
            is_all = due.len() < FEW;
            running.extend(due.into_iter().map(|due| renew(&shared, due)));
            // Most stores answer some at once, and room for more is made before time goes on.
            while let Some(Some(())) = running.next().now_or_never() {}
            tokio::task::yield_now().await;
        }
        if running.is_empty() && shared.ends() {
            return;
        }
        let next_look = shared.lock().schedule.look_again(now);
        tokio::select! {
            () = shared.wake.notified() => {}
            () = tokio::time::sleep_until(next_look.into()), if running.len() < MOST => {}
            Some(()) = running.next() => {}
        }
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

fn renew(shared: &Arc<Shared>, due: Due) -> impl Future<Output = ()> + use<> {
    let shared = Arc::clone(shared);
    async move {
        let Due {
            slot,
            lease,
            timeout,
        } = due;
        if lease.ran_too_long() {
            lease.seat.give_up();
            let cause = "the handler or its stream takes longer than `max_run`";
            return incident(Incident::RanTooLong, &lease, &cause);
        }
        let asked = Moment::now();
        let answer = guarded(timeout, || sign_of_life(&*shared.store, &lease)).await;
        match answer {
            Ok(Renewed::Alive) => {
                lease.renewed(asked);
                answered();
                let due = lease.renewal_due();
                shared.lock().schedule.plan(slot, &lease, due);
            }
            // A claim that ended in the meantime is lost by rights.
            Ok(Renewed::Lost) if shared.lock().schedule.has(slot, &lease) => {
                lease.lose();
                lease.seat.give_up();
                incident(Incident::ClaimLost, &lease, &"the store has another record");
            }
            Ok(Renewed::Lost) => {}
            Err(error) => {
                incident(Incident::RenewalFailed, &lease, &Chain(&error));
                // Often while that can still save the lease. Past it, an outage must not cost the work of many.
                let is_over = lease.since_acked() > lease.claim.lease();
                let parts = if is_over { 3 } else { 12 };
                let due = Instant::now() + lease.claim.lease() / parts;
                shared.lock().schedule.plan(slot, &lease, due);
            }
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
        let mut state = self.shared.lock();
        let lease = state.schedule.remove(self.slot);
        let is_last = state.schedule.is_empty();
        drop(state);
        lease.seat.give_up();
        if is_last && self.shared.background.is_closed() {
            self.shared.wake.notify_one();
        }
    }
}
