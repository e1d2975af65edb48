//! One open transaction on the connection that writes: how it begins, what became of it, and how it ends. When that is is
//! not known here.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use idempotency_actix::store::RunningPlace;
use sqlx::sqlite::{Sqlite, SqliteConnection, SqliteRow};
use sqlx::{Executor, SqlSafeStr};
use tokio::time::{Instant, timeout_at};

use crate::connections::{Connections, Taken};
use crate::failure::{Failure, Meaning, Trouble};
use crate::nesting::{begin, depth, queue_rollback};
use crate::steps::{Ask, Engine};

/// What SQLite tells of the transaction that is open on a connection: what a handler does to it by SQL shows nowhere else.
#[derive(Debug, Default)]
struct Fate {
    is_committed: AtomicBool,
    is_rolled_back: AtomicBool,
}

impl Fate {
    fn forget(&self) {
        self.is_committed.store(false, Ordering::Release);
        self.is_rolled_back.store(false, Ordering::Release);
    }
}

/// What transactions are begun by.
#[derive(Debug)]
pub(super) struct Beginning {
    writer: Arc<Connections<SqliteConnection>>,
    /// Told by the connection that writes, of which there is one at a time.
    fate: Mutex<Arc<Fate>>,
}

/// An open transaction of a [`SqliteStore`](super::SqliteStore), which dereferences to its connection. Dropping it rolls
/// back.
pub struct SqliteTransaction {
    /// `None` once it is closed.
    taken: Option<Taken<SqliteConnection>>,
    fate: Arc<Fate>,
    has_seen_row: bool,
    place: Option<RunningPlace>,
    /// Called when it is over without a record.
    told: Option<Box<dyn Fn() + Send>>,
}

/// What a commit writes before.
pub(super) enum Write {
    Nothing,
    /// A new row, in whose way nothing was seen, and the commit.
    New(Ask<Sqlite>),
    /// A row over another one, of which it tells whether it was written.
    Over(Ask<Sqlite>),
}

/// How a commit came out.
pub(super) enum Ended {
    Committed,
    Taken,
    ByHandler,
    Again(sqlx::Error),
    Refused(Option<sqlx::Error>),
    Unclear(sqlx::Error),
}

impl Beginning {
    pub(super) fn on(writer: Arc<Connections<SqliteConnection>>) -> Self {
        Self {
            writer,
            fate: Mutex::default(),
        }
    }

    fn fate(&self) -> Arc<Fate> {
        let fate = self.fate.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&fate)
    }

    /// Has a connection that was not begun on yet tell the fate of all its transactions.
    ///
    /// The client library, which shall make savepoints of what a handler begins, counts one transaction from the first to
    /// the last of a connection's: what it counted by itself could not be sent along with anything else. It is counted
    /// last, so that a connection on which one is counted tells.
    async fn prepare(&self, connection: &mut SqliteConnection) -> Result<Arc<Fate>, sqlx::Error> {
        let fate = Arc::<Fate>::default();
        let (committed, rolled_back) = (Arc::clone(&fate), Arc::clone(&fate));
        let mut handle = connection.lock_handle().await?;
        handle.set_commit_hook(move || {
            committed.is_committed.store(true, Ordering::Release);
            true
        });
        handle.set_rollback_hook(move || rolled_back.is_rolled_back.store(true, Ordering::Release));
        drop(handle);
        *self.fate.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&fate);
        begin::<Sqlite>(connection, "BEGIN".into_sql_str()).await?;
        connection.execute(sqlx::raw_sql("ROLLBACK")).await?;
        Ok(fate)
    }
}

impl SqliteTransaction {
    /// Begins one by that message, whose last row it gives, and waits for it in the order of those who want to write. The
    /// right to write is the claim.
    pub(super) async fn begin(
        by: &Beginning,
        deadline: Instant,
        message: impl Fn() -> Ask<Sqlite>,
    ) -> Result<(Self, Option<SqliteRow>), Failure> {
        loop {
            let taken = by.writer.take(deadline).await?;
            let mut transaction = Self {
                taken: Some(taken),
                fate: by.fate(),
                has_seen_row: false,
                place: None,
                told: None,
            };
            let begun = transaction.send(by, message());
            let error = match timeout_at(deadline, begun).await {
                Ok(Ok(mut rows)) => {
                    let row = rows.pop();
                    transaction.has_seen_row = row.is_some();
                    return Ok((transaction, row));
                }
                Ok(Err(error)) => error,
                Err(_) => {
                    transaction.close();
                    return Err(Failure::Refused(Trouble::NoAnswer.into()));
                }
            };
            transaction.leave_after(&error).await;
            // Another process writes.
            let is_again = Sqlite::meaning(&error) == Meaning::Again;
            if !is_again || Instant::now() >= deadline {
                return Err(Failure::Refused(Sqlite::explain(error)));
            }
        }
    }

    async fn send(
        &mut self,
        by: &Beginning,
        message: Ask<Sqlite>,
    ) -> Result<Vec<SqliteRow>, sqlx::Error> {
        let connection = self.connection_mut();
        if depth::<Sqlite>(connection) == 0 {
            self.fate = by.prepare(connection).await?;
        }
        let rows = message.fetch_all(self.connection_mut()).await?;
        self.fate.forget();
        Ok(rows)
    }

    /// Keeps the place while it is open, and has that called when it is over, unless it was committed.
    pub(super) fn run_for(&mut self, place: RunningPlace, told: impl Fn() + Send + 'static) {
        self.place = Some(place);
        self.told = Some(Box::new(told));
    }

    /// Whether there was a row when it began, though perhaps none that counts.
    pub(super) fn has_seen_row(&self) -> bool {
        self.has_seen_row
    }

    /// Whether it still is what was begun. `None` is yes.
    fn ended(&self) -> Option<Ended> {
        let is = |fate: &AtomicBool| fate.load(Ordering::Acquire);
        match () {
            () if is(&self.fate.is_committed) => Some(Ended::ByHandler),
            // By the handler, or by SQLite for an error that the handler passed over.
            () if is(&self.fate.is_rolled_back) => Some(Ended::Refused(None)),
            () => None,
        }
    }

    /// Commits, with what is written before.
    pub(super) async fn commit(mut self, write: Write) -> Ended {
        if let Some(ended) = self.ended() {
            self.leave().await;
            return ended;
        }
        let is_new = matches!(write, Write::New(_));
        let error = match self.write(write).await {
            Ok(true) => {
                self.told = None;
                self.give_back();
                return Ended::Committed;
            }
            Ok(false) => {
                self.leave().await;
                return Ended::Taken;
            }
            Err(error) => error,
        };
        // An error is told before another one may write.
        self.leave_after(&error).await;
        let reply = error.as_database_error();
        match Sqlite::meaning(&error) {
            Meaning::Again => Ended::Again(error),
            Meaning::Refused if is_new && reply.is_some_and(|it| it.is_unique_violation()) => {
                Ended::Taken
            }
            Meaning::Refused => Ended::Refused(Some(error)),
            Meaning::Broken => Ended::Unclear(error),
        }
    }

    /// Writes and commits, unless what is to be written over may not be.
    async fn write(&mut self, write: Write) -> Result<bool, sqlx::Error> {
        let connection = self.connection_mut();
        match write {
            Write::New(message) => {
                message.execute(connection).await?;
                return Ok(true);
            }
            Write::Over(message) => {
                if message.fetch_optional(&mut *connection).await?.is_none() {
                    return Ok(false);
                }
            }
            Write::Nothing => {}
        }
        connection.execute(sqlx::raw_sql("COMMIT")).await?;
        Ok(true)
    }

    /// Rolls back; `false` if it was committed already.
    pub(super) async fn roll_back(mut self) -> bool {
        let is_committed = matches!(self.ended(), Some(Ended::ByHandler));
        self.leave().await;
        !is_committed
    }

    /// Rolls back what is left, if anything is, and returns when that is done.
    async fn leave(&mut self) {
        let sent = self.connection_mut().execute(sqlx::raw_sql("ROLLBACK"));
        match sent.await {
            Ok(_) => self.give_back(),
            // There was nothing to roll back.
            Err(error) if Sqlite::meaning(&error) == Meaning::Refused => self.give_back(),
            Err(_) => self.close(),
        }
    }

    /// A connection that broke off is left to SQLite, which rolls back when it is closed.
    async fn leave_after(&mut self, error: &sqlx::Error) {
        match Sqlite::meaning(error) {
            Meaning::Broken => self.close(),
            Meaning::Again | Meaning::Refused => self.leave().await,
        }
    }

    /// Gives the connection back, unless a handler left a savepoint there.
    fn give_back(&mut self) {
        match self.taken.take() {
            Some(mut taken) if depth::<Sqlite>(taken.peek()) == 1 => taken.answered(),
            Some(taken) => taken.close(),
            None => {}
        }
    }

    fn close(&mut self) {
        if let Some(taken) = self.taken.take() {
            taken.close();
        }
    }

    fn connection_mut(&mut self) -> &mut SqliteConnection {
        let taken = self.taken.as_mut();
        taken.expect("a transaction that is not over").lend()
    }
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
        self.connection_mut()
    }
}

/// The connection is given back in the midst of something, which has it asked for an answer before it is used again; with
/// a savepoint that a handler left, it is closed.
impl Drop for SqliteTransaction {
    fn drop(&mut self) {
        match self.taken.take() {
            Some(mut taken) if depth::<Sqlite>(taken.peek()) <= 1 => {
                queue_rollback::<Sqlite>(taken.lend());
            }
            Some(taken) => taken.close(),
            None => {}
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
