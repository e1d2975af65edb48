//! One open transaction on the connection that writes: how it begins, what became of it, and how it ends. When that is is
//! not known here.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use idempotency_actix::store::RunningPlace;
use sqlx::sqlite::{Sqlite, SqliteConnection};
use sqlx::{Connection, SqlSafeStr};
use tokio::time::{Instant, timeout_at};

use crate::connections::{Connections, Taken};
use crate::failure::{Failure, Meaning, Trouble};
use crate::nesting::{begin, commit, depth, queue_rollback};
use crate::steps::Engine;

/// What SQLite tells of a transaction while it is open.
#[derive(Debug, Default)]
struct Fate {
    is_committed: AtomicBool,
    is_rolled_back: AtomicBool,
}

/// An open transaction of a [`SqliteStore`](super::SqliteStore), which dereferences to its connection. Dropping it rolls
/// back.
pub struct SqliteTransaction {
    /// `None` once it is closed.
    taken: Option<Taken<SqliteConnection>>,
    fate: Arc<Fate>,
    place: Option<RunningPlace>,
    /// Called when it is over without a record.
    told: Option<Box<dyn Fn()>>,
}

/// How a commit came out that wrote all that it had to.
pub(super) enum Ended {
    Committed,
    ByHandler,
    Again(sqlx::Error),
    Refused(Option<sqlx::Error>),
    Unclear(sqlx::Error),
}

impl SqliteTransaction {
    /// Begins one, for which it waits in the order of those who want to write. The right to write is the claim.
    pub(super) async fn begin(
        writer: &Arc<Connections<SqliteConnection>>,
        deadline: Instant,
    ) -> Result<Self, Failure> {
        loop {
            let mut taken = writer.take(deadline).await?;
            if depth::<Sqlite>(taken.peek()) > 0 {
                taken.close();
                continue;
            }
            let fate = Arc::<Fate>::default();
            let begun = begin_told(taken.lend(), &fate);
            let error = match timeout_at(deadline, begun).await {
                Ok(Ok(())) => {
                    return Ok(Self {
                        taken: Some(taken),
                        fate,
                        place: None,
                        told: None,
                    });
                }
                Ok(Err(error)) => error,
                Err(_) => {
                    taken.close();
                    return Err(Failure::Refused(Trouble::NoAnswer.into()));
                }
            };
            match Sqlite::meaning(&error) {
                // Another process writes.
                Meaning::Again if Instant::now() < deadline => taken.answered(),
                Meaning::Again | Meaning::Refused => {
                    taken.answered();
                    return Err(Failure::Refused(Sqlite::explain(error)));
                }
                Meaning::Broken => {
                    taken.close();
                    return Err(Failure::Refused(Sqlite::explain(error)));
                }
            }
        }
    }

    /// Keeps the place while it is open, and has that called when it is over, unless it was committed.
    pub(super) fn run_for(&mut self, place: RunningPlace, told: impl Fn() + 'static) {
        self.place = Some(place);
        self.told = Some(Box::new(told));
    }

    fn is(&self, fate: &AtomicBool) -> bool {
        fate.load(Ordering::Acquire)
    }

    /// Whether it still is what was begun. `None` is yes.
    pub(super) fn ended(&self) -> Option<Ended> {
        match () {
            () if self.is(&self.fate.is_committed) => Some(Ended::ByHandler),
            // By the handler, or by SQLite for an error that the handler passed over.
            () if self.is(&self.fate.is_rolled_back) => Some(Ended::Refused(None)),
            () => None,
        }
    }

    /// Commits what was written.
    pub(super) async fn commit(mut self) -> Ended {
        if let Some(ended) = self.ended() {
            return ended;
        }
        let error = match commit::<Sqlite>(&mut self).await {
            Ok(()) => {
                self.told = None;
                self.give_back();
                return Ended::Committed;
            }
            Err(error) => error,
        };
        match Sqlite::meaning(&error) {
            Meaning::Again => Ended::Again(error),
            Meaning::Refused => Ended::Refused(Some(error)),
            Meaning::Broken => {
                if let Some(taken) = self.taken.take() {
                    taken.close();
                }
                Ended::Unclear(error)
            }
        }
    }

    /// Rolls back; `false` if it was committed already.
    pub(super) async fn roll_back(mut self) -> bool {
        if let Some(ended) = self.ended() {
            return !matches!(ended, Ended::ByHandler);
        }
        queue_rollback::<Sqlite>(&mut self);
        if self.ping().await.is_ok() && depth::<Sqlite>(&self) == 0 {
            self.give_back();
        }
        true
    }

    fn give_back(&mut self) {
        if let Some(mut taken) = self.taken.take() {
            taken.answered();
        }
    }
}

/// Begins a transaction whose fate is told: what a handler does to it by SQL shows nowhere else.
async fn begin_told(
    connection: &mut SqliteConnection,
    fate: &Arc<Fate>,
) -> Result<(), sqlx::Error> {
    begin::<Sqlite>(connection, "BEGIN IMMEDIATE".into_sql_str()).await?;
    let mut handle = connection.lock_handle().await?;
    let (committed, rolled_back) = (Arc::clone(fate), Arc::clone(fate));
    handle.set_commit_hook(move || {
        committed.is_committed.store(true, Ordering::Release);
        true
    });
    handle.set_rollback_hook(move || rolled_back.is_rolled_back.store(true, Ordering::Release));
    Ok(())
}

impl Deref for SqliteTransaction {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        let taken = self.taken.as_ref();
        taken.expect("a transaction that is not over").peek()
    }
}

impl DerefMut for SqliteTransaction {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        let taken = self.taken.as_mut();
        taken.expect("a transaction that is not over").lend()
    }
}

/// The connection is given back in the midst of something, which has it asked for an answer before it is used again. One
/// whose transaction was ended behind the back of sqlx is closed: it counts one that is not there.
impl Drop for SqliteTransaction {
    fn drop(&mut self) {
        let is_over = self.ended().is_some();
        if let Some(mut taken) = self.taken.take() {
            match is_over {
                true => taken.close(),
                false => queue_rollback::<Sqlite>(taken.lend()),
            }
        }
        drop(self.place.take());
        if let Some(told) = self.told.take() {
            told();
        }
    }
}

impl fmt::Debug for SqliteTransaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteTransaction")
            .field("is_open", &self.taken.is_some())
            .finish_non_exhaustive()
    }
}
