//! What an operation shares with its handler's extractors and its connection: key, attempt, accepted codings. It decides
//! nothing.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use actix_web::dev::Extensions;

use crate::answer::Accepted;
use crate::claim::Lease;
use crate::request::{Key, RecordId};
use crate::store::Description;

/// What a request under a key has with it from beginning to end: its handler extracts key and attempt.
///
/// In one piece, and made once: what is not known yet is filled in. Key, record and attempt apart would be three
/// more allocations for each request.
pub(crate) struct Context {
    key: Key,
    description: Description,
    accepted: Accepted,
    record: OnceLock<RecordId>,
    waited: OnceLock<Duration>,
    replay: Replay,
    run: OnceLock<Run>,
}

/// What is known of a replay until it is told of.
#[derive(Default)]
struct Replay {
    /// In microseconds; 0 where it is not known.
    age: AtomicU64,
    is_told: AtomicBool,
}

/// An attempt that has its claim.
pub(crate) struct Run {
    pub(crate) generation: u64,
    pub(crate) lease: Arc<Lease>,
    /// When its claim was asked for.
    pub(crate) since: Instant,
}

impl Context {
    pub(crate) fn new(key: Key, description: Description, accepted: Accepted) -> Self {
        Self {
            key,
            description,
            accepted,
            record: OnceLock::new(),
            waited: OnceLock::new(),
            replay: Replay::default(),
            run: OnceLock::new(),
        }
    }

    /// The same operation for another attempt.
    pub(crate) fn for_attempt(&self, run: Run) -> Self {
        let (key, description) = (self.key.clone(), self.description.clone());
        Self {
            record: self.record.clone(),
            run: run.into(),
            ..Self::new(key, description, Accepted::default())
        }
    }

    /// That of the request, if it runs under a key.
    pub(crate) fn of(extensions: &Extensions) -> Option<&Arc<Self>> {
        extensions.get()
    }

    pub(crate) fn key(&self) -> &Key {
        &self.key
    }

    /// Its method and route; of no time, which each claim has.
    pub(crate) fn description(&self) -> &Description {
        &self.description
    }

    /// Notes how long it has waited for another attempt, if it has.
    pub(super) fn wait_since(&self, since: Option<Instant>) {
        if let Some(since) = since {
            self.waited.get_or_init(|| since.elapsed());
        }
    }

    /// How long it has waited for another attempt, if it has.
    pub(super) fn waited(&self) -> Option<Duration> {
        self.waited.get().copied()
    }

    /// Notes how old the answer is that it is told of.
    pub(super) fn note_age(&self, age: Duration) {
        let micros = u64::try_from(age.as_micros()).unwrap_or(u64::MAX);
        self.replay.age.store(micros.max(1), Ordering::Relaxed);
    }

    /// How old the answer is that it is told of, where that is known.
    pub(super) fn age(&self) -> Option<Duration> {
        match self.replay.age.load(Ordering::Relaxed) {
            0 => None,
            micros => Some(Duration::from_micros(micros)),
        }
    }

    /// Whether its replay is still to be told of, which it is once.
    pub(super) fn take_replay(&self) -> bool {
        !self.replay.is_told.swap(true, Ordering::Relaxed)
    }

    /// Which content codings the client accepts.
    pub(crate) fn accepted(&self) -> &Accepted {
        &self.accepted
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
