//! Records in the memory of one process. Nothing here knows a request, a handler or an answer's meaning.

mod capacity;
mod entry;
mod expiry_queue;
mod hash;
mod shard;
mod store;

pub use self::store::{MemoryStore, MemoryStoreBuilder};
