//! Asks a database for what bears on the promise. What each answer means is said by the findings.

use sqlx::sqlite::{Sqlite, SqliteConnection};
use sqlx::{AssertSqlSafe, Executor as _, Row as _, raw_sql};

use super::finding::SqliteFinding;
use super::migration::is_there;
use crate::failure::Failure;
use crate::name::Names;
use crate::steps::Engine;

/// The primary result code.
const READONLY: i32 = 8;

/// `unixepoch` with fractions, in the view.
const OLDEST: i32 = 3_042_000;

/// Over the connection that writes.
pub(super) async fn findings(
    connection: &mut SqliteConnection,
    names: &Names,
    is_file: bool,
) -> Result<Vec<SqliteFinding>, Failure> {
    let mut findings = Vec::new();
    let is_there = is_there(connection, names).await?;
    if !is_there {
        findings.push(SqliteFinding::NoTable);
    }
    let refused = |error| Failure::Refused(Sqlite::explain(error));
    let found = settings(connection, is_file).await.map_err(refused)?;
    findings.extend(found);
    if is_there && is_read_only(connection, names).await.map_err(refused)? {
        findings.push(SqliteFinding::ReadOnly);
    }
    Ok(findings)
}

async fn settings(
    connection: &mut SqliteConnection,
    is_file: bool,
) -> Result<Vec<SqliteFinding>, sqlx::Error> {
    let mut found = Vec::new();
    let version: String = one(connection, "SELECT sqlite_version()").await?;
    if number(&version) < OLDEST {
        found.push(SqliteFinding::TooOld { version });
    }
    if !is_file {
        found.push(SqliteFinding::InMemory);
        return Ok(found);
    }
    let mode: String = one(connection, "PRAGMA journal_mode").await?;
    if mode != "wal" {
        found.push(SqliteFinding::NotWal { mode });
    }
    let level: i64 = one(connection, "PRAGMA synchronous").await?;
    match level {
        0 => found.push(SqliteFinding::Synchronous { level: "OFF" }),
        1 => found.push(SqliteFinding::Synchronous { level: "NORMAL" }),
        _ => {}
    }
    Ok(found)
}

/// Asks for a write that meets no row: a transaction alone begins on a file that takes none.
async fn is_read_only(
    connection: &mut SqliteConnection,
    names: &Names,
) -> Result<bool, sqlx::Error> {
    let sql = format!("DELETE FROM {} WHERE id = x''", names.table());
    let done = connection.execute(raw_sql(AssertSqlSafe(sql))).await;
    let code = |error: &sqlx::Error| error.as_database_error()?.code()?.parse::<i32>().ok();
    match done {
        Ok(_) => Ok(false),
        Err(error) if code(&error).is_some_and(|code| code & 0xff == READONLY) => Ok(true),
        Err(error) => Err(error),
    }
}

async fn one<T>(connection: &mut SqliteConnection, sql: &'static str) -> Result<T, sqlx::Error>
where
    T: for<'r> sqlx::Decode<'r, Sqlite> + sqlx::Type<Sqlite>,
{
    let rows = connection.fetch_all(raw_sql(sql)).await?;
    rows.first().ok_or(sqlx::Error::RowNotFound)?.try_get(0)
}

/// As SQLite counts: 3.42.1 is 3042001.
fn number(version: &str) -> i32 {
    let parts = version
        .split('.')
        .map(|part| part.parse::<i32>().unwrap_or(0));
    parts
        .chain([0, 0])
        .take(3)
        .fold(0, |number, part| number * 1_000 + part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_counted_as_sqlite_does() {
        assert_eq!(number("3.42.1"), 3_042_001);
        assert_eq!(number("3.50"), 3_050_000);
    }
}
