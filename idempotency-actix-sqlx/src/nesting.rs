//! How deep a connection is in transactions, as sqlx counts it: a transaction of ours must be counted, or what a handler
//! begins in it would be no savepoint. It knows no database.

use sqlx::{Database, Error, SqlStr};
use sqlx_core::transaction::TransactionManager;

/// Begins a transaction by this statement.
pub(crate) async fn begin<D: Database>(
    connection: &mut D::Connection,
    statement: SqlStr,
) -> Result<(), Error> {
    D::TransactionManager::begin(connection, Some(statement)).await
}

pub(crate) fn depth<D: Database>(connection: &D::Connection) -> usize {
    D::TransactionManager::get_transaction_depth(connection)
}

/// Leaves all of it with whatever is sent next.
pub(crate) fn queue_rollback<D: Database>(connection: &mut D::Connection) {
    for _ in 0..depth::<D>(connection) {
        D::TransactionManager::start_rollback(connection);
    }
}
