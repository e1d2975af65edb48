//! Which operations run in this process, for stores whose database has no lock for each. It knows no store.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::RecordId;

/// The operations that run in this process: a second attempt is told so, and does not wait for the right to write.
///
/// It is for [`Transactions::open`](super::Transactions::open) on a database that lets one transaction write at a time,
/// such as SQLite, and that one process opens. Clones share their operations.
///
/// # Examples
///
/// ```
/// use idempotency_actix::store::{RecordId, Running};
///
/// let (running, id) = (Running::default(), RecordId::from_bytes([1; 32]));
/// let place = running.enter(&id);
/// assert!(place.is_some());
/// assert!(running.enter(&id).is_none());
/// drop(place);
/// assert!(running.enter(&id).is_some());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Running(Arc<Mutex<HashSet<RecordId>>>);

/// The place of an attempt among those that [run](Running), until it is dropped.
#[derive(Debug)]
#[must_use = "the attempt counts as over once this is dropped"]
pub struct RunningPlace {
    running: Running,
    id: RecordId,
}

impl Running {
    /// `None` if it runs already.
    pub fn enter(&self, id: &RecordId) -> Option<RunningPlace> {
        let is_new = self.lock().insert(*id);
        is_new.then(|| RunningPlace {
            running: self.clone(),
            id: *id,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<RecordId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for RunningPlace {
    fn drop(&mut self) {
        self.running.lock().remove(&self.id);
    }
}
