//! How the table comes to be, and that nothing is locked where it is there. What stands in it is not known here.

use sqlx::sqlite::{Sqlite, SqliteConnection};
use sqlx::{AssertSqlSafe, Executor as _, Row as _};

use super::transaction::{Ended, SqliteTransaction, Write};
use crate::failure::{Failure, Trouble};
use crate::name::Names;
use crate::steps::Engine;

const RECORDS: &str = include_str!("../../migrations/sqlite/0001_records.sql");

const ARE_THERE: &str = "SELECT count(*) FROM sqlite_master WHERE name IN ($1, $2, $3, $4)";

/// Makes what is missing, in one transaction.
pub(super) async fn migrate(
    mut transaction: SqliteTransaction,
    names: &Names,
) -> Result<(), Failure> {
    let sql = names.in_migration(RECORDS);
    let made = transaction.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await;
    made.map_err(refused)?;
    match transaction.commit(Write::Nothing).await {
        Ended::Committed => Ok(()),
        Ended::Again(error) | Ended::Refused(Some(error)) | Ended::Unclear(error) => {
            Err(refused(error))
        }
        Ended::Taken | Ended::ByHandler | Ended::Refused(None) => {
            Err(Failure::Refused(Trouble::RolledBack.into()))
        }
    }
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
