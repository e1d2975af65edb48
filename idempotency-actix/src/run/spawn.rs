//! Tasks of a worker's own. It does not know what they do.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::telemetry::{Incident, incident};

/// Spawns onto the worker's local set, or says that there is none and drops the task.
///
/// In the teardown of a runtime there is no handle; outside of a local set there is a handle and
/// `spawn_local` panics.
pub(crate) fn spawn(task: impl Future<Output = ()> + 'static) {
    let spawned = tokio::runtime::Handle::try_current().is_ok()
        && catch_unwind(AssertUnwindSafe(|| actix_web::rt::spawn(task))).is_ok();
    if !spawned {
        let cause = "no runtime to finish on; the record becomes unknown when its lease is over";
        incident(Incident::Abandoned, &"detached request", &cause);
    }
}
