//! The layer, and where its records are: in memory, or in a file that outlives the process.

use std::io;

use idempotency_actix::{Idempotency, KeyScope, MemoryStore};

use crate::account;
use crate::cli::Asked;

/// What keeps the records.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Store {
    Memory,
    Sqlite,
}

impl Store {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Sqlite => "sqlite",
        }
    }
}

fn scope() -> KeyScope {
    KeyScope::by(account::principal)
}

pub(crate) async fn layer(asked: &Asked) -> io::Result<(Idempotency, Store)> {
    match &asked.db {
        None => Ok((Idempotency::new(MemoryStore::new(), scope()), Store::Memory)),
        Some(db) => Ok((on_file(db).await?, Store::Sqlite)),
    }
}

#[cfg(feature = "sql")]
async fn on_file(file: &std::path::Path) -> io::Result<Idempotency> {
    use idempotency_actix_sqlx::SqliteStore;
    use idempotency_actix_sqlx::sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

    /// Short, for a person who waits. A real one outlasts a pause of the process.
    const LEASE: std::time::Duration = std::time::Duration::from_secs(2);

    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true);
    let store = SqliteStore::new(SqlitePoolOptions::new().connect_lazy_with(options));
    store.migrate().await.map_err(io::Error::other)?;
    let layer = Idempotency::builder(store, scope()).lease(LEASE);
    layer.build().map_err(io::Error::other)
}

#[cfg(not(feature = "sql"))]
async fn on_file(_: &std::path::Path) -> io::Result<Idempotency> {
    let what = "this is built without SQLite: run `cargo run --example payments --features sql -- --db FILE`";
    Err(io::Error::other(what))
}
