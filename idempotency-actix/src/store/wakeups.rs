//! Wakes those who wait for a record. It knows neither why they wait nor for how long.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::shrink::shrink_map;
use crate::request::RecordId;

/// Who waits for which record, and what wakes them: for a store's [`changed`](super::Store::changed).
#[derive(Default)]
pub struct Wakeups {
    /// Beside the lock, so that a step for which nobody waits takes none.
    count: AtomicUsize,
    waited_for: Mutex<WaitedFor>,
}

#[derive(Default)]
struct WaitedFor {
    /// The receivers are counted, and the last one of a record takes its sender away.
    records: HashMap<RecordId, watch::Sender<()>>,
    is_closed: bool,
}

impl Wakeups {
    /// Wakes who waits for the record; costs one load if nobody waits for any.
    pub fn wake(&self, id: &RecordId) {
        if self.count.load(Ordering::SeqCst) == 0 {
            return;
        }
        if let Some(sender) = self.lock().records.get(id) {
            sender.send_replace(());
        }
    }

    /// Wakes everybody, for what may have happened unheard.
    pub fn wake_all(&self) {
        // Outside of the lock: who is woken may leave at once.
        let senders: Vec<_> = self.lock().records.values().cloned().collect();
        for sender in senders {
            sender.send_replace(());
        }
    }

    /// Wakes everybody, and gives no place any more.
    #[cfg(feature = "redis")]
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
        self.wake_all();
    }

    /// Gives no place any more, if nobody has one; whether that is so now.
    #[cfg(feature = "redis")]
    pub(crate) fn close_if_unused(&self) -> bool {
        let mut waited_for = self.lock();
        waited_for.is_closed |= waited_for.records.is_empty();
        waited_for.is_closed
    }

    #[cfg(feature = "redis")]
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().is_closed
    }

    /// How many wait now.
    pub(crate) fn waiting(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// Resolves at the next wake-up for the record from the first poll on.
    pub async fn changed(self: &Arc<Self>, id: &RecordId) {
        match self.enter(id, usize::MAX, usize::MAX) {
            Some(mut place) => place.woken().await,
            None => std::future::pending().await,
        }
    }

    /// Takes a place, from which every wake-up is heard; `None` if so many wait already, for any record or
    /// for this one, and after the close.
    pub(crate) fn enter(
        self: &Arc<Self>,
        id: &RecordId,
        most: usize,
        most_for_one: usize,
    ) -> Option<Place> {
        let mut waited_for = self.lock();
        let for_one = waited_for.records.get(id);
        let for_one = for_one.map_or(0, watch::Sender::receiver_count);
        let is_full = self.count.load(Ordering::SeqCst) >= most || for_one >= most_for_one;
        if waited_for.is_closed || is_full {
            return None;
        }
        self.count.fetch_add(1, Ordering::SeqCst);
        let records = &mut waited_for.records;
        let sender = records.entry(*id).or_insert_with(|| watch::Sender::new(()));
        Some(Place {
            woken: Some(sender.subscribe()),
            wakeups: Arc::clone(self),
            id: *id,
        })
    }

    fn lock(&self) -> MutexGuard<'_, WaitedFor> {
        self.waited_for
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Wakeups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wakeups")
            .field("waiting", &self.waiting())
            .finish_non_exhaustive()
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
        let records = &mut self.wakeups.lock().records;
        self.woken = None;
        self.wakeups.count.fetch_sub(1, Ordering::SeqCst);
        let sender = records.get(&self.id);
        if sender.is_some_and(|sender| sender.receiver_count() == 0) {
            records.remove(&self.id);
            shrink_map(records);
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
        assert_eq!(wakeups.lock().records.len(), 1);
        let again = enter(&wakeups, 1).expect("a place that was given up");
        drop((other, again));
        assert!(wakeups.lock().records.is_empty());
        assert_eq!(wakeups.count.load(Ordering::SeqCst), 0);
    }
    #[test]
    fn who_was_woken_does_not_take_another_along() {
        let wakeups = Arc::default();
        let mut woken = enter(&wakeups, 1).expect("a place");
        wakeups.wake(&id(1));
        let mut next = enter(&wakeups, 1).expect("a place");
        assert!(is_woken(&mut woken) && !is_woken(&mut next));
        drop(woken);
        assert_eq!(wakeups.lock().records.len(), 1);
        wakeups.wake(&id(1));
        assert!(is_woken(&mut next));
    }

    #[test]
    fn all_are_woken_at_once_and_stay() {
        let wakeups = Arc::default();
        let mut both = [1, 2].map(|id| enter(&wakeups, id).expect("a place"));
        wakeups.wake_all();
        assert!(both.iter_mut().all(is_woken));
        assert!(!both.iter_mut().any(is_woken));
        wakeups.wake(&id(2));
        assert!(is_woken(&mut both[1]));
    }

    #[cfg(feature = "redis")]
    #[test]
    fn the_close_wakes_all_and_admits_nobody() {
        let wakeups = Arc::default();
        let mut both = [1, 2].map(|id| enter(&wakeups, id).expect("a place"));
        assert!(!wakeups.close_if_unused());
        assert!(!wakeups.is_closed());
        wakeups.close();
        assert!(both.iter_mut().all(is_woken));
        assert!(enter(&wakeups, 1).is_none());
        let unused: Arc<Wakeups> = Arc::default();
        assert!(unused.close_if_unused());
        assert!(enter(&unused, 1).is_none());
    }
}
