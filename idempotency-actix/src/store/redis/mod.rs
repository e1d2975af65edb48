//! Records shared by many replicas, on Redis or Valkey. Nothing here knows a request, a handler or an answer's
//! meaning.

mod begin;
mod change;
mod connection;
mod failure;
mod finding;
#[cfg(feature = "encryption")]
mod keyring;
mod notifications;
mod own_claim;
mod pool;
mod records;
mod report;
mod script;
mod seal;
mod server_info;
mod session;
mod shared_connections;
mod store;
mod stored;
mod swap;
mod value;
mod value_error;
mod verdict;

pub use self::finding::{RedisFinding, RedisSeverity};
#[cfg(feature = "encryption")]
pub use self::keyring::{Keyring, KeyringError};
pub use self::pool::RedisPool;
pub use self::report::{RedisReport, RedisServerReport};
pub use self::store::{RedisStore, RedisStoreBuilder};
