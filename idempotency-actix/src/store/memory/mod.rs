//! Records in the memory of one process.

mod capacity;
mod entry;
mod expiry_queue;
mod hash;
mod shard;
mod store;

pub use self::store::{MemoryStore, MemoryStoreBuilder};
