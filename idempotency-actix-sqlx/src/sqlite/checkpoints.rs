//! When the log of a file in WAL mode is copied into the file: by the store's thread, so that no answer waits for the disk
//! to take what nobody asked for. What is written is not known here.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sqlx::sqlite::{Sqlite, SqliteConnection};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::connections::Connections;
use crate::steps::step;

/// Commits between two copies. One writes three pages or four; SQLite by itself copies after 1,000 pages, in the commit
/// that comes to so many. A copy waits for the disk twice, however little there is to copy.
const EVERY: u32 = 800;

/// Pages of the log at which a commit of the store's does it by itself, and lets the log start over: there is little left
/// to copy then, unless the thread is held up. They take 32 MiB.
pub(super) const MOST: u32 = 8_000;

/// How long a copy may take: nobody waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Counts what is written to the log.
#[derive(Debug, Default)]
pub(super) struct Log {
    commits: AtomicU32,
    is_due: Notify,
}

impl Log {
    /// Something was committed.
    pub(super) fn grew(&self) {
        if self.commits.fetch_add(1, Ordering::Relaxed) >= EVERY {
            self.commits.store(0, Ordering::Relaxed);
            self.is_due.notify_one();
        }
    }
}

/// Copies the log whenever it has grown enough, for ever. Neither readers nor writers wait for that.
pub(super) async fn keep_copying(log: &Log, connections: &Arc<Connections<SqliteConnection>>) {
    loop {
        log.is_due.notified().await;
        let deadline = Instant::now() + PATIENCE;
        let copy = || sqlx::query("PRAGMA wal_checkpoint(PASSIVE)");
        if let Err(failure) = step::<Sqlite>(connections, deadline, copy).await {
            tracing::debug!(
                ?failure,
                "the log could not be copied into the file, later again"
            );
        }
    }
}
