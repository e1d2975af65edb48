//! Records shared by many replicas, on Redis or Valkey.

mod backoff;
mod begin;
mod change;
mod check;
mod connection;
mod failure;
#[cfg(feature = "encryption")]
mod keyring;
mod notifications;
mod own_claim;
mod pool;
mod records;
mod script;
mod seal;
mod session;
mod shared_connections;
mod store;
mod stored;
mod swap;
mod value;
mod value_error;
mod verdict;

pub use self::check::{RedisFinding, RedisReport, RedisServerReport, RedisSeverity};
#[cfg(feature = "encryption")]
pub use self::keyring::{Keyring, KeyringError};
pub use self::pool::RedisPool;
pub use self::store::{RedisStore, RedisStoreBuilder};
