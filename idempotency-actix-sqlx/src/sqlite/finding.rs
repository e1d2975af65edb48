//! What can be wrong with a SQLite database, how bad it is, and what to change. How it is found is not known here.

use std::fmt;

use crate::report::{SqlFinding, SqlSeverity};

/// One thing about a SQLite database that bears on the promise; the message says what to change.
///
/// A lost claim or answer means that a retry runs a second time.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SqliteFinding {
    /// The table of the records, its index or its view is not there.
    NoTable,
    /// The database is in memory.
    InMemory,
    /// The file, its folder or the connection takes no writes.
    ReadOnly,
    /// The journal is not a write-ahead log.
    NotWal {
        /// `journal_mode`.
        mode: String,
    },
    /// `synchronous` is below `FULL`.
    Synchronous {
        /// `OFF` or `NORMAL`.
        level: &'static str,
    },
    /// SQLite is older than what the statements need.
    TooOld {
        /// Its version.
        version: String,
    },
}

impl SqlFinding for SqliteFinding {
    fn severity(&self) -> SqlSeverity {
        match self {
            Self::NoTable | Self::ReadOnly | Self::TooOld { .. } | Self::InMemory => {
                SqlSeverity::Fatal
            }
            Self::Synchronous { level } if *level == "NORMAL" => SqlSeverity::Warning,
            Self::Synchronous { .. } => SqlSeverity::Fatal,
            Self::NotWal { mode } if matches!(&**mode, "memory" | "off") => SqlSeverity::Fatal,
            Self::NotWal { .. } => SqlSeverity::Note,
        }
    }
}

impl fmt::Display for SqliteFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTable => f.write_str(
                "the table of the records, its index or its view is not there, so that every claim fails (503); call `SqliteStore::migrate`, or run the crate's SQL files",
            ),
            Self::InMemory => f.write_str(
                "the database is in memory: it ends with the process, and all retries run again; name a file, or use `MemoryStore`, which is faster",
            ),
            Self::ReadOnly => f.write_str(
                "the database takes no writes, so that every claim is answered 503; make the file and its folder writable, and drop `read_only` from the pool's options",
            ),
            Self::NotWal { mode } if matches!(&**mode, "memory" | "off") => write!(
                f,
                "`journal_mode` is {mode}: a crash of the process may corrupt the whole file; set it to wal"
            ),
            Self::NotWal { mode } => write!(
                f,
                "`journal_mode` is {mode}: readers and the writer wait for each other by looking again and again, which costs time; set it to wal, which needs a file system that maps memory (not a network's)"
            ),
            Self::Synchronous { level } if *level == "NORMAL" => f.write_str(
                "`synchronous` is NORMAL: a power loss or a crash of the operating system loses the claims and answers since the last checkpoint, and their retries run again; set it to FULL, which is SQLite's default",
            ),
            Self::Synchronous { level } => write!(
                f,
                "`synchronous` is {level}: a power loss or a crash of the operating system may corrupt the whole file; set it to FULL"
            ),
            Self::TooOld { version } => write!(
                f,
                "SQLite is {version}, and 3.42 is needed; take the one that comes with sqlx (feature `sqlite`), or upgrade the system's"
            ),
        }
    }
}
