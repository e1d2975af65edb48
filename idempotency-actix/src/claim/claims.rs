//! What all claims of one layer share: its store, renewals, retries, waiters and quota. It knows no request and no
//! option.

use std::io;
use std::sync::Arc;

use super::background::Background;
use super::budget::Budget;
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
            background,
        })
    }

    /// The layer is gone. What is still retried goes on, and the thread ends after it.
    pub(crate) fn close(&self) {
        self.background.close();
        self.renewals.close();
        self.retries.close();
    }
}
