//! Wake-ups by pub/sub: one subscription a runtime, for as long as someone waits.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use deadpool_redis::redis::aio::PubSub;
use deadpool_redis::redis::{Client, RedisResult};
use futures_util::StreamExt;
use tokio::runtime::{self, Handle};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::request::RecordId;

/// How long a subscription outlives its last waiter.
const IDLE: Duration = Duration::from_secs(60);

/// How long a subscription may be silent before the server is asked whether it is still there.
const SILENCE: Duration = Duration::from_secs(15);

/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Wakes those who wait for a record when its id is published on the store's channel.
///
/// A connection is driven by the runtime that made it, so each runtime has a subscription of its own.
/// Dropping this ends them all.
pub(super) struct Notifications {
    client: Client,
    channel: String,
    listening: Mutex<HashMap<runtime::Id, Listening>>,
}

impl Notifications {
    pub(super) fn new(client: Client, channel: String) -> Self {
        Self {
            client,
            channel,
            listening: Mutex::default(),
        }
    }

    /// Resolves when the id was published, and whenever it may have been without our hearing it:
    /// after each new subscription, and when the runtime's subscription ends.
    ///
    /// It hears from its first poll on. While there is no subscription it stays pending.
    pub(super) async fn changed(&self, id: &RecordId) {
        let mut waiting = self.wait(id);
        // Nothing is ever sent: to be woken is to lose the sender.
        let _closed = waiting.woken.changed().await;
    }

    /// Enters a waiter at this runtime's subscription, which the first one starts.
    fn wait(&self, id: &RecordId) -> Waiting {
        let runtime = Handle::current();
        let mut listening = self.lock();
        let current = listening.get(&runtime.id());
        if let Some(waiting) = current.and_then(|current| current.waiters.admit(id)) {
            return waiting;
        }
        listening.retain(|_, other| !other.waiters.lock().ended);
        let waiters = Arc::<Waiters>::default();
        let waiting = waiters.admit(id).expect("a new subscription has not ended");
        let ending = Ending(Arc::clone(&waiters));
        let task = runtime.spawn(listen(self.client.clone(), self.channel.clone(), ending));
        let task = task.abort_handle();
        listening.insert(runtime.id(), Listening { waiters, task });
        waiting
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<runtime::Id, Listening>> {
        self.listening
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Notifications {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notifications")
            .field("channel", &self.channel)
            .finish_non_exhaustive()
    }
}

/// One runtime's subscription.
struct Listening {
    waiters: Arc<Waiters>,
    task: AbortHandle,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Who waits on one runtime.
#[derive(Default)]
struct Waiters(Mutex<State>);

#[derive(Default)]
struct State {
    /// Dropping a sender wakes all who wait for the record.
    senders: HashMap<RecordId, watch::Sender<()>>,
    /// When the last waiter left.
    left: Option<Instant>,
    ended: bool,
}

impl Waiters {
    /// Enters a waiter, unless the subscription has ended.
    fn admit(self: &Arc<Self>, id: &RecordId) -> Option<Waiting> {
        let mut state = self.lock();
        if state.ended {
            return None;
        }
        let sender = state
            .senders
            .entry(*id)
            .or_insert_with(|| watch::Sender::new(()));
        Some(Waiting {
            woken: sender.subscribe(),
            _place: Place {
                waiters: Arc::clone(self),
                id: *id,
            },
        })
    }

    fn wake(&self, id: &RecordId) {
        let sender = self.lock().senders.remove(id);
        drop(sender);
    }

    fn wake_all(&self) {
        let senders = std::mem::take(&mut self.lock().senders);
        drop(senders);
    }

    /// When to look next whether anyone waits; `None` if no one has for long, and it ends.
    fn next_look(&self) -> Option<Instant> {
        let mut state = self.lock();
        let now = Instant::now();
        let next = match state.left {
            Some(left) if state.senders.is_empty() => left + IDLE,
            _ => now + IDLE,
        };
        state.ended |= next <= now;
        (!state.ended).then_some(next)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One waiter. Its fields are dropped in this order: the place is given up by who has left.
struct Waiting {
    woken: watch::Receiver<()>,
    _place: Place,
}

/// A waiter's entry, which the last one of a record takes away.
struct Place {
    waiters: Arc<Waiters>,
    id: RecordId,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.waiters.lock();
        state.left = Some(Instant::now());
        let sender = state.senders.get(&self.id);
        if sender.is_some_and(|sender| sender.receiver_count() == 0) {
            state.senders.remove(&self.id);
        }
    }
}

/// Marks the subscription as ended however its task ends: idle, aborted, or with its runtime.
struct Ending(Arc<Waiters>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.lock().ended = true;
        self.0.wake_all();
    }
}

async fn listen(client: Client, channel: String, ending: Ending) {
    let waiters = &*ending.0;
    tokio::select! {
        () = idle(waiters) => {}
        () = keep_hearing(&client, &channel, waiters) => {}
    }
}

async fn idle(waiters: &Waiters) {
    while let Some(next) = waiters.next_look() {
        sleep_until(next).await;
    }
}

async fn keep_hearing(client: &Client, channel: &str, waiters: &Waiters) {
    let mut backoff = delays();
    loop {
        let asked = Instant::now();
        match within(PATIENCE, subscribe(client, channel)).await {
            Some(Ok(subscription)) => {
                // What was published before is not heard.
                waiters.wake_all();
                hear(subscription, waiters).await;
                tracing::debug!("the store's notifications broke off, subscribing again");
            }
            Some(Err(error)) => {
                tracing::debug!(%error, "the store's notifications cannot be heard")
            }
            None => tracing::debug!("the store's notifications cannot be heard: no answer"),
        }
        // One that breaks at once is no success, and must not wake its waiters twenty times a second.
        if asked.elapsed() > SILENCE {
            backoff = delays();
        }
        if let Some(delay) = backoff.next() {
            sleep(delay).await;
        }
    }
}

async fn subscribe(client: &Client, channel: &str) -> RedisResult<PubSub> {
    let mut subscription = client.get_async_pubsub().await?;
    subscription.subscribe(channel).await?;
    Ok(subscription)
}

/// Wakes by what is published, until the connection breaks or the server is silent when asked.
async fn hear(subscription: PubSub, waiters: &Waiters) {
    let (mut sink, mut messages) = subscription.split();
    loop {
        match within(SILENCE, messages.next()).await {
            Some(Some(message)) => {
                if let Ok(id) = message.get_payload_bytes().try_into() {
                    waiters.wake(&RecordId::from_bytes(id));
                }
            }
            Some(None) => return,
            None => match within(PATIENCE, sink.ping::<()>()).await {
                Some(Ok(())) => {}
                Some(Err(_)) | None => return,
            },
        }
    }
}

async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    timeout(limit, future).await.ok()
}

/// 50 ms to 5 s, of which jitter is up to a half.
fn delays() -> impl Iterator<Item = Duration> {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(50))
        .with_max_delay(Duration::from_millis(2_500))
        .with_jitter()
        .without_max_times()
        .build()
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn id(octet: u8) -> RecordId {
        RecordId::from_bytes([octet; 32])
    }

    fn is_woken(waiting: &mut Waiting) -> bool {
        waiting.woken.changed().now_or_never().is_some()
    }

    fn admit(waiters: &Arc<Waiters>, id: &RecordId) -> Waiting {
        waiters.admit(id).expect("it has not ended")
    }

    fn entries(waiters: &Waiters) -> usize {
        waiters.lock().senders.len()
    }

    #[test]
    fn a_message_wakes_all_who_wait_for_its_record_and_no_one_else() {
        let waiters = Arc::default();
        let mut both = [admit(&waiters, &id(1)), admit(&waiters, &id(1))];
        let mut other = admit(&waiters, &id(2));
        waiters.wake(&id(1));
        assert!(both.iter_mut().all(is_woken));
        assert!(!is_woken(&mut other));
    }

    #[test]
    fn a_waiter_that_gives_up_leaves_nothing_behind() {
        let waiters = Arc::default();
        let (one, mut two) = (admit(&waiters, &id(1)), admit(&waiters, &id(1)));
        drop(one);
        assert_eq!(entries(&waiters), 1);
        assert!(!is_woken(&mut two));
        drop(two);
        assert_eq!(entries(&waiters), 0);
    }

    #[test]
    fn a_woken_waiter_does_not_take_its_successor_along() {
        let waiters = Arc::default();
        let woken = admit(&waiters, &id(1));
        waiters.wake(&id(1));
        let mut next = admit(&waiters, &id(1));
        drop(woken);
        assert_eq!(entries(&waiters), 1);
        assert!(!is_woken(&mut next));
    }

    #[test]
    fn the_end_wakes_all_and_admits_no_one() {
        let waiters = Arc::default();
        let mut waiting = [admit(&waiters, &id(1)), admit(&waiters, &id(2))];
        drop(Ending(Arc::clone(&waiters)));
        assert!(waiting.iter_mut().all(is_woken));
        assert!(waiters.admit(&id(1)).is_none());
    }

    #[test]
    fn a_subscription_ends_once_no_one_has_waited_for_long() {
        let waiters = Arc::default();
        let waiting = admit(&waiters, &id(1));
        assert!(waiters.next_look().is_some());
        drop(waiting);
        assert!(waiters.next_look().is_some());
        let long_ago = Instant::now().checked_sub(IDLE);
        waiters.lock().left = long_ago;
        assert_eq!(waiters.next_look(), None);
        assert!(waiters.admit(&id(1)).is_none());
    }
}
