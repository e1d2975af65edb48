//! What can be wrong with a PostgreSQL server, how bad it is, and what to change. How it is found is not known here.

use std::fmt;

use crate::report::{SqlFinding, SqlSeverity};

/// One thing about a PostgreSQL server that bears on the promise; the message says what to change.
///
/// A lost claim or answer means that a retry runs a second time.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PgFinding {
    /// The table of the records, its index or its view is not there.
    NoTable,
    /// The role may not read and write the table.
    NoPermission {
        /// What it lacks: `INSERT`, for example.
        missing: String,
    },
    /// The server is a standby.
    Standby,
    /// Transactions are read-only by default.
    ReadOnly,
    /// The table is `UNLOGGED`.
    Unlogged,
    /// `fsync` is off.
    FsyncOff,
    /// `full_page_writes` is off.
    FullPageWritesOff,
    /// `synchronous_commit` is off.
    SynchronousCommitOff,
    /// `synchronous_commit` is `local`, and there are standbys that commits are to wait for.
    NotReplicated,
    /// Transactions do not keep their connection: a pooler in statement mode.
    StatementPooler,
    /// A pooler in transaction mode that does not know prepared statements.
    NoPreparedStatements,
    /// A session does not keep its server process: a pooler in transaction mode.
    TransactionPooler,
    /// The server may refuse the connections that the store can need.
    TooFewConnections {
        /// How many the store may open.
        needed: usize,
        /// How many the server takes from a role like this.
        allowed: i64,
    },
    /// Not every worker can have a transaction open at the same time.
    FewerThanWorkers {
        /// How many transactions the store opens at a time.
        connections: usize,
        /// How many workers the server has.
        workers: usize,
    },
}

impl SqlFinding for PgFinding {
    fn severity(&self) -> SqlSeverity {
        match self {
            Self::NoTable
            | Self::NoPermission { .. }
            | Self::Standby
            | Self::ReadOnly
            | Self::NoPreparedStatements
            | Self::StatementPooler => SqlSeverity::Fatal,
            Self::Unlogged
            | Self::FsyncOff
            | Self::FullPageWritesOff
            | Self::SynchronousCommitOff
            | Self::NotReplicated
            | Self::TooFewConnections { .. } => SqlSeverity::Warning,
            Self::TransactionPooler | Self::FewerThanWorkers { .. } => SqlSeverity::Note,
        }
    }
}

impl fmt::Display for PgFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTable => f.write_str(
                "the table of the records, its index or its view is not there, so that every claim fails (503); call `PgStore::migrate`, or run the crate's SQL files",
            ),
            Self::NoPermission { missing } => write!(
                f,
                "the role may not {missing} on the table of the records, so that steps fail (503); `GRANT SELECT, INSERT, UPDATE, DELETE` on it"
            ),
            Self::Standby => f.write_str(
                "the server is a standby, which takes no claims: every one is answered 503; connect to its primary, by `target_session_attrs` of a proxy or by its name",
            ),
            Self::ReadOnly => f.write_str(
                "`default_transaction_read_only` is on, so that every claim is answered 503; set it off for this role or database",
            ),
            Self::Unlogged => f.write_str(
                "the table of the records is UNLOGGED: a crash of the server empties it, and all retries run again; `ALTER TABLE .. SET LOGGED`",
            ),
            Self::FsyncOff => f.write_str(
                "`fsync` is off: a power loss or a crash of the operating system may lose or corrupt everything; set it on",
            ),
            Self::FullPageWritesOff => f.write_str(
                "`full_page_writes` is off: a power loss may tear pages and corrupt the table; set it on, unless the file system writes whole pages",
            ),
            Self::SynchronousCommitOff => f.write_str(
                "`synchronous_commit` is off: a crash of the server loses the last claims and answers, up to three times `wal_writer_delay`, and their retries run again; set it on for this role or database",
            ),
            Self::NotReplicated => f.write_str(
                "`synchronous_commit` is local although `synchronous_standby_names` is set: a failover loses the last claims and answers; set it to on",
            ),
            Self::StatementPooler => f.write_str(
                "a pooler hands each statement to another connection of the server: prepared statements and transactions break; use it in session or transaction mode, or connect to the server itself",
            ),
            Self::NoPreparedStatements => f.write_str(
                "a pooler in transaction mode stands before the server and does not know prepared statements, so that steps fail (503); set pgbouncer's `max_prepared_statements` (1.21 or later), use session mode, or connect to the server itself",
            ),
            Self::TransactionPooler => f.write_str(
                "a pooler in transaction mode stands before the server: changes are not heard by `LISTEN`, so that who waits polls; switch `notifications` off",
            ),
            Self::TooFewConnections { needed, allowed } => write!(
                f,
                "the store may open {needed} connections, and the server takes {allowed} at most; raise `max_connections`, or lower `connections`"
            ),
            Self::FewerThanWorkers {
                connections,
                workers,
            } => write!(
                f,
                "the store opens {connections} transactions at a time, fewer than the {workers} workers: handlers in transactions wait for each other, and are answered 503 after `timeout`; raise `connections`, or the pool's `max_connections` where it is not set"
            ),
        }
    }
}
