//! How the table comes to be, and that nothing is locked where it is there. What stands in it is not known here.

use std::hash::{DefaultHasher, Hash, Hasher};

use sqlx::postgres::{PgConnection, Postgres};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, Row as _};

use crate::failure::Failure;
use crate::name::Names;
use crate::steps::Engine;

const RECORDS: &str = include_str!("../../migrations/postgres/0001_records.sql");

/// Makes what is missing. Of several who do it at once one does it, and the others find it done.
pub(super) async fn migrate(connection: &mut PgConnection, names: &Names) -> Result<(), Failure> {
    if is_there(connection, names).await? {
        return Ok(());
    }
    // By itself, each of two `IF NOT EXISTS` may find that there is none, and one of them fails.
    let done: Result<(), sqlx::Error> = async {
        let mut transaction = connection.begin().await?;
        let lock = format!("SELECT pg_advisory_xact_lock({});", lock_key(names));
        let sql = lock + &names.in_migration(RECORDS);
        transaction
            .execute(sqlx::raw_sql(AssertSqlSafe(sql)))
            .await?;
        transaction.commit().await
    }
    .await;
    done.map_err(refused)
}

/// Reads catalogs, which takes no lock that anybody waits for. As plain text, which passes every pooler.
pub(super) async fn is_there(
    connection: &mut PgConnection,
    names: &Names,
) -> Result<bool, Failure> {
    let [expires, claims] = names.indexes_in_schema();
    let all = [names.table(), expires, claims, names.view()];
    let all = all.map(|name| format!("to_regclass('{name}') IS NOT NULL"));
    let sql = format!("SELECT {}", all.join(" AND "));
    let query = sqlx::raw_sql(AssertSqlSafe(sql));
    let rows = query.fetch_all(connection).await.map_err(refused)?;
    let row = rows.first().ok_or(sqlx::Error::RowNotFound);
    row.and_then(|row| row.try_get(0)).map_err(refused)
}

fn refused(error: sqlx::Error) -> Failure {
    Failure::Refused(Postgres::explain(error))
}

/// The same in every process, and hardly another application's.
fn lock_key(names: &Names) -> i64 {
    let mut hasher = DefaultHasher::new();
    ("idempotency-actix-sqlx", names.table()).hash(&mut hasher);
    hasher.finish().cast_signed()
}
