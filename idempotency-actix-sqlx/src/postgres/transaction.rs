//! One open transaction on a connection of the store's: how it begins, what is seen in it, and how it ends. When that is
//! is not known here.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use idempotency_actix::Isolation;
use idempotency_actix::store::{RecordId, Token, TransactionOptions};
use sqlx::postgres::{PgConnection, PgRow, Postgres};
use sqlx::{AssertSqlSafe, Connection, Executor, Row as _, SqlSafeStr};
use tokio::time::Instant;

use crate::connections::{Connections, Taken};
use crate::failure::{Cause, Failure, Meaning, Trouble};
use crate::nesting::{begin, queue_rollback};
use crate::steps::{Engine, unreadable};

/// A setting that is local to the transaction: while it is there, it still is the one that was begun.
const SETTING: &str = "idempotency_actix.tx";

/// What statements of the store's say by an error, since an error keeps the commit behind it in the same message from
/// being carried out.
const TAKEN: &str = "idempotency_actix:taken";
const ENDED: &str = "idempotency_actix:ended";

/// What transactions are begun by: connections for them alone, since they last as long as their handlers.
#[derive(Debug)]
pub(super) struct Beginning {
    pub(super) connections: Arc<Connections<PgConnection>>,
    /// Of each statement in them; `None` leaves it to the server's configuration.
    pub(super) statement_timeout: Option<Duration>,
}

/// An open transaction of a [`PgStore`](super::PgStore), which dereferences to its connection. Dropping it rolls back.
pub struct PgTransaction {
    /// `None` once it is closed.
    taken: Option<Taken<PgConnection>>,
    /// What the setting holds.
    mark: String,
    /// Told when it is over without a record.
    told: Option<Box<dyn Fn()>>,
}

/// What a record's transaction began with.
pub(super) struct Begun {
    pub(super) transaction: PgTransaction,
    /// With the row behind it.
    pub(super) seen: PgRow,
    pub(super) has_lock: bool,
    /// Whether what was committed before the lock was got is seen.
    pub(super) is_up_to_date: bool,
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
    /// Begins one in a single message. With an operation it tries for the operation's lock, and never waits for it: the
    /// snapshot of a statement is older than a lock that is taken in it, so that the record is looked for in the next.
    async fn begin(
        by: &Beginning,
        deadline: Instant,
        options: &TransactionOptions,
        lock: Option<(&str, &RecordId)>,
    ) -> Result<Self, Failure> {
        let mark: String = (Token::random().as_bytes().iter())
            .map(|octet| format!("{octet:02x}"))
            .collect();
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
        let locked = match lock {
            // Of the table's, since the lock is one of the whole database. Where two operations share one, a request is told
            // to come again that need not have been.
            Some((table, id)) => format!(
                "CASE WHEN pg_try_advisory_xact_lock(hashtextextended('{table}:{id}', 0)) \
                 THEN '+' ELSE '-' END"
            ),
            None => "'+'".to_owned(),
        };
        let sql = format!(
            "BEGIN{isolation}; {limit}SET LOCAL idle_in_transaction_session_timeout = {idle}; \
             SELECT set_config('{SETTING}', '{mark}' || {locked}, true)"
        );
        let mut has_resent = false;
        loop {
            let mut taken = by.connections.take(deadline).await?;
            let sql = AssertSqlSafe(sql.clone()).into_sql_str();
            let begun = begin::<Postgres>(taken.lend(), sql);
            let error = match tokio::time::timeout_at(deadline, begun).await {
                Ok(Ok(())) => {
                    return Ok(Self {
                        taken: Some(taken),
                        mark: mark + "+",
                        told: None,
                    });
                }
                Ok(Err(error)) => error,
                Err(_) => {
                    taken.close();
                    return Err(Failure::Refused(Trouble::NoAnswer.into()));
                }
            };
            // Nothing was written, whatever was begun: it ends with its connection.
            let was_idle = !taken.is_fresh();
            taken.close();
            if Postgres::meaning(&error) != Meaning::Broken || has_resent || !was_idle {
                return Err(Failure::Refused(Postgres::explain(error)));
            }
            by.connections.forget_idle();
            has_resent = true;
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
        let mut transaction = Self::begin(by, deadline, options, Some((table, id))).await?;
        let query = sqlx::query(AssertSqlSafe(Arc::clone(look)))
            .bind(SETTING)
            .bind(id.as_bytes().to_vec());
        let seen = query.fetch_one(&mut *transaction).await;
        let seen = seen.map_err(|error| Failure::Refused(Postgres::explain(error)))?;
        let setting: Option<String> = seen.try_get(0).map_err(unreadable::<Postgres>)?;
        let has_lock = setting.as_deref() == Some(&transaction.mark);
        let is_up_to_date = seen.try_get("is_up_to_date");
        Ok(Begun {
            transaction,
            is_up_to_date: is_up_to_date.map_err(unreadable::<Postgres>)?,
            seen,
            has_lock,
        })
    }

    pub(super) async fn begin_plain(
        by: &Beginning,
        deadline: Instant,
        options: &TransactionOptions,
    ) -> Result<Self, Failure> {
        Self::begin(by, deadline, options, None).await
    }

    /// Has that called when it is over, unless it was committed.
    pub(super) fn tell(&mut self, told: impl Fn() + 'static) {
        self.told = Some(Box::new(told));
    }

    /// Commits, in one message with a statement that gives one row where it wrote what it had to.
    ///
    /// The commit begins the next transaction, which is rolled back off the request's way: the client library counts how
    /// deep it is in transactions, and what it does not commit itself it would roll back, with a warning of the server's
    /// where there is nothing. Of a transaction that was undone by an error a commit reports success; the statement before
    /// it does not.
    pub(super) async fn commit(mut self, writes: Option<String>) -> Sent {
        let mark = &self.mark;
        let written = match &writes {
            Some(_) => format!("CASE count(*) WHEN 0 THEN '{TAKEN}' ELSE '1' END"),
            None => "'1'".to_owned(),
        };
        let (writes, from) = match writes {
            Some(writes) => (writes, " FROM made"),
            None => (String::new(), ""),
        };
        let sql = format!(
            "{writes} SELECT (CASE WHEN current_setting('{SETTING}', true) = '{mark}' \
             THEN {written} ELSE '{ENDED}' END)::integer{from}; COMMIT AND CHAIN"
        );
        let sent = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *self);
        let error = match sent.await {
            Ok(_) => {
                self.told = None;
                return Sent::Done;
            }
            Err(error) => error,
        };
        let says = |text| {
            let reply = error.as_database_error();
            reply.is_some_and(|reply| reply.message().contains(text))
        };
        let sent = match Postgres::meaning(&error) {
            Meaning::Broken => {
                self.close();
                return Sent::Unclear(Postgres::explain(error));
            }
            Meaning::Again => Sent::Again(error.into()),
            Meaning::Refused if says(TAKEN) => Sent::Taken,
            Meaning::Refused if says(ENDED) => Sent::Ended,
            Meaning::Refused => Sent::Refused(error.into()),
        };
        // An error is told before the lock is gone.
        self.leave().await;
        sent
    }

    /// Rolls back; `false` if it was over already.
    pub(super) async fn roll_back(mut self) -> bool {
        let sql = format!("SELECT current_setting('{SETTING}', true)");
        let look = self.fetch_one(sqlx::raw_sql(AssertSqlSafe(sql)));
        let is_there = match look.await {
            Ok(row) => {
                row.try_get::<Option<String>, _>(0).ok().flatten() == Some(self.mark.clone())
            }
            // Undone by an error, or with its connection.
            Err(_) => true,
        };
        self.leave().await;
        is_there
    }

    /// Rolls back what is left, and returns when that is done.
    async fn leave(&mut self) {
        self.queue_rollback();
        match self.ping().await {
            Ok(()) => {
                if let Some(mut taken) = self.taken.take() {
                    taken.answered();
                }
            }
            Err(_) => self.close(),
        }
    }

    /// Leaves it to the server, which rolls back when it sees the connection closed.
    fn close(&mut self) {
        if let Some(taken) = self.taken.take() {
            taken.close();
        }
    }

    /// Rolls back with whatever is sent next.
    fn queue_rollback(&mut self) {
        queue_rollback::<Postgres>(self);
    }
}

impl Deref for PgTransaction {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        let taken = self.taken.as_ref();
        taken.expect("a transaction that is not over").peek()
    }
}

impl DerefMut for PgTransaction {
    fn deref_mut(&mut self) -> &mut PgConnection {
        let taken = self.taken.as_mut();
        taken.expect("a transaction that is not over").lend()
    }
}

/// The connection is given back in the midst of something, which has it asked for an answer before it is used again.
impl Drop for PgTransaction {
    fn drop(&mut self) {
        if self.taken.is_some() {
            self.queue_rollback();
            drop(self.taken.take());
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
