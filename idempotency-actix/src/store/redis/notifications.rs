//! Wake-ups by pub/sub: one subscription a runtime, for as long as someone waits. It knows ids, and reads no
//! record.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use backon::ExponentialBackoff;
use deadpool_redis::redis::aio::PubSub;
use deadpool_redis::redis::{Client, RedisResult};
use futures_util::StreamExt;
use tokio::runtime::{self, Handle};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::store::{Place, RecordId, Wakeups, growing_pauses};

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
    subscriptions: Mutex<HashMap<runtime::Id, Subscription>>,
}

impl Notifications {
    pub(super) fn new(client: Client, channel: String) -> Self {
        Self {
            client,
            channel,
            subscriptions: Mutex::default(),
        }
    }

    /// Resolves when the id was published, and whenever it may have been without our hearing it:
    /// after each new subscription, and when the runtime's subscription ends.
    ///
    /// It hears from its first poll on. While there is no subscription it stays pending.
    pub(super) async fn changed(&self, id: &RecordId) {
        self.enter(id).place.woken().await;
    }

    /// Enters a listener at this runtime's subscription, which the first one starts.
    fn enter(&self, id: &RecordId) -> Listener {
        let runtime = Handle::current();
        let mut subscriptions = self.lock();
        let current = subscriptions.get(&runtime.id());
        if let Some(listener) = current.and_then(|current| current.listeners.enter(id)) {
            return listener;
        }
        subscriptions.retain(|_, other| !other.listeners.wakeups.is_closed());
        let listeners = Arc::<Listeners>::default();
        let listener = listeners.enter(id);
        let ending = Ending(Arc::clone(&listeners));
        let task = runtime.spawn(listen(self.client.clone(), self.channel.clone(), ending));
        let task = task.abort_handle();
        subscriptions.insert(runtime.id(), Subscription { listeners, task });
        listener.expect("a new subscription has not ended")
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<runtime::Id, Subscription>> {
        self.subscriptions
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
struct Subscription {
    listeners: Arc<Listeners>,
    task: AbortHandle,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Who waits on one runtime.
#[derive(Default)]
struct Listeners {
    /// Closed when the subscription has ended.
    wakeups: Arc<Wakeups>,
    last_left: Mutex<Option<Instant>>,
}

impl Listeners {
    /// Enters a listener, unless the subscription has ended.
    fn enter(self: &Arc<Self>, id: &RecordId) -> Option<Listener> {
        Some(Listener {
            place: self.wakeups.enter(id, usize::MAX, usize::MAX)?,
            listeners: Arc::clone(self),
        })
    }

    /// When to look next whether anyone waits; `None` if no one has for long, and it ends.
    fn next_look(&self) -> Option<Instant> {
        let now = Instant::now();
        let last_left = *self.last_left();
        match last_left {
            Some(left) if now < left + IDLE => Some(left + IDLE),
            Some(_) if self.wakeups.close_if_unused() => None,
            _ => Some(now + IDLE),
        }
    }

    fn last_left(&self) -> MutexGuard<'_, Option<Instant>> {
        self.last_left
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

struct Listener {
    place: Place,
    listeners: Arc<Listeners>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        *self.listeners.last_left() = Some(Instant::now());
    }
}

/// Marks the subscription as ended however its task ends: idle, aborted, or with its runtime.
struct Ending(Arc<Listeners>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.wakeups.close();
    }
}

async fn listen(client: Client, channel: String, ending: Ending) {
    let listeners = &*ending.0;
    tokio::select! {
        () = idle(listeners) => {}
        () = keep_hearing(&client, &channel, &listeners.wakeups) => {}
    }
}

async fn idle(listeners: &Listeners) {
    while let Some(next) = listeners.next_look() {
        sleep_until(next).await;
    }
}

async fn keep_hearing(client: &Client, channel: &str, wakeups: &Wakeups) {
    let mut left = pauses();
    loop {
        let asked = Instant::now();
        match within(PATIENCE, subscribe(client, channel)).await {
            Some(Ok(subscription)) => {
                // What was published before is not heard.
                wakeups.wake_all();
                hear(subscription, wakeups).await;
                tracing::debug!("the store's notifications broke off, subscribing again");
            }
            Some(Err(error)) => {
                tracing::debug!(%error, "the store's notifications cannot be heard")
            }
            None => tracing::debug!("the store's notifications cannot be heard: no answer"),
        }
        // One that breaks at once is no success, and must not wake its waiters twenty times a second.
        if asked.elapsed() > SILENCE {
            left = pauses();
        }
        if let Some(pause) = left.next() {
            sleep(pause).await;
        }
    }
}

async fn subscribe(client: &Client, channel: &str) -> RedisResult<PubSub> {
    let mut subscription = client.get_async_pubsub().await?;
    subscription.subscribe(channel).await?;
    Ok(subscription)
}

/// Wakes by what is published, until the connection breaks or the server is silent when asked.
async fn hear(subscription: PubSub, wakeups: &Wakeups) {
    let (mut sink, mut messages) = subscription.split();
    loop {
        match within(SILENCE, messages.next()).await {
            Some(Some(message)) => {
                if let Ok(id) = message.get_payload_bytes().try_into() {
                    wakeups.wake(&RecordId::from_bytes(id));
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
fn pauses() -> ExponentialBackoff {
    growing_pauses(Duration::from_millis(50), Duration::from_millis(2_500))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_ends_once_no_one_has_waited_for_long() {
        let id = RecordId::from_bytes([1; 32]);
        let listeners = Arc::<Listeners>::default();
        let long_ago = Instant::now().checked_sub(IDLE);
        let gone = listeners.enter(&id).expect("a place");
        let listener = listeners.enter(&id).expect("a place");
        assert!(listeners.next_look().is_some());
        drop(gone);
        *listeners.last_left() = long_ago;
        assert!(listeners.next_look().is_some());
        drop(listener);
        assert!(listeners.next_look().is_some());
        *listeners.last_left() = long_ago;
        assert_eq!(listeners.next_look(), None);
        assert!(listeners.enter(&id).is_none());
    }
}
