//! The statements as steps: over which connections they go, and what their rows say.

use std::sync::Arc;

use idempotency_actix::store::{RecordId, Token};
use sqlx::postgres::{PgConnection, PgRow, Postgres};
use sqlx::{AssertSqlSafe, Row as _};
use tokio::time::Instant;

use super::statements::Statements;
use super::telling::Telling;
use crate::connections::Connections;
use crate::failure::Failure;
use crate::new_row::NewRow;
use crate::records::{Table, Written};
use crate::row::Row;
use crate::steps::{Ask, step, unreadable};
use crate::sweep::Batch;

pub(super) struct PgTable {
    pub(super) statements: Statements,
    /// For requests.
    pub(super) connections: Arc<Connections<PgConnection>>,
    /// For renewals alone: neither a burst of requests nor a handler that blocks its worker may hold them up.
    pub(super) renewals: Arc<Connections<PgConnection>>,
    pub(super) telling: Telling,
}

fn ask(sql: &Arc<str>) -> Ask<Postgres> {
    sqlx::query(AssertSqlSafe(Arc::clone(sql)))
}

impl PgTable {
    async fn step(
        &self,
        deadline: Instant,
        query: impl Fn() -> Ask<Postgres>,
    ) -> Result<Vec<PgRow>, Failure> {
        step::<Postgres>(&self.connections, deadline, query).await
    }

    /// Tells whether a claim could be taken now.
    pub(super) async fn health(&self, deadline: Instant) -> Result<(), Failure> {
        self.step(deadline, || ask(&self.statements.health)).await?;
        Ok(())
    }
}

/// Deletes some rows whose time is over.
pub(super) async fn sweep(
    connections: &Arc<Connections<PgConnection>>,
    sql: &Arc<str>,
    deadline: Instant,
) -> Result<Batch, Failure> {
    // Planned each time: what is right for an empty table is not for a full one.
    let query = || ask(sql).persistent(false);
    let rows = step::<Postgres>(connections, deadline, query).await?;
    let Some(row) = rows.first() else {
        return Ok(Batch::default());
    };
    let met = row.try_get(0).map_err(unreadable::<Postgres>)?;
    let deleted = row.try_get(1).map_err(unreadable::<Postgres>)?;
    Ok(Batch { met, deleted })
}

/// What was made stands in the first column, what was found behind it.
fn written<T>(rows: Vec<PgRow>) -> Result<Written<T>, Failure>
where
    T: for<'r> sqlx::Decode<'r, Postgres> + sqlx::Type<Postgres>,
{
    let Some(row) = rows.first() else {
        return Ok(Written::Neither);
    };
    let made = row.try_get(0).map_err(unreadable::<Postgres>)?;
    Ok(match made {
        Some(made) => Written::Done(made),
        None => Written::Found(Row::read(row, 1).map_err(unreadable::<Postgres>)?.into()),
    })
}

fn as_seen(
    query: Ask<Postgres>,
    id: &RecordId,
    seen: &Row,
    must_have_lapsed: bool,
) -> Ask<Postgres> {
    query
        .bind(&id.as_bytes()[..])
        .bind(seen.kind)
        .bind(&seen.token)
        .bind(seen.generation)
        .bind(seen.seen)
        .bind(seen.expires)
        .bind(&seen.answer)
        .bind(must_have_lapsed)
}

impl Table for PgTable {
    async fn begin(
        &self,
        id: &RecordId,
        claim: &NewRow,
        deadline: Instant,
    ) -> Result<Written<i64>, Failure> {
        let query = || {
            ask(&self.statements.begin)
                .bind(&id.as_bytes()[..])
                .bind(&claim.token[..])
                .bind(claim.generation)
                .bind(&claim.fingerprint)
                .bind(claim.lease)
                .bind(claim.retention)
                .bind(claim.method())
                .bind(claim.route())
                .bind(claim.label())
        };
        written(self.step(deadline, query).await?)
    }

    async fn renew(
        &self,
        id: &RecordId,
        token: &[u8; 16],
        deadline: Instant,
    ) -> Result<bool, Failure> {
        let query = || {
            ask(&self.statements.renew)
                .bind(&id.as_bytes()[..])
                .bind(&token[..])
        };
        let rows = step::<Postgres>(&self.renewals, deadline, query).await?;
        Ok(!rows.is_empty())
    }

    async fn complete(
        &self,
        id: &RecordId,
        answer: &NewRow,
        deadline: Instant,
    ) -> Result<Written<bool>, Failure> {
        let query = || {
            ask(&self.statements.complete)
                .bind(&id.as_bytes()[..])
                .bind(&answer.token[..])
                .bind(answer.generation)
                .bind(&answer.fingerprint)
                .bind(answer.kind)
                .bind(answer.kept)
                .bind(&answer.answer)
                .bind(answer.method())
                .bind(answer.route())
                .bind(answer.label())
        };
        written(self.step(deadline, query).await?)
    }

    async fn release(
        &self,
        id: &RecordId,
        token: &[u8; 16],
        is_fenced: bool,
        deadline: Instant,
    ) -> Result<bool, Failure> {
        let query = || {
            ask(&self.statements.release)
                .bind(&id.as_bytes()[..])
                .bind(&token[..])
                .bind(is_fenced)
                .bind(&Token::NOBODY.as_bytes()[..])
        };
        Ok(!self.step(deadline, query).await?.is_empty())
    }

    async fn look(&self, id: &RecordId, deadline: Instant) -> Result<Option<Row>, Failure> {
        let query = || ask(&self.statements.look).bind(&id.as_bytes()[..]);
        let rows = self.step(deadline, query).await?;
        let row = rows.first().map(|row| Row::read(row, 0));
        row.transpose().map_err(unreadable::<Postgres>)
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
                .bind(id)
                .bind(limit)
        };
        let rows = self.step(deadline, query).await?;
        let rows: Result<_, _> = rows.iter().map(Row::read_named).collect();
        rows.map_err(unreadable::<Postgres>)
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
            None => as_seen(ask(&self.statements.remove), id, seen, must_have_lapsed),
            Some(to) => as_seen(ask(&self.statements.change), id, seen, must_have_lapsed)
                .bind(to.kind)
                .bind(&to.token[..])
                .bind(to.generation)
                .bind(&to.fingerprint)
                .bind(to.lease)
                .bind(to.retention)
                .bind(to.kept)
                .bind(&to.answer),
        };
        Ok(!self.step(deadline, query).await?.is_empty())
    }

    fn tell(&self, id: &RecordId) {
        self.telling.tell(id);
    }
}
