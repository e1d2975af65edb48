//! What changed is told to other processes by `NOTIFY`, after the commit and off the request's way: within it, it would
//! make all commits of the server wait for each other. Who listens is not known here.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use idempotency_actix::store::RecordId;
use sqlx::postgres::{PgConnection, Postgres};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use crate::connections::Connections;
use crate::steps::step;

/// The most ids in one message: 64 digits each, and a payload must stay below 8,000 octets.
const MOST: usize = 100;

/// How many changes are kept to be told while the server is away. Who waits for the others polls.
const KEPT: usize = 10_000;

/// How long changes are gathered after a message, so that a busy server has few of them: each is a transaction to it. The
/// first after a while is told at once.
const GATHER: Duration = Duration::from_millis(10);

const PAUSE: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(10);

/// Changes that are to be told.
#[derive(Clone, Default)]
pub(super) struct Telling(Option<Arc<Queue>>);

#[derive(Default)]
struct Queue {
    ids: Mutex<Vec<RecordId>>,
    has_some: Notify,
}

impl Telling {
    pub(super) fn on() -> Self {
        Self(Some(Arc::default()))
    }

    pub(super) fn tell(&self, id: &RecordId) {
        let Some(queue) = &self.0 else {
            return;
        };
        let mut ids = queue.ids.lock().unwrap_or_else(PoisonError::into_inner);
        if ids.len() < KEPT {
            ids.push(*id);
        }
        drop(ids);
        queue.has_some.notify_one();
    }

    /// Tells them for ever. What piles up meanwhile goes in the next message.
    pub(super) async fn keep_telling(
        &self,
        connections: Arc<Connections<PgConnection>>,
        channel: Arc<str>,
    ) {
        let Some(queue) = &self.0 else {
            return std::future::pending().await;
        };
        loop {
            queue.has_some.notified().await;
            loop {
                let some = queue.take();
                if some.is_empty() {
                    break;
                }
                let payload: String = some.iter().map(RecordId::to_string).collect();
                let tell = || {
                    sqlx::query("SELECT pg_notify($1, $2)")
                        .bind(&*channel)
                        .bind(&*payload)
                };
                let deadline = Instant::now() + PATIENCE;
                if let Err(failure) = step::<Postgres>(&connections, deadline, tell).await {
                    tracing::debug!(?failure, "changes of records could not be told");
                    sleep(PAUSE).await;
                } else if some.len() < MOST {
                    sleep(GATHER).await;
                }
            }
        }
    }
}

impl Queue {
    fn take(&self) -> Vec<RecordId> {
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        let most = ids.len().min(MOST);
        ids.drain(..most).collect()
    }
}
