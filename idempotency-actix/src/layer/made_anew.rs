//! The mistake of a layer that each worker makes anew, over a store of its own. It knows no request.

use std::any::Any;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::shared::Layer;
use crate::store::Store;
use crate::store::memory::{MemoryStore, StoreIdentity};

/// The layers over stores in memory that are alive; `None` once the mistake was told.
static MADE: Mutex<Option<Vec<Made>>> = Mutex::new(Some(Vec::new()));

type Made = (StoreIdentity, Weak<Layer>);

/// More are not watched: the mistake shows in the first few.
const MANY: usize = 64;

/// Which store in memory it is, if it is one.
pub(super) fn memory_of(store: &impl Store) -> Option<StoreIdentity> {
    let store: &dyn Any = store;
    let shared = || {
        store
            .downcast_ref::<Arc<MemoryStore>>()
            .map(|store| &**store)
    };
    let memory = store.downcast_ref::<MemoryStore>().or_else(shared);
    memory.map(MemoryStore::identity)
}

/// Warns, once in a process, when the same layer is made over another store in memory while the first one lives.
pub(super) fn watch(store: StoreIdentity, layer: &Arc<Layer>) {
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(layers) = &mut *made else {
        return;
    };
    layers.retain(|(_, layer)| layer.strong_count() > 0);
    let is_made_anew = layers.iter().any(|(other, earlier)| {
        let earlier = earlier.upgrade();
        *other != store && earlier.is_some_and(|earlier| are_alike(&earlier, layer))
    });
    if is_made_anew {
        *made = None;
        drop(made);
        tracing::warn!(
            "two layers of the same options have a `MemoryStore` each, so that neither knows what the other has run: \
             if this one is made in the closure of `HttpServer::new`, each worker has its own, and a retry that reaches \
             another worker runs again; move it out of the closure, and clone it into the workers"
        );
    } else if layers.len() < MANY {
        layers.push((store, Arc::downgrade(layer)));
    }
}

fn are_alike(one: &Layer, other: &Layer) -> bool {
    one.options.is_like(&other.options)
        && one.all_routes == other.all_routes
        && format!("{:?}", one.routes) == format!("{:?}", other.routes)
}
