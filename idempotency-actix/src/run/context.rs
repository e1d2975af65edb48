//! What an operation shares with its handler's extractors and its connection: key, attempt, accepted codings. It decides
//! nothing.

use std::sync::{Arc, OnceLock};

use actix_web::dev::Extensions;

use crate::answer::Accepted;
use crate::claim::Lease;
use crate::request::{Key, RecordId};

/// What a request under a key has with it from beginning to end: its handler extracts key and attempt.
///
/// In one piece, and made once: what is not known yet is filled in. Key, record and attempt apart would be three
/// more allocations for each request.
pub(crate) struct Context {
    key: Key,
    accepted: OnceLock<Accepted>,
    record: OnceLock<RecordId>,
    run: OnceLock<Run>,
}

/// An attempt that has its claim.
pub(crate) struct Run {
    pub(crate) generation: u64,
    pub(crate) lease: Arc<Lease>,
}

impl Context {
    pub(crate) fn new(key: Key) -> Self {
        Self {
            key,
            accepted: OnceLock::new(),
            record: OnceLock::new(),
            run: OnceLock::new(),
        }
    }

    /// The same operation for another attempt.
    pub(crate) fn for_attempt(&self, run: Run) -> Self {
        Self {
            record: self.record.clone(),
            run: run.into(),
            ..Self::new(self.key.clone())
        }
    }

    /// That of the request, if it runs under a key.
    pub(crate) fn of(extensions: &Extensions) -> Option<&Arc<Self>> {
        extensions.get()
    }

    pub(crate) fn key(&self) -> &Key {
        &self.key
    }

    pub(crate) fn accept(&self, codings: Accepted) {
        self.accepted.get_or_init(|| codings);
    }

    /// Which content codings the client accepts.
    pub(crate) fn accepted(&self) -> &Accepted {
        self.accepted.get_or_init(Accepted::default)
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
}
