//! A granted claim in the hands of its owner, who renews, completes or releases it. It knows no HTTP, and not what its
//! owner tells a client.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::activity::Running;
use super::budget::Share;
use super::claims::Claims;
use super::guarded::guarded;
use super::lease::{Lease, Moment};
use super::parked::Parked;
use super::recording::{Recorded, Tried, can_write, record};
use super::renewals::Renewal;
use crate::store::{Finished, Released, Renewed, State};
use crate::telemetry::{Chain, Incident, incident};

/// How long a finished answer may be held back for a second try to record it.
const SECOND_TRY: Duration = Duration::from_millis(500);

/// The right to run a handler, kept alive until it is completed, released or dropped.
///
/// Dropping it stops its renewal and nothing else: the record becomes unknown when its lease is
/// over, which is the truth about a handler that was cut off.
pub(crate) struct HeldClaim {
    claims: Rc<Claims>,
    lease: Arc<Lease>,
    /// `None` once it is given up.
    renewal: Option<Renewal>,
    timeout: Duration,
    /// Whether its handler was started, and how it ended is not said yet.
    is_running: Cell<bool>,
    _counted: Running,
}

impl HeldClaim {
    /// Keeps a claim alive that the store granted, or that it is still asked for while the handler runs.
    pub(crate) fn hold(claims: &Rc<Claims>, lease: Lease, timeout: Duration) -> Self {
        let lease = Arc::new(lease);
        Self {
            renewal: Some(claims.renewals.renew(Arc::clone(&lease), timeout)),
            _counted: claims.activity.run(),
            claims: Rc::clone(claims),
            lease,
            timeout,
            is_running: Cell::new(false),
        }
    }

    /// Notes that its handler is called now: from here on it does not end without a word.
    pub(crate) fn start(&self) {
        self.is_running.set(true);
    }

    pub(crate) fn lease(&self) -> &Arc<Lease> {
        &self.lease
    }

    /// What its stream holds of the octets that all streams of the layer may.
    pub(crate) fn share_of_streams(&self) -> Share {
        self.claims.streams.share()
    }

    /// Whether so much of its lease has passed already that a granted claim is not to be believed.
    pub(crate) fn is_late(&self) -> bool {
        let lease = &self.lease;
        lease.is_granted() && lease.since_acked() > lease.claim.lease() / 3
    }

    /// Renews the claim before the handler starts, where too much of its lease has passed already.
    /// `false` if it could not be: then somebody else may have it.
    pub(crate) async fn confirm(&self) -> bool {
        let lease = &self.lease;
        let asked = Moment::now();
        let call = || self.claims.store.renew(&lease.id, &lease.claim);
        match guarded(self.timeout, call).await {
            Ok(Renewed::Alive) => {
                lease.renewed(asked);
                true
            }
            Ok(Renewed::Lost) => false,
            Err(error) => {
                incident(Incident::ClaimFailed, lease, &Chain(&error));
                release_later(&self.claims, lease, self.timeout);
                false
            }
        }
    }

    /// Gives the claim up: the handler provably did not act. Goes on in the background if it must.
    pub(crate) async fn release(mut self) {
        // Whoever is woken by the release needs the seat.
        self.renewal = None;
        let Self { claims, lease, .. } = &self;
        let timeout = self.timeout;
        let call = || claims.store.release(&lease.id, &lease.claim);
        match guarded(timeout, call).await {
            Ok(Released::Released) => Box::pin(claims.retries.released(&lease.id)).await,
            // A try to claim may still be on its way.
            Ok(Released::NotOwner) if !lease.is_granted() => release_later(claims, lease, timeout),
            Ok(Released::NotOwner) => {
                let cause = "the record is another attempt's or a verdict's";
                incident(Incident::ReleaseFailed, lease, &cause);
            }
            Err(error) => {
                incident(Incident::ReleaseFailed, lease, &Chain(&error));
                release_later(claims, lease, timeout);
            }
        }
        self.is_running.set(false);
    }

    /// Records how the operation ended. What the store does not take in two tries is retried in the
    /// background, with the claim kept alive; what is refused, until another attempt has ended.
    pub(crate) async fn complete(&self, finished: &Finished, ttl: Duration) -> Recorded {
        let Self { claims, lease, .. } = self;
        let record = |timeout| record(&*claims.store, lease, finished, ttl, timeout);
        let mut tried = record(self.timeout).await;
        if let Tried::Failed(_) = tried {
            tried = Box::pin(record(SECOND_TRY.min(self.timeout))).await;
        }
        let parked = || Parked {
            lease: Arc::clone(lease),
            finished: finished.compact(),
            ttl,
            timeout: self.timeout,
        };
        match tried {
            Tried::Stored => claims.waiters.wake(&lease.id),
            Tried::Failed(_) => claims.retries.complete(parked()),
            Tried::Refused => {
                let cause = "another attempt or a verdict owns the record";
                incident(Incident::CompleteRefused, lease, &cause);
                claims.retries.contest(parked());
            }
            Tried::TooOld => {}
        }
        self.is_running.set(false);
        Recorded::from(tried)
    }

    /// Whether the store takes a sign of life, which is a write, so that it is not down.
    pub(crate) async fn can_write(&self) -> bool {
        can_write(&*self.claims.store, &self.lease, self.timeout).await
    }

    /// How far the record came that stands in the way of the own answer. What belongs to another request is
    /// nobody's business here.
    pub(crate) async fn found(&self) -> State {
        let claim = &self.lease.claim;
        let call = || self.claims.store.inspect(&self.lease.id);
        let record = guarded(self.timeout, call).await.ok().flatten();
        match record.filter(|record| record.fingerprint == *claim.fingerprint()) {
            Some(record) => record.state,
            None => State::Unknown {
                lease: claim.lease(),
            },
        }
    }
}

/// Says that a handler was cut off: nobody can tell whether its effect was undone with it.
impl Drop for HeldClaim {
    fn drop(&mut self) {
        if self.is_running.get() && !self.lease.is_abandoned() {
            let cause = "something between it and its layer cut it off, or the server stopped: its outcome is \
                unknown once its lease is over; time-outs belong outside of the layer";
            incident(Incident::CutOff, &self.lease, &cause);
        }
    }
}

fn release_later(claims: &Claims, lease: &Lease, timeout: Duration) {
    let claim = lease.claim.clone();
    claims.retries.release(lease.id, claim, timeout);
}
