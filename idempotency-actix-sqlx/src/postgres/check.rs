//! Asks a server for what bears on the promise. What each answer means is said by the findings.

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, Row as _, raw_sql};

use super::finding::PgFinding;
use super::migration::is_there;
use crate::failure::Failure;
use crate::name::Names;

/// Settings as they hold for this session, and the permissions on the table that the role lacks. As plain text, which
/// passes every pooler.
fn settings(names: &Names) -> String {
    let table = format!("to_regclass('{}')", names.table());
    format!(
        "SELECT pg_is_in_recovery(), \
            current_setting('default_transaction_read_only'), \
            current_setting('fsync'), current_setting('full_page_writes'), \
            current_setting('synchronous_commit'), current_setting('synchronous_standby_names'), \
            (SELECT relpersistence::text FROM pg_class WHERE oid = {table}), \
            (SELECT string_agg(p, ', ') \
                FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS p \
                WHERE NOT has_table_privilege({table}, p)), \
            (SELECT least(current_setting('max_connections')::bigint \
                    - current_setting('superuser_reserved_connections')::bigint, \
                CASE WHEN rolconnlimit >= 0 THEN rolconnlimit::bigint END) \
                FROM pg_roles WHERE rolname = current_user)"
    )
}

/// Over two connections that nothing else uses.
pub(super) async fn findings(
    connection: &mut PgConnection,
    other: &mut PgConnection,
    names: &Names,
    needed: usize,
) -> Result<Vec<PgFinding>, Failure> {
    let mut findings = Vec::new();
    let pooler = pooler(connection, other).await.map_err(refused)?;
    let settings = raw_sql(AssertSqlSafe(settings(names)));
    let rows = settings.fetch_all(&mut *other).await.map_err(refused)?;
    if !is_there(other, names).await? {
        findings.push(PgFinding::NoTable);
    }
    if let Some(row) = rows.first() {
        let found = read(row, needed).map_err(refused)?;
        findings.extend(found);
    }
    findings.extend(pooler);
    Ok(findings)
}

fn read(row: &PgRow, needed: usize) -> Result<Vec<PgFinding>, sqlx::Error> {
    let is_standby: bool = row.try_get(0)?;
    let is_off = |at: usize| Ok::<_, sqlx::Error>(row.try_get::<String, _>(at)? == "off");
    let synchronous: String = row.try_get(4)?;
    let standbys: String = row.try_get(5)?;
    let persistence: Option<String> = row.try_get(6)?;
    let missing: Option<String> = row.try_get(7)?;
    let allowed: Option<i64> = row.try_get(8)?;
    let mut found = Vec::new();
    if is_standby {
        found.push(PgFinding::Standby);
    }
    if !is_off(1)? {
        found.push(PgFinding::ReadOnly);
    }
    if let (Some(missing), Some(_)) = (missing, &persistence) {
        found.push(PgFinding::NoPermission { missing });
    }
    if persistence.as_deref() == Some("u") {
        found.push(PgFinding::Unlogged);
    }
    if is_off(2)? {
        found.push(PgFinding::FsyncOff);
    }
    if is_off(3)? {
        found.push(PgFinding::FullPageWritesOff);
    }
    match &*synchronous {
        "off" => found.push(PgFinding::SynchronousCommitOff),
        "local" if !standbys.is_empty() => found.push(PgFinding::NotReplicated),
        _ => {}
    }
    if let Some(allowed) = allowed
        && i64::try_from(needed).is_ok_and(|needed| needed > allowed)
    {
        found.push(PgFinding::TooFewConnections { needed, allowed });
    }
    Ok(found)
}

/// What stands between us and the server, by what it does: a pooler in statement mode refuses `BEGIN` or tears a
/// transaction apart, and one in transaction mode lends one process of the server to two idle sessions in turn.
async fn pooler(
    connection: &mut PgConnection,
    other: &mut PgConnection,
) -> Result<Option<PgFinding>, sqlx::Error> {
    let mut transaction = match connection.begin().await {
        Ok(transaction) => transaction,
        // It may end the session for it, and lives on.
        Err(_) => {
            process(other).await?;
            return Ok(Some(PgFinding::StatementPooler));
        }
    };
    let first = process(&mut transaction).await?;
    let is_torn = process(&mut transaction).await? != first;
    transaction.rollback().await?;
    if is_torn {
        return Ok(Some(PgFinding::StatementPooler));
    }
    if process(connection).await? != process(other).await? {
        return Ok(None);
    }
    let knows = knows_prepared(connection).await && knows_prepared(other).await;
    Ok(Some(match knows && knows_prepared(connection).await {
        true => PgFinding::TransactionPooler,
        false => PgFinding::NoPreparedStatements,
    }))
}

/// Whether a statement that a session prepared is there when it comes back, and nobody else's has its name.
async fn knows_prepared(connection: &mut PgConnection) -> bool {
    let asked = sqlx::query("SELECT 1 + $1").bind(1);
    asked.fetch_all(connection).await.is_ok()
}

/// The process of the server that answers.
async fn process(connection: &mut PgConnection) -> Result<i32, sqlx::Error> {
    let asked = raw_sql("SELECT pg_backend_pid()::text");
    let rows = connection.fetch_all(asked).await?;
    let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
    let text: String = row.try_get(0)?;
    text.parse().map_err(|_| sqlx::Error::RowNotFound)
}

fn refused(error: sqlx::Error) -> Failure {
    use crate::steps::Engine as _;
    Failure::Refused(sqlx::Postgres::explain(error))
}
