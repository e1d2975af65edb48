//! Records in PostgreSQL, shared by any number of replicas.

mod check;
mod engine;
mod finding;
mod listening;
mod migration;
mod statements;
mod store;
mod table;
mod telling;

pub use self::finding::PgFinding;
pub use self::store::{PgStore, PgStoreBuilder};
