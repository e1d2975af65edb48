use std::sync::{Arc, OnceLock};

use crate::claim::lease::Tenure;
use crate::request::record_id::RecordId;
use crate::run::detach::Commitment;

/// What a request under a key has with it from beginning to end: its handler extracts key and attempt.
///
/// In one piece, and made once: what is not known yet is filled in.
#[derive(Default)]
pub(crate) struct Ticket {
    key: Box<str>,
    record: OnceLock<RecordId>,
    run: OnceLock<Run>,
    commitment: Commitment,
}

/// An attempt that has its claim.
pub(crate) struct Run {
    pub(crate) generation: u64,
    pub(crate) tenure: Arc<Tenure>,
}

impl Ticket {
    /// A ticket for a key that was found good.
    pub(crate) fn new(key: &str) -> Self {
        Self {
            key: key.into(),
            ..Self::default()
        }
    }

    /// A ticket for the same operation and another attempt.
    pub(crate) fn of(&self, run: Run) -> Self {
        Self {
            record: self.record.clone(),
            run: run.into(),
            ..Self::new(&self.key)
        }
    }

    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    pub(crate) fn bind(&self, record: RecordId) {
        self.record.get_or_init(|| record);
    }

    /// The operation's record, once its caller is known.
    pub(crate) fn record(&self) -> Option<&RecordId> {
        self.record.get()
    }

    pub(crate) fn begin(&self, run: Run) {
        self.run.get_or_init(|| run);
    }

    /// The attempt, once it has its claim.
    pub(crate) fn run(&self) -> Option<&Run> {
        self.run.get()
    }

    pub(crate) fn commitment(&self) -> &Commitment {
        &self.commitment
    }
}
