use std::sync::Arc;
use std::time::Duration;

use crate::claim::deadline::deadline;
use crate::claim::lease::{Moment, Tenure};
use crate::claim::renewals::Heartbeat;
use crate::claim::retries::{Recorded, record};
use crate::layer::shared::LayerHandle;
use crate::store::{Finished, Released, Renewed, State};
use crate::telemetry::{Chain, Incident, incident};

/// How long a finished answer may be held back for a second try to record it.
const SECOND_TRY: Duration = Duration::from_millis(500);

/// The right to run a handler, kept alive until it is completed, released or dropped.
///
/// Dropping it stops the heartbeat and nothing else: the record becomes unknown when its lease is
/// over, which is the truth about a handler that was cut off.
pub(crate) struct HeldClaim {
    layer: LayerHandle,
    tenure: Arc<Tenure>,
    heartbeat: Heartbeat,
    timeout: Duration,
}

impl HeldClaim {
    /// Keeps a claim alive that the store granted, or that it is still asked for while the handler runs.
    pub(crate) fn hold(layer: &LayerHandle, tenure: Tenure, timeout: Duration) -> Self {
        let tenure = Arc::new(tenure);
        Self {
            heartbeat: layer.keeper().renew(Arc::clone(&tenure), timeout),
            layer: layer.clone(),
            tenure,
            timeout,
        }
    }

    /// Whether so much of the lease has passed already that the claim is not to be believed.
    pub(crate) fn is_late(&self) -> bool {
        self.tenure.since_acked() > self.tenure.claim.lease() / 3
    }

    /// Renews the claim before the handler starts, where too much of its lease has passed already.
    /// `false` if it could not be: then somebody else may have it.
    pub(crate) async fn confirm(&self) -> bool {
        let Self { layer, tenure, .. } = self;
        let asked = Moment::now();
        let call = layer.store().renew(&tenure.id, &tenure.claim);
        match deadline(self.timeout, call).await {
            Ok(Renewed::Alive) => {
                tenure.renewed(asked);
                true
            }
            Ok(Renewed::Lost) => false,
            Err(error) => {
                incident(Incident::ClaimFailed, tenure, &Chain(&error));
                let claim = tenure.claim.clone();
                layer.outbox().release(tenure.id, claim, self.timeout);
                false
            }
        }
    }

    pub(crate) fn layer(&self) -> &LayerHandle {
        &self.layer
    }

    pub(crate) fn tenure(&self) -> &Arc<Tenure> {
        &self.tenure
    }

    /// Gives the claim up: the handler provably did not act. Goes on in the background if it must.
    pub(crate) async fn release(self) {
        let Self {
            layer,
            tenure,
            heartbeat,
            ..
        } = self;
        // Whoever is woken by the release needs the seat.
        drop(heartbeat);
        let call = layer.store().release(&tenure.id, &tenure.claim);
        match deadline(self.timeout, call).await {
            Ok(Released::Released) => layer.waiters().wake(&tenure.id),
            // A try to claim may still be on its way.
            Ok(Released::NotOwner) if !tenure.is_granted() => {
                let claim = tenure.claim.clone();
                layer.outbox().release(tenure.id, claim, self.timeout);
            }
            Ok(Released::NotOwner) => {
                let cause = "the record is another attempt's or a verdict's";
                incident(Incident::ReleaseFailed, &tenure, &cause);
            }
            Err(error) => {
                incident(Incident::ReleaseFailed, &tenure, &Chain(&error));
                let claim = tenure.claim.clone();
                layer.outbox().release(tenure.id, claim, self.timeout);
            }
        }
    }

    /// Records how the operation ended. What the store does not take in two tries is retried in the
    /// background, with the claim kept alive.
    pub(crate) async fn complete(&self, finished: &Finished, ttl: Duration) -> Completed {
        let Self { layer, tenure, .. } = self;
        let record = |timeout| record(layer.store(), tenure, finished, ttl, timeout);
        let mut recorded = record(self.timeout).await;
        if let Recorded::Failed = recorded {
            recorded = Box::pin(record(SECOND_TRY.min(self.timeout))).await;
        }
        match recorded {
            Recorded::Done => {
                layer.waiters().wake(&tenure.id);
                Completed::Stored
            }
            Recorded::TooOld => Completed::Unstored,
            Recorded::Refused => Completed::Refused(Box::pin(self.found()).await),
            Recorded::Failed => {
                let (tenure, finished) = (Arc::clone(tenure), finished.clone());
                layer.outbox().complete(tenure, finished, ttl, self.timeout);
                Completed::Unstored
            }
        }
    }

    /// What a client is told where another record stands in the way of the own answer. What belongs to
    /// another request is none of its business.
    async fn found(&self) -> State {
        let claim = &self.tenure.claim;
        let call = self.layer.store().inspect(&self.tenure.id);
        let record = deadline(self.timeout, call).await.ok().flatten();
        match record.filter(|record| record.fingerprint == *claim.fingerprint()) {
            Some(record) => record.state,
            None => State::Unknown {
                lease: claim.lease(),
            },
        }
    }
}

/// What became of a finished answer.
pub(crate) enum Completed {
    Stored,
    /// Not yet in the store, or never.
    Unstored,
    /// The store has another record, or none that this attempt may write.
    Refused(State),
}
