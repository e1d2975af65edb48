use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::request::RecordId;

/// Who waits for which record, and what wakes them.
#[derive(Default)]
pub(crate) struct Wakeups {
    count: AtomicUsize,
    /// The receivers are counted, and the last one of a record takes its sender away.
    records: Mutex<HashMap<RecordId, watch::Sender<()>>>,
}

impl Wakeups {
    /// Wakes who waits for the record; costs one load if nobody waits for any.
    pub(crate) fn wake(&self, id: &RecordId) {
        if self.count.load(Ordering::SeqCst) == 0 {
            return;
        }
        if let Some(sender) = self.records().get(id) {
            sender.send_replace(());
        }
    }

    /// Takes a place, from which every wake-up is heard; `None` if so many wait already, for any record or
    /// for this one.
    pub(crate) fn enter(
        self: &Arc<Self>,
        id: &RecordId,
        most: usize,
        most_for_one: usize,
    ) -> Option<Place> {
        let mut records = self.records();
        let for_one = records.get(id).map_or(0, watch::Sender::receiver_count);
        if self.count.load(Ordering::SeqCst) >= most || for_one >= most_for_one {
            return None;
        }
        self.count.fetch_add(1, Ordering::SeqCst);
        let sender = records.entry(*id).or_insert_with(|| watch::Sender::new(()));
        Some(Place {
            woken: Some(sender.subscribe()),
            wakeups: Arc::clone(self),
            id: *id,
        })
    }

    fn records(&self) -> MutexGuard<'_, HashMap<RecordId, watch::Sender<()>>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one who waits for a record, given up when it is dropped.
pub(crate) struct Place {
    /// `None` only while it is dropped.
    woken: Option<watch::Receiver<()>>,
    wakeups: Arc<Wakeups>,
    id: RecordId,
}

impl Place {
    /// Resolves at the next wake-up since the place was taken, or since the last that was told of.
    pub(crate) async fn woken(&mut self) {
        if let Some(woken) = &mut self.woken {
            // The sender stays for as long as there is a receiver.
            _ = woken.changed().await;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut records = self.wakeups.records();
        self.woken = None;
        self.wakeups.count.fetch_sub(1, Ordering::SeqCst);
        let sender = records.get(&self.id);
        if sender.is_some_and(|sender| sender.receiver_count() == 0) {
            records.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn id(octet: u8) -> RecordId {
        RecordId::from_bytes([octet; 32])
    }

    fn is_woken(place: &mut Place) -> bool {
        place.woken().now_or_never().is_some()
    }

    fn enter(wakeups: &Arc<Wakeups>, octet: u8) -> Option<Place> {
        wakeups.enter(&id(octet), 3, 2)
    }

    #[test]
    fn who_waits_for_a_record_is_woken_once_and_nobody_else_is() {
        let wakeups = Arc::default();
        let [mut one, mut two, mut other] =
            [1, 1, 2].map(|id| enter(&wakeups, id).expect("a place"));
        assert!(!is_woken(&mut one));
        wakeups.wake(&id(1));
        assert!(is_woken(&mut one) && is_woken(&mut two) && !is_woken(&mut other));
        assert!(!is_woken(&mut one));
    }

    #[test]
    fn places_are_bounded_and_leave_nothing_behind() {
        let wakeups = Arc::default();
        let both = [1, 1].map(|id| enter(&wakeups, id).expect("a place"));
        assert!(enter(&wakeups, 1).is_none());
        let other = enter(&wakeups, 2).expect("a place for another");
        assert!(enter(&wakeups, 3).is_none());
        drop(both);
        assert_eq!(wakeups.records().len(), 1);
        let again = enter(&wakeups, 1).expect("a place that was given up");
        drop((other, again));
        assert!(wakeups.records().is_empty());
        assert_eq!(wakeups.count.load(Ordering::SeqCst), 0);
    }
}
