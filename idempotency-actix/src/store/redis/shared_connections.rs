//! One connection for each runtime, which is one for each worker and one for the thread that renews claims: a
//! connection is driven by the runtime that made it, and stalls with it. What is sent over it is not known here.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak,
};
use std::time::{Duration, Instant};

use backon::ExponentialBackoff;
use deadpool_redis::redis::{RedisError, RedisResult};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use tokio::runtime::{Handle, Id};
use tokio::sync::oneshot;

use super::connection::{Connection, Multiplexed};
use super::pool::{Connected, RedisPool};
use crate::store::growing_pauses;

/// The first pause between two tries to connect, and the longest.
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The longest try to connect, where the pool has no limit of its own.
const CONNECT: Duration = Duration::from_secs(5);

/// How often the sentinels are asked which server is the primary, and one that says it is none is left.
const FOLLOW: Duration = Duration::from_secs(1);

/// The connections of all runtimes.
///
/// A pool's check-out sends `UNWATCH` and `PING`, three commands in two round trips where one will do: that
/// was measured at 0.26 of a bare handler's requests, and a connection of each worker's own at 0.63. One for
/// all workers was a third slower.
pub(super) struct SharedConnections {
    pool: RedisPool,
    timeout: Duration,
    slots: Arc<RwLock<Slots>>,
}

/// Few enough to look through.
type Slots = Vec<(Id, Arc<Slot>)>;

/// The connection of one runtime.
struct Slot {
    reconnect: Mutex<Reconnect>,
    /// The last connection over which the server did as it was told.
    answered: AtomicU64,
    /// Its end ends the task that watches the runtime.
    _watch: oneshot::Sender<()>,
}

/// What there is of it, and when to try again.
struct Reconnect {
    state: ConnectionState,
    /// Counts the connections that there were.
    number: u64,
    pauses: ExponentialBackoff,
    /// No new try before.
    retry_at: Instant,
}

enum ConnectionState {
    New,
    Connecting(Connecting),
    Ready { to: Connected, since: Instant },
    Broken(RedisError),
}

/// One try to connect, for all who wait for it.
type Connecting = Shared<BoxFuture<'static, RedisResult<Connected>>>;

/// A connection, and which one of its slot it is.
pub(super) struct SharedConnection {
    pub(super) connection: Connection,
    slot: Arc<Slot>,
    number: u64,
}

impl SharedConnections {
    pub(super) fn new(pool: RedisPool, timeout: Duration) -> Self {
        Self {
            pool,
            timeout,
            slots: Arc::default(),
        }
    }

    /// The connection of this runtime, if there is one.
    pub(super) fn ready(&self) -> Option<SharedConnection> {
        let id = Handle::try_current().ok()?.id();
        let slot = slot_of(&read(&self.slots), id)?;
        let reconnect = slot.lock();
        let (connection, number) = match &reconnect.state {
            ConnectionState::Ready { to, .. } => (to.connection.clone(), reconnect.number),
            _ => return None,
        };
        drop(reconnect);
        Some(SharedConnection::new(connection, &slot, number))
    }

    /// The connection of this runtime, made if there is none.
    pub(super) async fn get(&self) -> RedisResult<SharedConnection> {
        let slot = self.slot()?;
        let connecting = match slot.lock().start(&self.pool, self.timeout) {
            Start::Ready(connection, number) => {
                return Ok(SharedConnection::new(connection, &slot, number));
            }
            Start::Wait(connecting) => connecting,
            Start::Fail(error) => return Err(error),
        };
        let outcome = connecting.clone().await;
        let number = slot.lock().settle(&connecting, &outcome);
        outcome.map(|to| SharedConnection::new(to.connection, &slot, number))
    }

    fn slot(&self) -> RedisResult<Arc<Slot>> {
        let runtime = Handle::try_current().map_err(std::io::Error::other)?;
        let id = runtime.id();
        if let Some(slot) = slot_of(&read(&self.slots), id) {
            return Ok(slot);
        }
        let (sender, dropped) = oneshot::channel();
        let slot = Arc::new(Slot::new(sender));
        let mut slots = write(&self.slots);
        // Another task of this runtime may have been as fast.
        if let Some(made) = slot_of(&slots, id) {
            return Ok(made);
        }
        slots.push((id, Arc::clone(&slot)));
        drop(slots);
        let leave = Leave(Arc::downgrade(&self.slots), id);
        let pool = self.pool.is_sentinel().then(|| self.pool.clone());
        let follow = follow_primary(pool, Arc::downgrade(&slot), self.timeout);
        runtime.spawn(async move {
            let _leave = leave;
            tokio::select! {
                _ = dropped => {}
                () = follow => {}
            }
        });
        Ok(slot)
    }
}

/// Forgets the slot of a runtime that ends, and with it a connection that nobody drives any more.
struct Leave(Weak<RwLock<Slots>>, Id);

impl Drop for Leave {
    fn drop(&mut self) {
        let Some(slots) = self.0.upgrade() else {
            return;
        };
        let mut slots = write(&slots);
        let place = slots.iter().position(|(id, _)| *id == self.1);
        let left = place.map(|place| slots.swap_remove(place));
        // The connection ends outside of the lock, which every operation takes.
        drop(slots);
        drop(left);
    }
}

/// Asks the sentinels again and again: an old primary goes on granting claims for seconds after a
/// failover, and all of them are lost.
async fn follow_primary(pool: Option<RedisPool>, slot: Weak<Slot>, timeout: Duration) {
    let Some(pool) = pool else {
        return std::future::pending().await;
    };
    loop {
        tokio::time::sleep(FOLLOW).await;
        let named = tokio::time::timeout(CONNECT, pool.connect(timeout)).await;
        if let (Ok(Ok(named)), Some(slot)) = (named, slot.upgrade()) {
            slot.lock().follow(named);
        }
    }
}

impl SharedConnection {
    fn new(connection: Multiplexed, slot: &Arc<Slot>, number: u64) -> Self {
        Self {
            connection: Connection::Shared(connection),
            slot: Arc::clone(slot),
            number,
        }
    }

    /// Notes that the server did as it was told.
    pub(super) fn answered(&self) {
        self.slot.answered.store(self.number, Ordering::Relaxed);
    }

    /// Gives the connection up, for everybody: the next who asks makes a new one. Pauses grow only where none was of
    /// use: one that served is no failed try to connect, however soon it was closed.
    pub(super) fn give_up(&self, error: &RedisError) {
        let has_served = self.slot.answered.load(Ordering::Relaxed) == self.number;
        self.slot.lock().give_up(self.number, has_served, error);
    }

    /// Lets the next who asks make a new one, which is no failure of this one: no pause is due.
    pub(super) fn retire(&self) {
        self.slot.lock().retire(self.number);
    }
}

enum Start {
    Ready(Multiplexed, u64),
    Wait(Connecting),
    Fail(RedisError),
}

impl Slot {
    fn new(watch: oneshot::Sender<()>) -> Self {
        Self {
            reconnect: Mutex::new(Reconnect {
                state: ConnectionState::New,
                number: 0,
                pauses: pauses(),
                retry_at: Instant::now(),
            }),
            answered: AtomicU64::new(0),
            _watch: watch,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Reconnect> {
        self.reconnect
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reconnect {
    /// What there is, or the one try to connect that all share. It waits for its turn; who could not
    /// be served by then is told at once.
    fn start(&mut self, pool: &RedisPool, timeout: Duration) -> Start {
        let pause = self.retry_at.saturating_duration_since(Instant::now());
        match &self.state {
            ConnectionState::Ready { to, .. } => {
                return Start::Ready(to.connection.clone(), self.number);
            }
            ConnectionState::Connecting(connecting) => return Start::Wait(connecting.clone()),
            ConnectionState::Broken(error) if pause > timeout / 2 => {
                return Start::Fail(error.clone());
            }
            ConnectionState::New | ConnectionState::Broken(_) => {}
        }
        let pool = pool.clone();
        let connecting = async move {
            tokio::time::sleep(pause).await;
            let connected = tokio::time::timeout(CONNECT, pool.connect(timeout)).await;
            connected.unwrap_or_else(|late| Err(std::io::Error::from(late).into()))
        };
        let connecting = connecting.boxed().shared();
        self.state = ConnectionState::Connecting(connecting.clone());
        Start::Wait(connecting)
    }

    /// Notes how a try ended, for the first who tells; returns the number of the connection.
    fn settle(&mut self, tried: &Connecting, outcome: &RedisResult<Connected>) -> u64 {
        if matches!(&self.state, ConnectionState::Connecting(it) if it.ptr_eq(tried)) {
            match outcome {
                Ok(to) => self.set_ready(to.clone()),
                Err(error) => self.pause(error),
            }
        }
        self.number
    }

    /// Changes over to another server, if it is another one.
    fn follow(&mut self, named: Connected) {
        if matches!(&self.state, ConnectionState::Ready { to, .. } if to.primary != named.primary) {
            self.set_ready(named);
        }
    }

    fn set_ready(&mut self, to: Connected) {
        self.number += 1;
        let since = Instant::now();
        self.state = ConnectionState::Ready { to, since };
    }

    fn give_up(&mut self, number: u64, has_served: bool, error: &RedisError) {
        if matches!(self.state, ConnectionState::Ready { .. }) && self.number == number {
            if has_served {
                self.pauses = pauses();
            }
            self.pause(error);
        }
    }

    /// Not more often than every second: a replica replays, and would be connected to for each replay.
    fn retire(&mut self, number: u64) {
        if let ConnectionState::Ready { since, .. } = &self.state
            && self.number == number
            && since.elapsed() >= FOLLOW
        {
            self.state = ConnectionState::New;
        }
    }

    fn pause(&mut self, error: &RedisError) {
        let pause = self.pauses.next().unwrap_or(LONGEST_PAUSE);
        self.retry_at = Instant::now() + pause;
        self.state = ConnectionState::Broken(error.clone());
    }
}

fn pauses() -> ExponentialBackoff {
    growing_pauses(SHORTEST_PAUSE, LONGEST_PAUSE)
}

fn slot_of(slots: &Slots, runtime: Id) -> Option<Arc<Slot>> {
    let mut slots = slots.iter();
    let (_, slot) = slots.find(|(id, _)| *id == runtime)?;
    Some(Arc::clone(slot))
}

fn read(slots: &RwLock<Slots>) -> RwLockReadGuard<'_, Slots> {
    slots.read().unwrap_or_else(PoisonError::into_inner)
}

fn write(slots: &RwLock<Slots>) -> RwLockWriteGuard<'_, Slots> {
    slots.write().unwrap_or_else(PoisonError::into_inner)
}
