use std::sync::{Arc, OnceLock};

use crate::detach::Hold;
use crate::record_id::RecordId;
use crate::tenure::Tenure;

/// What a request under a key has with it, for its handler to extract: key and attempt.
///
/// In one piece, and made once: what is not known yet when the arguments are extracted is filled in.
#[derive(Debug, Default)]
pub(crate) struct Ticket {
    key: Box<str>,
    record: OnceLock<RecordId>,
    begun: OnceLock<Begun>,
    hold: Hold,
}

#[derive(Debug)]
struct Begun {
    generation: u64,
    tenure: Arc<Tenure>,
}

impl Ticket {
    /// A ticket for a key that was found good.
    pub(crate) fn new(key: &str) -> Self {
        Self {
            key: key.into(),
            ..Self::default()
        }
    }

    /// The same key for another attempt: a recovery has a generation that its claim is not of.
    pub(crate) fn of_recovery(&self, generation: u64, tenure: &Arc<Tenure>) -> Self {
        let ticket = Self {
            key: self.key.clone(),
            record: self.record.clone(),
            ..Self::default()
        };
        ticket.begin(generation, tenure);
        ticket
    }

    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// The record's id, once the caller is known.
    pub(crate) fn record(&self) -> Option<&RecordId> {
        self.record.get()
    }

    pub(crate) fn bind(&self, record: RecordId) {
        self.record.get_or_init(|| record);
    }

    pub(crate) fn begin(&self, generation: u64, tenure: &Arc<Tenure>) {
        let tenure = Arc::clone(tenure);
        self.begun.get_or_init(|| Begun { generation, tenure });
    }

    /// The attempt's generation; 0 before it began.
    pub(crate) fn generation(&self) -> u64 {
        self.begun.get().map_or(0, |begun| begun.generation)
    }

    pub(crate) fn is_current(&self) -> bool {
        self.begun
            .get()
            .is_some_and(|begun| !begun.tenure.is_lost())
    }

    pub(crate) fn hold(&self) -> &Hold {
        &self.hold
    }
}
