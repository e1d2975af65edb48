//! Retries that wait for the first request: who they are, what wakes them, when they look for themselves.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use actix_web::dev::Payload;
use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use futures_util::{FutureExt, StreamExt};
use tokio::sync::watch;
use tokio::time::sleep_until;

use crate::layer::LayerHandle;
use crate::operation::Operation;
use crate::record_id::RecordId;

/// The shortest pause between two looks at the store; it doubles up to [`LONGEST_PAUSE`].
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);

const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// All waiters of one layer.
pub(crate) struct Waiters {
    /// Per process.
    limit: usize,
    /// Per record.
    limit_of_one: usize,
    count: AtomicUsize,
    /// What wakes the waiters of a record. Its receivers are counted, and the last one takes it away.
    records: Mutex<HashMap<RecordId, watch::Sender<()>>>,
}

impl Waiters {
    pub(crate) fn new(limit: usize, limit_of_one: usize) -> Self {
        Self {
            limit,
            limit_of_one,
            count: AtomicUsize::new(0),
            records: Mutex::default(),
        }
    }

    /// Wakes who waits for the record; costs one load if nobody waits for any.
    pub(crate) fn wake(&self, id: &RecordId) {
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        if let Some(sender) = self.records().get(id) {
            sender.send_replace(());
        }
    }

    /// `None` where there are too many already.
    fn admit(&self, id: &RecordId) -> Option<watch::Receiver<()>> {
        let mut records = self.records();
        if self.count.load(Ordering::Acquire) >= self.limit {
            return None;
        }
        let of_one = records.get(id).map_or(0, watch::Sender::receiver_count);
        if of_one >= self.limit_of_one {
            return None;
        }
        self.count.fetch_add(1, Ordering::AcqRel);
        let sender = records.entry(*id).or_insert_with(|| watch::Sender::new(()));
        Some(sender.subscribe())
    }

    fn records(&self) -> MutexGuard<'_, HashMap<RecordId, watch::Sender<()>>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Has an operation wait for its turn, in a place that it takes the first time and keeps. `false` if there
/// is no place, its time is up, or its client is gone.
pub(crate) async fn pause(
    waiter: &mut Option<Waiter>,
    layer: &LayerHandle,
    operation: &Operation,
    payload: &mut Payload,
    change: Option<Instant>,
) -> bool {
    if waiter.is_none() {
        *waiter = Waiter::enter(layer, &operation.id, operation.options.wait);
    }
    match waiter {
        Some(waiter) => waiter.pause(change).await && !is_cut(payload),
        None => false,
    }
}

/// Whether the client has reset a stream of HTTP/2, whose future is not dropped then. The other kinds of
/// payload cannot tell, and must not be asked again after their end.
fn is_cut(payload: &mut Payload) -> bool {
    match payload {
        Payload::None | Payload::H1 { .. } | Payload::Stream { .. } => false,
        #[allow(unreachable_patterns, reason = "reached where actix-web has HTTP/2")]
        _ => matches!(payload.next().now_or_never(), Some(Some(Err(_)))),
    }
}

/// One retry that waits. It keeps its place while it looks, and gives it up when it is dropped.
///
/// It is woken by this process, by the store where that tells of changes, and by growing pauses as the
/// safety net. Whatever woke it, it asks for the claim: a mere look would answer from a record that the
/// next step may find changed.
pub(crate) struct Waiter {
    layer: LayerHandle,
    id: RecordId,
    /// `None` only while it is dropped.
    woken: Option<watch::Receiver<()>>,
    /// What the store tells, also of changes during a look. `None` once it has told.
    told: Option<Pin<Box<dyn Future<Output = ()>>>>,
    until: Instant,
    pauses: ExponentialBackoff,
}

impl Waiter {
    /// Takes a place for so long, unless too many wait already.
    fn enter(layer: &LayerHandle, id: &RecordId, wait: Duration) -> Option<Self> {
        let woken = layer.waiters().admit(id)?;
        let mut waiter = Self {
            layer: layer.clone(),
            id: *id,
            woken: Some(woken),
            told: None,
            until: Instant::now() + wait,
            pauses: pauses(),
        };
        waiter.hear();
        Some(waiter)
    }

    /// Listens to the store from now on.
    fn hear(&mut self) {
        let (layer, id) = (self.layer.clone(), self.id);
        let mut told: Pin<Box<dyn Future<Output = ()>>> =
            Box::pin(async move { layer.store().changed(&id).await });
        let is_told = (&mut told).now_or_never().is_some();
        self.told = (!is_told).then_some(told);
    }

    /// Pauses until the record may have changed, or until a time at which it will have. `false` if the
    /// time to wait is up.
    async fn pause(&mut self, change: Option<Instant>) -> bool {
        let now = Instant::now();
        let Some(woken) = self.woken.as_mut().filter(|_| now < self.until) else {
            return false;
        };
        let pause = self.pauses.next().unwrap_or(LONGEST_PAUSE);
        let look = change
            .unwrap_or(self.until)
            .min(self.until)
            .min(now + pause);
        let told = async {
            if let Some(told) = &mut self.told {
                told.await;
            }
        };
        let (is_woken, is_told) = tokio::select! {
            _ = woken.changed() => (true, false),
            () = told => (true, true),
            () = sleep_until(look.into()) => (false, false),
        };
        if is_told {
            self.hear();
        }
        if is_woken {
            self.pauses = pauses();
        }
        true
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let waiters = self.layer.waiters();
        let mut records = waiters.records();
        self.woken = None;
        waiters.count.fetch_sub(1, Ordering::AcqRel);
        let sender = records.get(&self.id);
        if sender.is_some_and(|sender| sender.receiver_count() == 0) {
            records.remove(&self.id);
        }
    }
}

fn pauses() -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(SHORTEST_PAUSE)
        .with_max_delay(LONGEST_PAUSE)
        .with_jitter()
        .without_max_times()
        .build()
}
