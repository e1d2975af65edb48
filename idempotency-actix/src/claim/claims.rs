//! Everything that claims of one layer share. It knows no request and no option.

use std::sync::Arc;

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
}

impl Claims {
    pub(crate) fn new(store: Arc<dyn ErasedStore>, waiters: Waiters, streams: Arc<Budget>) -> Self {
        let waiters = Arc::new(waiters);
        let renewals = Renewals::new(Arc::clone(&store));
        let retries = Retries::new(Arc::clone(&store), renewals.clone(), Arc::clone(&waiters));
        Self {
            store,
            renewals,
            retries,
            waiters,
            quotas: Quotas::default(),
            sightings: Arc::default(),
            streams,
        }
    }
}
