//! Asks a database for what bears on the promise. What each answer means is said by the findings.

use sqlx::sqlite::{Sqlite, SqliteConnection};
use sqlx::{Executor as _, Row as _};

use super::finding::SqliteFinding;
use super::migration::is_there;
use crate::failure::Failure;
use crate::name::Names;
use crate::steps::Engine;

/// `unixepoch` with fractions, in the view.
const OLDEST: i32 = 3_042_000;

/// Over the connection that writes.
pub(super) async fn findings(
    connection: &mut SqliteConnection,
    names: &Names,
    is_file: bool,
) -> Result<Vec<SqliteFinding>, Failure> {
    let mut findings = Vec::new();
    if !is_there(connection, names).await? {
        findings.push(SqliteFinding::NoTable);
    }
    let found = settings(connection, is_file).await;
    findings.extend(found.map_err(|error| Failure::Refused(Sqlite::explain(error)))?);
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
    // It takes the lock that a write takes, and writes nothing.
    let begun = connection.execute("BEGIN IMMEDIATE").await;
    match begun {
        Ok(_) => _ = connection.execute("ROLLBACK").await?,
        Err(error) if error.as_database_error().is_some_and(is_read_only) => {
            found.push(SqliteFinding::ReadOnly);
        }
        Err(error) => return Err(error),
    }
    Ok(found)
}

fn is_read_only(error: &dyn sqlx::error::DatabaseError) -> bool {
    let code = error.code().and_then(|code| code.parse::<i32>().ok());
    code.is_some_and(|code| code & 0xff == 8)
}

async fn one<T>(connection: &mut SqliteConnection, sql: &'static str) -> Result<T, sqlx::Error>
where
    T: for<'r> sqlx::Decode<'r, Sqlite> + sqlx::Type<Sqlite>,
{
    let rows = connection.fetch_all(sqlx::raw_sql(sql)).await?;
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
