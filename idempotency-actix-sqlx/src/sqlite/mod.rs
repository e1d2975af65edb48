//! Records in a SQLite file, shared by the processes of one machine.

mod check;
mod engine;
mod finding;
mod migration;
mod place;
mod statements;
mod store;
mod table;

pub use self::finding::SqliteFinding;
pub use self::store::{SqliteStore, SqliteStoreBuilder};
