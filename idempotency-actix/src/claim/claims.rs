//! What all claims of one layer share: its store, renewals, retries, waiters and quota. It knows no request and no
//! option.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;

use super::activity::Activity;
use super::background::Background;
use super::budget::Budget;
use super::pending::Pending;
use super::quota::Quotas;
use super::renewals::Renewals;
use super::retries::Retries;
use super::sightings::Sightings;
use super::waiters::Waiters;
use crate::store::ErasedStore;

/// What claims of one layer share; clones are handles to the same.
#[derive(Clone)]
pub(crate) struct Claims {
    pub(crate) store: Arc<dyn ErasedStore>,
    pub(crate) renewals: Renewals,
    pub(crate) retries: Arc<Retries>,
    pub(crate) waiters: Arc<Waiters>,
    pub(crate) quotas: Quotas,
    pub(crate) sightings: Arc<Sightings>,
    pub(crate) streams: Arc<Budget>,
    pub(crate) activity: Arc<Activity>,
    background: Background,
}

impl Claims {
    /// Fails where the system has no file descriptor left for the thread that renews.
    pub(crate) fn new(
        store: Arc<dyn ErasedStore>,
        waiters: Waiters,
        streams: Arc<Budget>,
    ) -> io::Result<Self> {
        let waiters = Arc::new(waiters);
        let background = Background::new()?;
        let renewals = Renewals::new(Arc::clone(&store), background.clone());
        let retries = Retries::new(
            Arc::clone(&store),
            &background,
            renewals.clone(),
            Arc::clone(&waiters),
        );
        Ok(Self {
            store,
            renewals,
            retries: Arc::new(retries),
            waiters,
            quotas: Quotas::default(),
            sightings: Arc::default(),
            streams,
            activity: Arc::default(),
            background,
        })
    }

    /// Whether nothing is under way: no run, and nothing that was left to the background.
    pub(crate) fn is_idle(&self) -> bool {
        let activity = &self.activity;
        activity.runs() == 0
            && activity.detached() == 0
            && self.waiting_answers() == 0
            && self.waiting_releases() == 0
    }

    pub(crate) fn waiting_answers(&self) -> usize {
        self.retries.waiting_answers()
    }

    pub(crate) fn waiting_releases(&self) -> usize {
        self.retries.waiting_releases()
    }

    /// Whose runs, records and releases are not done yet.
    pub(crate) fn pending(&self) -> HashSet<Pending> {
        let renewed = self.renewals.leases();
        let transacting = self.activity.in_transactions();
        let running = renewed.iter().chain(&transacting);
        let running = running.map(|lease| Pending::of(lease));
        running.chain(self.retries.waiting()).collect()
    }

    /// Gives up whatever is not done yet, and tells whose it is.
    pub(crate) fn abandon(&self) -> HashSet<Pending> {
        for lease in self.renewals.leases() {
            lease.abandon();
        }
        self.pending()
    }

    /// The layer is gone. What is still retried goes on, and the thread ends after it.
    pub(crate) fn close(&self) {
        self.background.close();
        self.renewals.close();
        self.retries.close();
    }
}
