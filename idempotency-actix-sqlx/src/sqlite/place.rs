//! Where the database is, and how its connections are opened. What is done over them is not known here.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};

/// How long SQLite itself waits for another process that writes. By looking again and again: between the connections
/// of one store nobody has to, since only one of them writes.
const BUSY: Duration = Duration::from_millis(500);

/// Whether the database is a file, which any number of connections may open.
pub(super) fn is_file(options: &SqliteConnectOptions) -> bool {
    let name = options.get_filename().to_string_lossy();
    let is_memory = name.is_empty()
        || name.contains(":memory:")
        || name.contains("mode=memory")
        || name.starts_with("file:sqlx-in-memory-");
    !is_memory
}

/// The file's name for people.
pub(super) fn name(pool: &SqlitePool) -> PathBuf {
    let options = pool.connect_options();
    match is_file(&options) {
        true => options.get_filename().to_path_buf(),
        false => Path::new(":memory:").to_path_buf(),
    }
}

/// Opens connections that read, by the pool's options as they are now.
pub(super) fn readers(
    pool: &SqlitePool,
) -> impl Fn() -> Option<SqliteConnectOptions> + Send + Sync + 'static {
    let pool = pool.clone();
    move || {
        let options = (*pool.connect_options()).clone();
        (!pool.is_closed()).then(|| options.busy_timeout(BUSY))
    }
}

/// Opens the one that writes. It turns a file to WAL, where readers and the writer do not wait for each other; that is
/// a property of the file, and stays. So many pages of its log are left to whoever else copies them.
pub(super) fn writer(
    pool: &SqlitePool,
    sets_wal: bool,
    pages: Option<u32>,
) -> impl Fn() -> Option<SqliteConnectOptions> + Send + Sync + 'static {
    let readers = readers(pool);
    move || {
        let mut options = readers()?;
        if sets_wal && is_file(&options) {
            options = options.journal_mode(SqliteJournalMode::Wal);
        }
        Some(match pages {
            Some(pages) => options.pragma("wal_autocheckpoint", pages.to_string()),
            None => options,
        })
    }
}
