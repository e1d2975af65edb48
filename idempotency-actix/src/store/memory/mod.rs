//! Records in the memory of one process. Nothing here knows a request, a handler or an answer's meaning.

mod callers;
mod capacity;
mod expiry_queue;
mod hash;
mod kept;
mod shard;
mod store;

pub(crate) use self::store::StoreIdentity;
pub use self::store::{MemoryStore, MemoryStoreBuilder};
