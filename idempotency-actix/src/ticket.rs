use std::sync::{Arc, OnceLock};

use crate::detach::Hold;
use crate::record_id::RecordId;
use crate::tenure::Tenure;

/// What a request under a key has with it, for its handler to extract: key and attempt.
///
/// In one piece, and made once: the arguments are extracted before the attempt begins.
#[derive(Default)]
pub(crate) struct Ticket {
    key: Box<str>,
    run: OnceLock<Run>,
    hold: Hold,
}

/// An attempt that has its claim.
pub(crate) struct Run {
    /// The operation's record, which a recovery's claim is not on.
    pub(crate) record: RecordId,
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

    /// A ticket for the same key and another attempt.
    pub(crate) fn of(&self, run: Run) -> Self {
        Self {
            run: run.into(),
            ..Self::new(&self.key)
        }
    }

    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    pub(crate) fn begin(&self, run: Run) {
        self.run.get_or_init(|| run);
    }

    /// The attempt, once it has its claim.
    pub(crate) fn run(&self) -> Option<&Run> {
        self.run.get()
    }

    pub(crate) fn hold(&self) -> &Hold {
        &self.hold
    }
}
