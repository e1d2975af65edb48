//! One open transaction on a connection of the store's: how it begins, what is seen in it, and how it ends. When that is
//! is not known here.

use std::borrow::Cow;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use idempotency_actix::Isolation;
use idempotency_actix::store::{RecordId, Token, TransactionOptions};
use sqlx::postgres::{PgConnection, PgRow, Postgres};
use sqlx::{AssertSqlSafe, Executor, Row as _, SqlSafeStr};
use tokio::time::Instant;

use super::mark::{self, ENDED, SETTING, if_own};
use super::prepared::{self, Prepared};
use super::statements::{hex, record_new};
use crate::connections::{Connections, Taken};
use crate::failure::{Cause, Failure, Meaning, Trouble};
use crate::nesting::{begin, depth, queue_rollback};
use crate::row::NewRow;
use crate::steps::{Engine, unreadable};

/// What the statement says by an error that finds another attempt's record.
const TAKEN: &str = "idempotency_actix:taken";

/// What transactions are begun by: connections for them alone, since they last as long as their handlers.
#[derive(Debug)]
pub(super) struct Beginning {
    pub(super) connections: Arc<Connections<PgConnection>>,
    /// Of each statement in them; `None` leaves it to the server's configuration.
    pub(super) statement_timeout: Option<Duration>,
    /// What each connection prepares.
    pub(super) prepared: Arc<Prepared>,
}

/// An open transaction of a [`PgStore`](super::PgStore), which dereferences to its connection. Dropping it rolls back.
pub struct PgTransaction {
    /// `None` once it is closed.
    taken: Option<Taken<PgConnection>>,
    /// What the setting holds.
    mark: String,
    has_seen_row: bool,
    /// What its connection has prepared, if that is used.
    prepared: Option<Arc<Prepared>>,
    /// Told when it is over without a record.
    told: Option<Box<dyn Fn() + Send>>,
}

/// What a record's transaction began with.
pub(super) struct Begun {
    pub(super) transaction: PgTransaction,
    /// The row under the record's id, with the time of the look.
    pub(super) seen: Option<PgRow>,
    pub(super) has_lock: bool,
    /// Whether what was committed before the lock was got is seen.
    pub(super) is_up_to_date: bool,
}

/// What a commit writes before.
pub(super) enum Write<'a> {
    Nothing,
    /// A new row of that table, in whose way nothing was seen.
    New {
        sql: String,
        table: &'a str,
    },
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
    /// Begins one in a single message, whose last row it gives. With an operation it tries for the operation's lock, and
    /// never waits for it: the snapshot of a statement is older than a lock that is taken in it, so that the record is
    /// looked for in the next.
    async fn begin(
        by: &Beginning,
        deadline: Instant,
        options: &TransactionOptions,
        operation: Option<(&str, &RecordId)>,
    ) -> Result<(Self, Option<PgRow>), Failure> {
        let mark = hex(Token::random().as_bytes());
        let idle = options.idle.as_millis().clamp(1, i32::MAX as u128);
        let limit = match by.statement_timeout {
            Some(limit) => format!("SET LOCAL statement_timeout = {}; ", limit.as_millis()),
            None => String::new(),
        };
        // After the first look it would be too late.
        let isolation = match options.isolation {
            Isolation::Serializable => " ISOLATION LEVEL SERIALIZABLE",
            _ => "",
        };
        let message = |prepared: Option<&Arc<Prepared>>| {
            let statements = match (operation, prepared) {
                (Some((_, id)), Some(prepared)) => prepared.begin(id, idle, &mark),
                (Some((table, id)), None) => prepared::begin(table, id, idle, &mark),
                (None, _) => format!(
                    "SELECT set_config('idle_in_transaction_session_timeout', '{idle}', true), \
                     set_config('{SETTING}', '{mark}+', true)"
                ),
            };
            format!("BEGIN{isolation}; {limit}{statements}")
        };
        let mut has_resent = false;
        loop {
            let taken = by.connections.take(deadline).await?;
            let was_idle = !taken.is_fresh();
            let uses_prepared = operation.is_some() && by.prepared.are_kept();
            let mut transaction = Self {
                taken: Some(taken),
                mark: format!("{mark}+"),
                has_seen_row: false,
                prepared: uses_prepared.then(|| Arc::clone(&by.prepared)),
                told: None,
            };
            let sql = message(transaction.prepared.as_ref());
            let begun = transaction.send(sql);
            let error = match tokio::time::timeout_at(deadline, begun).await {
                Ok(Ok(mut rows)) => return Ok((transaction, rows.pop())),
                Ok(Err(error)) => error,
                Err(_) => {
                    transaction.close();
                    return Err(Failure::Refused(Trouble::NoAnswer.into()));
                }
            };
            // Nothing was written, whatever was begun: it ends with its connection.
            transaction.close();
            if uses_prepared && is_unprepared(&error) {
                by.prepared.give_up();
                continue;
            }
            if Postgres::meaning(&error) != Meaning::Broken || has_resent || !was_idle {
                return Err(Failure::Refused(Postgres::explain(error)));
            }
            by.connections.forget_idle();
            has_resent = true;
        }
    }

    /// Sends a message that begins a transaction.
    ///
    /// The client library, which shall make savepoints of what a handler begins, counts one transaction from the first to
    /// the last of a connection's: what it counted by itself, it would end by itself, by a message more.
    async fn send(&mut self, sql: String) -> Result<Vec<PgRow>, sqlx::Error> {
        let prepared = self.prepared.clone();
        let connection = self.connection_mut();
        if depth::<Postgres>(connection) == 0 {
            begin::<Postgres>(connection, "BEGIN".into_sql_str()).await?;
            match &prepared {
                Some(prepared) => prepare(connection, prepared).await?,
                None => {
                    connection.execute(sqlx::raw_sql("ROLLBACK")).await?;
                }
            }
        }
        let sent = connection.fetch_all(sqlx::raw_sql(AssertSqlSafe(sql.clone())));
        match (sent.await, &prepared) {
            // Its first transaction was one without a key.
            (Err(error), Some(prepared)) if is_unprepared(&error) => {
                prepare(connection, prepared).await?;
                connection
                    .fetch_all(sqlx::raw_sql(AssertSqlSafe(sql)))
                    .await
            }
            (sent, _) => sent,
        }
    }

    /// Begins one for an operation, and looks for its record in it.
    pub(super) async fn begin_for(
        by: &Beginning,
        deadline: Instant,
        options: &TransactionOptions,
        (table, id): (&str, &RecordId),
        look: &Arc<str>,
    ) -> Result<Begun, Failure> {
        let begun = Self::begin(by, deadline, options, Some((table, id)));
        let (mut transaction, row) = begun.await?;
        let refused = |error| Failure::Refused(Postgres::explain(error));
        let row = row.ok_or_else(|| refused(sqlx::Error::RowNotFound))?;
        let setting: Option<String> = row.try_get(0).map_err(unreadable::<Postgres>)?;
        let is_up_to_date = row.try_get(2).map_err(unreadable::<Postgres>)?;
        transaction.has_seen_row = row.try_get(1).map_err(unreadable::<Postgres>)?;
        let seen = match transaction.has_seen_row {
            true => {
                let query =
                    sqlx::query(AssertSqlSafe(Arc::clone(look))).bind(id.as_bytes().to_vec());
                let seen = query.fetch_optional(transaction.connection_mut());
                seen.await.map_err(refused)?
            }
            false => None,
        };
        let has_lock = setting.as_deref() == Some(&transaction.mark);
        Ok(Begun {
            transaction,
            is_up_to_date,
            seen,
            has_lock,
        })
    }

    pub(super) async fn begin_plain(
        by: &Beginning,
        deadline: Instant,
        options: &TransactionOptions,
    ) -> Result<Self, Failure> {
        let begun = Self::begin(by, deadline, options, None);
        Ok(begun.await?.0)
    }

    /// Whether there was a row under the record's id, though perhaps none that counts.
    pub(super) fn has_seen_row(&self) -> bool {
        self.has_seen_row
    }

    /// Records an answer as a new row, if it still is the same transaction.
    pub(super) fn record_new(&self, table: &str, id: &RecordId, row: &NewRow) -> String {
        match &self.prepared {
            Some(prepared) => prepared.record(&self.mark, id, row),
            None => record_new(table, &format!("'{}'", self.mark), id, row),
        }
    }

    /// Has that called when it is over, unless it was committed.
    pub(super) fn tell(&mut self, told: impl Fn() + Send + 'static) {
        self.told = Some(Box::new(told));
    }

    fn connection(&self) -> &PgConnection {
        self.taken().peek()
    }

    fn connection_mut(&mut self) -> &mut PgConnection {
        let taken = self.taken.as_mut();
        taken.expect("a transaction that is not over").lend()
    }

    fn taken(&self) -> &Taken<PgConnection> {
        self.taken.as_ref().expect("a transaction that is not over")
    }

    /// Commits, in one message with what is written before. Of a transaction that was undone by an error a commit reports
    /// success; the statement before it does not.
    pub(super) async fn commit(mut self, write: Write<'_>) -> Sent {
        let (sql, table) = match write {
            Write::Nothing => match &self.prepared {
                Some(prepared) => (prepared.own(&self.mark), None),
                None => (mark::own(&format!("'{}'", self.mark)), None),
            },
            Write::New { sql, table } => (sql, Some(table)),
            Write::Over(made) => {
                let number = format!("CASE count(*) WHEN 0 THEN '{TAKEN}' ELSE '1' END");
                let number = if_own(&format!("'{}'", self.mark), &number);
                (format!("{made} SELECT {number} FROM made"), None)
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
        let is_taken = match table {
            Some(table) => reply
                .is_some_and(|reply| reply.is_unique_violation() && reply.table() == Some(table)),
            None => says(TAKEN),
        };
        let sent = match Postgres::meaning(&error) {
            Meaning::Broken => {
                if let (Some(prepared), true) = (&self.prepared, is_unprepared(&error)) {
                    prepared.give_up();
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
        let sql = format!("SELECT current_setting('{SETTING}', true); ROLLBACK");
        let sent = self
            .connection_mut()
            .fetch_all(sqlx::raw_sql(AssertSqlSafe(sql)));
        match sent.await {
            Ok(rows) => {
                self.give_back();
                let setting = rows.first().and_then(|row| row.try_get(0).ok());
                setting.as_ref() == Some(&self.mark)
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
    fn close(&mut self) {
        if let Some(taken) = self.taken.take() {
            taken.close();
        }
    }
}

/// Rolls back, and prepares what is not there yet. Of one name there is one text, so one that is there is as good.
async fn prepare(connection: &mut PgConnection, prepared: &Prepared) -> Result<(), sqlx::Error> {
    let sql = AssertSqlSafe(prepared.all());
    match connection.execute(sqlx::raw_sql(sql)).await {
        Err(error) if code(&error).as_deref() == Some("42P05") => Ok(()),
        done => done.map(|_| ()),
    }
}

/// Whether the server's process knows nothing of what was prepared.
fn is_unprepared(error: &sqlx::Error) -> bool {
    code(error).as_deref() == Some("26000")
}

fn code(error: &sqlx::Error) -> Option<Cow<'_, str>> {
    error.as_database_error()?.code()
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
