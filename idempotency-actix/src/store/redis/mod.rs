//! Records shared by many replicas, on Redis or Valkey. Nothing here knows a request, a handler or an answer's
//! meaning.

mod begin;
mod change;
mod connection;
mod failure;
mod finding;
mod notifications;
mod own_claim;
mod pool;
mod records;
mod report;
mod script;
mod server_info;
mod session;
mod shared_connections;
mod store;
mod stored;
mod swap;
mod unknown;
mod value;
mod verdict;

pub use self::finding::{RedisFinding, RedisSeverity};
pub use self::pool::RedisPool;
pub use self::report::{RedisReport, RedisServerReport};
pub use self::store::{RedisStore, RedisStoreBuilder};
