//! One open transaction on a connection of the store's: what is written in it, and how it ends. When that is, and how it
//! began, is not known here.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use idempotency_actix::store::RecordId;
use sqlx::postgres::{PgConnection, Postgres};
use sqlx::{AssertSqlSafe, Executor, Row as _};

use super::mark::{self, ENDED, MARK, if_own};
use super::prepared::{Prepared, is_unprepared};
use super::statements::{record_new, record_over};
use crate::connections::Taken;
use crate::failure::{Cause, Meaning};
use crate::nesting::{depth, queue_rollback};
use crate::new_row::NewRow;
use crate::steps::Engine;

/// What the statement says by an error that finds another attempt's record.
const TAKEN: &str = "idempotency_actix:taken";

/// An open transaction of a [`PgStore`](super::PgStore), which dereferences to its connection. Dropping it rolls back.
pub struct PgTransaction {
    /// `None` once it is closed.
    taken: Option<Taken<PgConnection>>,
    /// When it began.
    mark: String,
    /// The statements, and whether the connection has them prepared.
    statements: Arc<Prepared>,
    has_prepared: bool,
    /// Whether there was a row under the record's id, though perhaps none that counts.
    has_seen_row: bool,
    /// Told when it is over without a record.
    told: Option<Box<dyn Fn() + Send>>,
}

/// What a commit writes before.
pub(super) enum Write {
    Nothing,
    /// A new row, in whose way nothing was seen.
    New(String),
    /// A row over another one: the head of a query with `made`, which has one row where it was written.
    Over(String),
}

/// How a message with a commit at its end came out.
pub(super) enum Sent {
    Done,
    Taken,
    Ended,
    Again(Cause),
    Refused(Cause),
    Unclear(Cause),
}

impl PgTransaction {
    /// On a connection on which it is about to begin.
    pub(super) fn on(
        taken: Taken<PgConnection>,
        statements: Arc<Prepared>,
        has_prepared: bool,
    ) -> Self {
        Self {
            taken: Some(taken),
            mark: String::new(),
            statements,
            has_prepared,
            has_seen_row: false,
            told: None,
        }
    }

    /// It has begun, with that mark.
    pub(super) fn begun(&mut self, mark: String, has_seen_row: bool) {
        self.mark = mark;
        self.has_seen_row = has_seen_row;
    }

    pub(super) fn statements(&self) -> &Prepared {
        &self.statements
    }

    /// The write of an answer, if it still is the same transaction.
    pub(super) fn record(&self, id: &RecordId, row: &NewRow) -> Write {
        let table = self.statements.table();
        if self.has_seen_row {
            return Write::Over(record_over(table, id, row));
        }
        Write::New(match self.has_prepared {
            true => self.statements.record(&self.mark, id, row),
            false => record_new(table, &format!("'{}'", self.mark), id, row),
        })
    }

    /// Has that called when it is over, unless it was committed.
    pub(super) fn tell(&mut self, told: impl Fn() + Send + 'static) {
        self.told = Some(Box::new(told));
    }

    fn connection(&self) -> &PgConnection {
        self.taken().peek()
    }

    pub(super) fn connection_mut(&mut self) -> &mut PgConnection {
        let taken = self.taken.as_mut();
        taken.expect("a transaction that is not over").lend()
    }

    fn taken(&self) -> &Taken<PgConnection> {
        self.taken.as_ref().expect("a transaction that is not over")
    }

    /// Commits, in one message with what is written before. Of a transaction that was undone by an error a commit reports
    /// success; the statement before it does not.
    pub(super) async fn commit(mut self, write: Write) -> Sent {
        let (sql, is_new) = match write {
            Write::Nothing => match self.has_prepared {
                true => (self.statements.own(&self.mark), false),
                false => (mark::own(&format!("'{}'", self.mark)), false),
            },
            Write::New(sql) => (sql, true),
            Write::Over(made) => {
                let number = format!("CASE count(*) WHEN 0 THEN '{TAKEN}' ELSE '1' END");
                let number = if_own(&format!("'{}'", self.mark), &number);
                (format!("{made} SELECT {number} FROM made"), false)
            }
        };
        let sql = AssertSqlSafe(sql + "; COMMIT");
        let sent = self.connection_mut().execute(sqlx::raw_sql(sql));
        let error = match sent.await {
            Ok(_) => {
                self.told = None;
                self.give_back();
                return Sent::Done;
            }
            Err(error) => error,
        };
        let reply = error.as_database_error();
        let says = |text| reply.is_some_and(|reply| reply.message().contains(text));
        let is_taken = match is_new {
            true => reply.is_some_and(|reply| {
                let table = self.statements.names().table.as_str();
                reply.is_unique_violation() && reply.table() == Some(table)
            }),
            false => says(TAKEN),
        };
        let sent = match Postgres::meaning(&error) {
            Meaning::Broken => {
                if self.has_prepared && is_unprepared(&error) {
                    self.statements.give_up();
                }
                self.close();
                return Sent::Unclear(Postgres::explain(error));
            }
            Meaning::Again => Sent::Again(error.into()),
            Meaning::Refused if is_taken => Sent::Taken,
            Meaning::Refused if says(ENDED) => Sent::Ended,
            Meaning::Refused => Sent::Refused(error.into()),
        };
        // An error is told before the lock is gone.
        self.leave().await;
        sent
    }

    /// Rolls back; `false` if it was over already.
    pub(super) async fn roll_back(mut self) -> bool {
        let sql = format!("SELECT {MARK}; ROLLBACK");
        let sent = self
            .connection_mut()
            .fetch_all(sqlx::raw_sql(AssertSqlSafe(sql)));
        match sent.await {
            Ok(rows) => {
                self.give_back();
                let mark = rows.first().and_then(|row| row.try_get(0).ok());
                mark.as_ref() == Some(&self.mark)
            }
            // Undone by an error, or with its connection.
            Err(_) => {
                self.leave().await;
                true
            }
        }
    }

    /// Rolls back what is left, and returns when that is done.
    async fn leave(&mut self) {
        let sent = self.connection_mut().execute(sqlx::raw_sql("ROLLBACK"));
        match sent.await {
            Ok(_) => self.give_back(),
            Err(_) => self.close(),
        }
    }

    /// Gives the connection back, unless a handler left a savepoint there.
    fn give_back(&mut self) {
        match depth::<Postgres>(self.connection()) {
            1 => {
                if let Some(mut taken) = self.taken.take() {
                    taken.answered();
                }
            }
            _ => self.close(),
        }
    }

    /// Leaves it to the server, which rolls back when it sees the connection closed.
    pub(super) fn close(&mut self) {
        if let Some(taken) = self.taken.take() {
            taken.close();
        }
    }
}

impl Deref for PgTransaction {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.connection()
    }
}

impl DerefMut for PgTransaction {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.connection_mut()
    }
}

/// The connection is given back in the midst of something, which has it asked for an answer before it is used again.
impl Drop for PgTransaction {
    fn drop(&mut self) {
        if let Some(mut taken) = self.taken.take() {
            queue_rollback::<Postgres>(taken.lend());
        }
        if let Some(told) = self.told.take() {
            told();
        }
    }
}

impl fmt::Debug for PgTransaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgTransaction")
            .field("is_open", &self.taken.is_some())
            .finish_non_exhaustive()
    }
}
