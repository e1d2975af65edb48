//! Claims that could not be given up in time. It does not know why they are.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::background::Background;
use super::backlog::{Backlog, Progress, Work};
use super::guarded::guarded;
use super::parked::Answers;
use super::pending::Pending;
use crate::store::{Claim, ErasedStore, RecordId, Released};
use crate::telemetry::{Incident, answered, incident};

/// Claims that wait for their release. Past it another one is left to become unknown.
const MAX_RELEASES: usize = 65_536;

pub(super) struct Releases {
    backlog: Backlog<Release>,
    next: AtomicU64,
    desk: Desk,
}

/// What all releases share.
#[derive(Clone)]
struct Desk {
    store: Arc<dyn ErasedStore>,
    background: Background,
    answers: Arc<Answers>,
}

struct Release {
    desk: Desk,
    id: RecordId,
    claim: Claim,
    timeout: Duration,
    start: Instant,
    /// When the store last failed.
    failed: Mutex<Instant>,
}

impl Releases {
    pub(super) fn new(
        store: Arc<dyn ErasedStore>,
        background: &Background,
        answers: Arc<Answers>,
    ) -> Self {
        Self {
            backlog: Backlog::new(background),
            next: AtomicU64::new(0),
            desk: Desk {
                store,
                background: background.clone(),
                answers,
            },
        }
    }

    pub(super) fn push(&self, id: RecordId, claim: Claim, timeout: Duration) {
        if self.backlog.len() >= MAX_RELEASES {
            let cause = "too many claims wait for their release";
            return incident(Incident::ReleaseDropped, &id, &cause);
        }
        let now = Instant::now();
        let release = Release {
            desk: self.desk.clone(),
            id,
            claim,
            timeout,
            start: now,
            failed: Mutex::new(now),
        };
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.backlog.push(number, release, now);
    }

    pub(super) fn len(&self) -> usize {
        self.backlog.len()
    }

    /// Whose claims they are.
    pub(super) fn all(&self) -> impl Iterator<Item = Pending> {
        let releases = self.backlog.all().into_iter();
        releases.map(|release| Pending::new(release.id, &release.claim))
    }

    pub(super) fn close(&self) {
        self.backlog.close();
    }
}

impl Work for Release {
    async fn attempt(&self) -> Progress {
        let Self { desk, id, .. } = self;
        let watch = self.claim.lease() * 2;
        let answer = guarded(self.timeout, || desk.store.release(id, &self.claim)).await;
        let now = Instant::now();
        match answer {
            Ok(Released::Released) => {
                answered();
                desk.answers.released(id).await;
                Progress::Done
            }
            Ok(Released::NotOwner) => {
                answered();
                let failed = *self.failed.lock().unwrap_or_else(PoisonError::into_inner);
                match now >= failed + watch {
                    true => Progress::Done,
                    false => Progress::Again(self.claim.lease() / 4),
                }
            }
            Err(_) => {
                *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = now;
                let is_closed = desk.background.is_closed();
                if now >= self.start + self.claim.retention()
                    || is_closed && now >= self.start + watch
                {
                    let cause = "the store did not answer in all that time";
                    incident(Incident::ReleaseDropped, id, &cause);
                    return Progress::Done;
                }
                Progress::Failed
            }
        }
    }

    fn longest_pause(&self) -> Duration {
        (self.claim.lease() / 4).min(Duration::from_secs(1))
    }
}
