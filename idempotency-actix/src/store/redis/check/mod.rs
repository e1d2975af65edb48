//! What the configuration of the servers means for the promise of one run.

mod finding;
mod info;
mod report;

pub use self::finding::{RedisFinding, RedisSeverity};
pub use self::report::{RedisReport, RedisServerReport};
