//! The statements as steps: over which connections they go, and what their rows say.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use idempotency_actix::store::RecordId;
use sqlx::sqlite::{Sqlite, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Row as _};
use tokio::time::Instant;

use super::checkpoints::Log;
use super::statements::Statements;
use crate::conditions::{ANSWER, NOT_KEPT};
use crate::connections::Connections;
use crate::failure::Failure;
use crate::new_row::NewRow;
use crate::records::{Table, Written};
use crate::row::Row;
use crate::steps::{Ask, step, unreadable};
use crate::sweep::{BATCH, Batch};
use crate::values::micros;

pub(super) struct SqliteTable {
    pub(super) statements: Statements,
    /// The one that writes: those who want to write wait for it here, in order, and not by looking again and again.
    pub(super) writer: Arc<Connections<SqliteConnection>>,
    /// Those that read, which wait for nobody; the writer itself where the database has one connection only.
    pub(super) readers: Arc<Connections<SqliteConnection>>,
    /// What the writer writes to.
    pub(super) log: Arc<Log>,
}

/// The machine's clock, in microseconds since 1970. It is read when a statement is sent.
fn now() -> i64 {
    micros(
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default(),
    )
}

fn ask(sql: &Arc<str>) -> Ask<Sqlite> {
    sqlx::query(AssertSqlSafe(Arc::clone(sql)))
}

fn look(sql: &Arc<str>, id: &RecordId) -> Ask<Sqlite> {
    ask(sql).bind(id.as_bytes().to_vec()).bind(now())
}

fn finish(sql: &Arc<str>, id: &RecordId, answer: &NewRow) -> Ask<Sqlite> {
    ask(sql)
        .bind(id.as_bytes().to_vec())
        .bind(answer.token.to_vec())
        .bind(answer.generation)
        .bind(answer.fingerprint.clone())
        .bind(answer.kind)
        .bind(answer.kept)
        .bind(answer.answer.clone())
        .bind(now())
        .bind(answer.method().map(str::to_owned))
        .bind(answer.route().map(str::to_owned))
        .bind(answer.label().map(str::to_owned))
}

impl SqliteTable {
    async fn write(
        &self,
        deadline: Instant,
        query: impl Fn() -> Ask<Sqlite>,
    ) -> Result<Vec<SqliteRow>, Failure> {
        let rows = step::<Sqlite>(&self.writer, deadline, query).await?;
        self.log.grew();
        Ok(rows)
    }

    /// Begins a transaction, and looks in it.
    pub(super) fn open(&self, id: &RecordId) -> Ask<Sqlite> {
        look(&self.statements.open, id)
    }

    /// Begins a transaction without a record.
    pub(super) fn open_plain(&self) -> Ask<Sqlite> {
        ask(&self.statements.open_plain)
    }

    /// Writes an answer as a new row, and commits.
    pub(super) fn record(&self, id: &RecordId, answer: &NewRow) -> Ask<Sqlite> {
        finish(&self.statements.record, id, answer)
    }

    /// The write of an answer, which gives a row where nothing was in its way.
    pub(super) fn complete_in(&self, id: &RecordId, answer: &NewRow) -> Ask<Sqlite> {
        finish(&self.statements.complete, id, answer)
    }

    /// Tells whether a claim could be taken now.
    pub(super) async fn health(&self, deadline: Instant) -> Result<(), Failure> {
        self.write(deadline, || ask(&self.statements.health))
            .await?;
        Ok(())
    }

    /// Deletes some rows whose time is over.
    pub(super) async fn sweep(&self, deadline: Instant) -> Result<Batch, Failure> {
        let of = |sql| move || ask(sql).bind(now());
        let deleted = self.write(deadline, of(&self.statements.sweep)).await?;
        let deleted = i64::try_from(deleted.len()).unwrap_or(i64::MAX);
        if deleted < BATCH {
            self.write(deadline, of(&self.statements.postpone)).await?;
        }
        Ok(Batch {
            met: deleted,
            deleted,
        })
    }
}

fn first<T>(rows: &[SqliteRow]) -> Result<Option<T>, Failure>
where
    T: for<'r> sqlx::Decode<'r, Sqlite> + sqlx::Type<Sqlite>,
{
    let value = rows.first().map(|row| row.try_get(0));
    value.transpose().map_err(unreadable::<Sqlite>)
}

fn as_seen(query: Ask<Sqlite>, id: &RecordId, seen: &Row, must_have_lapsed: bool) -> Ask<Sqlite> {
    query
        .bind(id.as_bytes().to_vec())
        .bind(seen.kind)
        .bind(seen.token.clone())
        .bind(seen.generation)
        .bind(seen.seen)
        .bind(seen.expires)
        .bind(seen.answer.clone())
        .bind(must_have_lapsed)
}

impl Table for SqliteTable {
    /// A look first: whatever is there but a claim that may be written over is told by a reader, and the writer is left
    /// to those who write.
    async fn begin(
        &self,
        id: &RecordId,
        claim: &NewRow,
        deadline: Instant,
    ) -> Result<Written<i64>, Failure> {
        if let Some(row) = self.look(id, deadline).await?
            && matches!(row.kind, ANSWER | NOT_KEPT)
            && row.expires > row.now
        {
            return Ok(Written::Found(row.into()));
        }
        let query = || {
            ask(&self.statements.begin)
                .bind(id.as_bytes().to_vec())
                .bind(claim.token.to_vec())
                .bind(claim.generation)
                .bind(claim.fingerprint.clone())
                .bind(claim.lease)
                .bind(claim.retention)
                .bind(now())
                .bind(claim.method().map(str::to_owned))
                .bind(claim.route().map(str::to_owned))
                .bind(claim.label().map(str::to_owned))
        };
        match first(&self.write(deadline, query).await?)? {
            Some(generation) => Ok(Written::Done(generation)),
            None => self.found(id, deadline).await,
        }
    }

    async fn renew(
        &self,
        id: &RecordId,
        token: &[u8; 16],
        deadline: Instant,
    ) -> Result<bool, Failure> {
        let query = || {
            ask(&self.statements.renew)
                .bind(id.as_bytes().to_vec())
                .bind(token.to_vec())
                .bind(now())
        };
        Ok(!self.write(deadline, query).await?.is_empty())
    }

    async fn complete(
        &self,
        id: &RecordId,
        answer: &NewRow,
        deadline: Instant,
    ) -> Result<Written<bool>, Failure> {
        let query = || self.complete_in(id, answer);
        match first(&self.write(deadline, query).await?)? {
            Some(was_absent) => Ok(Written::Done(was_absent)),
            None => self.found(id, deadline).await,
        }
    }

    async fn release(
        &self,
        id: &RecordId,
        token: &[u8; 16],
        is_fenced: bool,
        deadline: Instant,
    ) -> Result<bool, Failure> {
        for sql in [&self.statements.release, &self.statements.remember] {
            let query = || {
                ask(sql)
                    .bind(id.as_bytes().to_vec())
                    .bind(token.to_vec())
                    .bind(now())
                    .bind(is_fenced)
            };
            if !self.write(deadline, query).await?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn look(&self, id: &RecordId, deadline: Instant) -> Result<Option<Row>, Failure> {
        let query = || look(&self.statements.look, id);
        let rows = step::<Sqlite>(&self.readers, deadline, query).await?;
        let row = rows.first().map(|row| Row::read(row, 0));
        row.transpose().map_err(unreadable::<Sqlite>)
    }

    async fn unknown(
        &self,
        (begun, id): (i64, &[u8]),
        limit: i64,
        deadline: Instant,
    ) -> Result<Vec<(Vec<u8>, Row)>, Failure> {
        let query = || {
            ask(&self.statements.unknown)
                .bind(begun)
                .bind(id.to_vec())
                .bind(limit)
                .bind(now())
        };
        let rows = step::<Sqlite>(&self.readers, deadline, query).await?;
        let rows: Result<_, _> = rows.iter().map(Row::read_named).collect();
        rows.map_err(unreadable::<Sqlite>)
    }

    async fn change(
        &self,
        id: &RecordId,
        seen: &Row,
        must_have_lapsed: bool,
        to: Option<&NewRow>,
        deadline: Instant,
    ) -> Result<bool, Failure> {
        let query = || match to {
            None => as_seen(ask(&self.statements.remove), id, seen, must_have_lapsed).bind(now()),
            Some(to) => as_seen(ask(&self.statements.change), id, seen, must_have_lapsed)
                .bind(to.kind)
                .bind(to.token.to_vec())
                .bind(to.generation)
                .bind(to.fingerprint.clone())
                .bind(to.lease)
                .bind(to.retention)
                .bind(to.kept)
                .bind(to.answer.clone())
                .bind(now()),
        };
        Ok(!self.write(deadline, query).await?.is_empty())
    }

    /// Other processes are not told: who waits in them polls.
    fn tell(&self, _id: &RecordId) {}
}

impl SqliteTable {
    /// What a write ran into.
    async fn found<T>(&self, id: &RecordId, deadline: Instant) -> Result<Written<T>, Failure> {
        let row = self.look(id, deadline).await?;
        Ok(row.map_or(Written::Neither, |row| Written::Found(row.into())))
    }
}
