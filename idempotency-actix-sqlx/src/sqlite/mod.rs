//! Records in a SQLite file, shared by the processes of one machine.

mod builder;
mod check;
mod checkpoints;
mod engine;
mod extractor;
mod finding;
mod migration;
mod place;
mod statements;
mod store;
mod table;
mod transaction;
mod transactions;

pub use self::builder::SqliteStoreBuilder;
pub use self::extractor::SqliteTx;
pub use self::finding::SqliteFinding;
pub use self::store::SqliteStore;
pub use self::transaction::SqliteTransaction;
