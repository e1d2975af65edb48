//! Records in PostgreSQL, shared by any number of replicas.

mod beginning;
mod builder;
mod check;
mod engine;
mod extractor;
mod finding;
mod listening;
mod mark;
mod migration;
mod prepared;
mod statements;
mod store;
mod table;
mod telling;
mod transaction;
mod transactions;

pub use self::builder::PgStoreBuilder;
pub use self::extractor::PgTx;
pub use self::finding::PgFinding;
pub use self::store::PgStore;
pub use self::transaction::PgTransaction;
