//! How the table comes to be, and that nothing is locked where it is there. What stands in it is not known here.

use sqlx::sqlite::{Sqlite, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, Row as _};

use crate::failure::Failure;
use crate::name::Names;
use crate::steps::Engine;

const RECORDS: &str = include_str!("../../migrations/sqlite/0001_records.sql");

const ARE_THERE: &str = "SELECT count(*) FROM sqlite_master WHERE name IN ($1, $2, $3, $4)";

/// Makes what is missing, in one transaction that begins as a write.
pub(super) async fn migrate(
    connection: &mut SqliteConnection,
    names: &Names,
) -> Result<(), Failure> {
    if is_there(connection, names).await? {
        return Ok(());
    }
    let done: Result<(), sqlx::Error> = async {
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        let sql = names.in_migration(RECORDS);
        transaction
            .execute(sqlx::raw_sql(AssertSqlSafe(sql)))
            .await?;
        transaction.commit().await
    }
    .await;
    done.map_err(refused)
}

pub(super) async fn is_there(
    connection: &mut SqliteConnection,
    names: &Names,
) -> Result<bool, Failure> {
    let plain = |name: String| name.replace('"', "");
    let [expires, claims] = names.indexes();
    let query = sqlx::query(ARE_THERE)
        .bind(plain(names.table()))
        .bind(plain(expires))
        .bind(plain(claims))
        .bind(plain(names.view()));
    let rows = query.fetch_all(connection).await.map_err(refused)?;
    let row = rows.first().ok_or(sqlx::Error::RowNotFound);
    let found: i64 = row.and_then(|row| row.try_get(0)).map_err(refused)?;
    Ok(found == 4)
}

fn refused(error: sqlx::Error) -> Failure {
    Failure::Refused(Sqlite::explain(error))
}
