//! How a transaction begins: in one message, on a connection of the store's, and what is seen then. How it ends is not known
//! here.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use idempotency_actix::Isolation;
use idempotency_actix::store::{RecordId, TransactionOptions};
use sqlx::postgres::{PgConnection, PgRow, Postgres};
use sqlx::{AssertSqlSafe, Executor as _, Row as _, SqlSafeStr as _};
use tokio::time::{Instant, timeout_at};

use super::prepared::{self, Prepared, is_prepared_already, is_unprepared};
use super::transaction::PgTransaction;
use crate::connections::Connections;
use crate::failure::{Failure, Meaning, Trouble};
use crate::name::{Name, Names};
use crate::nesting::{begin, depth};
use crate::steps::{Engine, step, unreadable};

/// What transactions are begun by: connections for them alone, since they last as long as their handlers.
#[derive(Debug)]
pub(super) struct Beginning {
    pub(super) connections: Arc<Connections<PgConnection>>,
    /// Of each statement in them; `None` leaves it to the server's configuration.
    pub(super) statement_timeout: Option<Duration>,
    pub(super) names: Names,
    /// Known as soon as it is known where the table is.
    pub(super) statements: OnceLock<Arc<Prepared>>,
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

impl Beginning {
    /// Begins one for an operation, and looks for its record in it.
    pub(super) async fn begin(
        &self,
        deadline: Instant,
        options: &TransactionOptions,
        id: &RecordId,
    ) -> Result<Begun, Failure> {
        let (mut transaction, first, has_seen_row) =
            self.start(deadline, options, Some(id)).await?;
        let has_lock = first.try_get(2).map_err(unreadable::<Postgres>)?;
        let is_up_to_date = first.try_get(3).map_err(unreadable::<Postgres>)?;
        let seen = match has_seen_row {
            true => {
                let read = transaction.statements().read();
                let query = sqlx::query(AssertSqlSafe(read)).bind(id.as_bytes().to_vec());
                // Rare, and what the client library takes for prepared a handler may have had the server forget.
                let query = query.persistent(false);
                let seen = query.fetch_optional(transaction.connection_mut());
                seen.await
                    .map_err(|error| Failure::Refused(Postgres::explain(error)))?
            }
            false => None,
        };
        Ok(Begun {
            transaction,
            seen,
            has_lock,
            is_up_to_date,
        })
    }

    /// Begins one for no operation.
    pub(super) async fn begin_plain(
        &self,
        deadline: Instant,
        options: &TransactionOptions,
    ) -> Result<PgTransaction, Failure> {
        Ok(self.start(deadline, options, None).await?.0)
    }

    /// Begins one in a single message; gives what the first statement told, and whether the next one saw a row. With an
    /// operation it tries for the operation's lock, and never waits for it: the snapshot of a statement is older than a lock
    /// that is taken in it, so that the record is looked for in the next.
    async fn start(
        &self,
        deadline: Instant,
        options: &TransactionOptions,
        id: Option<&RecordId>,
    ) -> Result<(PgTransaction, PgRow, bool), Failure> {
        let statements = self.statements(deadline).await?;
        let idle = options.idle.as_millis().clamp(1, i32::MAX as u128);
        let limit = match self.statement_timeout {
            Some(limit) => format!("SET LOCAL statement_timeout = {}; ", limit.as_millis()),
            None => String::new(),
        };
        // After the first look it would be too late.
        let isolation = match options.isolation {
            Isolation::Serializable => " ISOLATION LEVEL SERIALIZABLE",
            _ => "",
        };
        let mut has_resent = false;
        loop {
            let taken = self.connections.take(deadline).await?;
            let was_idle = !taken.is_fresh();
            let has_prepared = id.is_some() && statements.are_kept();
            let mut transaction = PgTransaction::on(taken, Arc::clone(&statements), has_prepared);
            let first = match id {
                Some(id) if has_prepared => statements.begin(id, idle),
                Some(id) => prepared::begin(statements.table(), id, idle),
                None => prepared::begin_plain(idle),
            };
            let message = format!("BEGIN{isolation}; {limit}{first}");
            let to_prepare = has_prepared.then_some(&*statements);
            let sent = send(transaction.connection_mut(), message, to_prepare);
            let error = match timeout_at(deadline, sent).await {
                Ok(Ok(rows)) => {
                    let has_seen_row = rows.len() > 1;
                    let first = rows.into_iter().next().ok_or(sqlx::Error::RowNotFound);
                    let first = first.map_err(unreadable::<Postgres>)?;
                    let mark = first.try_get(1).map_err(unreadable::<Postgres>)?;
                    transaction.begun(mark, has_seen_row);
                    return Ok((transaction, first, has_seen_row));
                }
                Ok(Err(error)) => error,
                Err(_) => {
                    transaction.close();
                    return Err(Failure::Refused(Trouble::NoAnswer.into()));
                }
            };
            // Nothing was written, whatever was begun: it ends with its connection.
            transaction.close();
            if has_prepared && is_unprepared(&error) {
                statements.give_up();
                continue;
            }
            if Postgres::meaning(&error) != Meaning::Broken || has_resent || !was_idle {
                return Err(Failure::Refused(Postgres::explain(error)));
            }
            self.connections.forget_idle();
            has_resent = true;
        }
    }

    /// The statements with the schema that the table is in, as a new connection finds it. A handler may set another
    /// `search_path`, of its tenant for one: the record would be written there, or nowhere.
    async fn statements(&self, deadline: Instant) -> Result<Arc<Prepared>, Failure> {
        if let Some(statements) = self.statements.get() {
            return Ok(Arc::clone(statements));
        }
        let mut names = self.names.clone();
        if names.schema.is_none() {
            let sql: Arc<str> = schema(&names.table()).into();
            let ask = || sqlx::query(AssertSqlSafe(Arc::clone(&sql)));
            let rows = step::<Postgres>(&self.connections, deadline, ask).await?;
            let Some(row) = rows.first() else {
                // It is not there, as the next statement says.
                return Ok(Prepared::of(names).into());
            };
            let schema = row.try_get(0).map_err(unreadable::<Postgres>)?;
            names.schema = Some(Name::told(schema));
        }
        let statements = self.statements.get_or_init(|| Prepared::of(names).into());
        Ok(Arc::clone(statements))
    }
}

/// Sends a message that begins a transaction.
///
/// The client library, which shall make savepoints of what a handler begins, counts one transaction from the first to
/// the last of a connection's: what it counted by itself, it would end by itself, by a message more.
async fn send(
    connection: &mut PgConnection,
    message: String,
    to_prepare: Option<&Prepared>,
) -> Result<Vec<PgRow>, sqlx::Error> {
    if depth::<Postgres>(connection) == 0 {
        begin::<Postgres>(connection, "BEGIN".into_sql_str()).await?;
        match to_prepare {
            Some(statements) => prepare(connection, statements).await?,
            None => {
                connection.execute(sqlx::raw_sql("ROLLBACK")).await?;
            }
        }
    }
    let sent = connection.fetch_all(sqlx::raw_sql(AssertSqlSafe(message.clone())));
    match (sent.await, to_prepare) {
        // Its first transaction was one without a key.
        (Err(error), Some(statements)) if is_unprepared(&error) => {
            prepare(connection, statements).await?;
            let message = sqlx::raw_sql(AssertSqlSafe(message));
            connection.fetch_all(message).await
        }
        (sent, _) => sent,
    }
}

/// Rolls back, and prepares what is not there yet. Of one name there is one text, so one that is there is as good.
async fn prepare(connection: &mut PgConnection, statements: &Prepared) -> Result<(), sqlx::Error> {
    let sql = AssertSqlSafe(statements.all());
    match connection.execute(sqlx::raw_sql(sql)).await {
        Err(error) if is_prepared_already(&error) => Ok(()),
        done => done.map(|_| ()),
    }
}

/// Asks for the schema of a table that is found by `search_path`.
fn schema(table: &str) -> String {
    format!(
        "SELECT nspname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.oid = to_regclass('{table}')"
    )
}
