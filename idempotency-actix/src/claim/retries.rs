//! What the store did not take in time, tried again in the background: answers to record, and claims to release.

use std::sync::Arc;
use std::time::Duration;

use super::background::Background;
use super::late_releases::Releases;
use super::parked::{Answers, Parked};
use super::pending::Pending;
use super::renewals::Renewals;
use super::waiters::Waiters;
use crate::store::{Claim, ErasedStore, RecordId};

/// Finished answers that the store did not take, and claims that could not be given up. Both outlive their layer.
pub(crate) struct Retries {
    renewals: Renewals,
    answers: Arc<Answers>,
    releases: Releases,
}

impl Retries {
    pub(super) fn new(
        store: Arc<dyn ErasedStore>,
        background: &Background,
        renewals: Renewals,
        waiters: Arc<Waiters>,
    ) -> Self {
        let answers = Answers::new(Arc::clone(&store), background, waiters);
        let answers = Arc::new(answers);
        Self {
            renewals,
            releases: Releases::new(store, background, Arc::clone(&answers)),
            answers,
        }
    }

    /// Retries a `complete` that failed, and keeps the claim alive meanwhile.
    pub(super) fn complete(&self, parked: Parked) {
        parked.lease.answer();
        let lease = Arc::clone(&parked.lease);
        let renewal = self.renewals.renew(lease, parked.timeout);
        self.answers.park(parked, renewal);
    }

    /// Retries a `complete` that was refused until the attempt ends that stands in its way.
    pub(super) fn contest(&self, parked: Parked) {
        self.answers.contest(parked);
    }

    /// Repeats a `release` by token until two leases have passed since the store last failed: the claim
    /// may not even have landed yet, and lands when a store that stood still goes on.
    pub(crate) fn release(&self, id: RecordId, claim: Claim, timeout: Duration) {
        self.releases.push(id, claim, timeout);
    }

    /// Tells whoever waits for this record that its attempt gave it up.
    pub(super) async fn released(&self, id: &RecordId) {
        self.answers.released(id).await;
    }

    /// How many answers wait to be recorded.
    pub(super) fn waiting_answers(&self) -> usize {
        self.answers.len()
    }

    /// How many claims wait for their release.
    pub(super) fn waiting_releases(&self) -> usize {
        self.releases.len()
    }

    /// Whose answers and claims wait.
    pub(super) fn waiting(&self) -> impl Iterator<Item = Pending> {
        let answers = self.answers.leases().into_iter();
        let answers = answers.map(|lease| Pending::of(&lease));
        answers.chain(self.releases.all())
    }

    pub(super) fn close(&self) {
        self.answers.close();
        self.releases.close();
    }
}
