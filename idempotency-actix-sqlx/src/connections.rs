//! The store's own connections: taken for a step, kept for the next. What is sent over them is not known here.
//!
//! They are made by the options of the application's pool, and are none of it: a pool asks the server whether a
//! connection lives when it lends it and when it gets it back, which is two round trips for a step of one.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::{ConnectOptions, Connection};
use tokio::runtime::{self, Handle};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::failure::{Failure, Meaning, Trouble};

/// How long a connection may be unused. Firewalls forget about one sooner or later, without a word.
const IDLE: Duration = Duration::from_secs(5 * 60);

/// How long a step that was given up on may still hold its connection.
const LINGER: Duration = Duration::from_secs(30);

/// The pause before a connection is made again that met another one.
const PAUSE: Duration = Duration::from_millis(10);

type Open<C> = dyn Fn() -> Option<<C as Connection>::Options> + Send + Sync;

/// What to do where all connections are made, and the one that is free belongs to another runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Foreign {
    /// It is as good, or nearly: a connection that another thread drives waits for that thread.
    Use,
    /// It would be held up by whatever holds up that thread, so it is made anew.
    #[cfg(feature = "postgres")]
    Replace,
}

/// Up to so many connections.
pub(crate) struct Connections<C: Connection + 'static> {
    /// `None` where the application's pool is closed.
    open: Box<Open<C>>,
    meaning: fn(&sqlx::Error) -> Meaning,
    idle: Mutex<Vec<Idle<C>>>,
    permits: Arc<Semaphore>,
    most: usize,
    foreign: Foreign,
}

struct Idle<C> {
    connection: C,
    runtime: runtime::Id,
    since: Instant,
}

impl<C: Connection + 'static> Connections<C> {
    pub(crate) fn new(
        most: usize,
        foreign: Foreign,
        meaning: fn(&sqlx::Error) -> Meaning,
        open: impl Fn() -> Option<C::Options> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            open: Box::new(open),
            meaning,
            idle: Mutex::default(),
            permits: Arc::new(Semaphore::new(most)),
            most,
            foreign,
        })
    }

    /// Takes a connection, for which it waits until the deadline.
    pub(crate) async fn take(self: &Arc<Self>, deadline: Instant) -> Result<Taken<C>, Failure> {
        let Some(options) = (self.open)() else {
            self.forget_idle();
            return Err(Failure::Refused(Trouble::PoolClosed.into()));
        };
        let permit = Arc::clone(&self.permits).acquire_owned();
        let permit = match timeout_at(deadline, permit).await {
            Ok(Ok(permit)) => permit,
            _ => return Err(Failure::Refused(Trouble::NoConnection.into())),
        };
        let runtime = Handle::current().id();
        let (connection, runtime, is_fresh) = match self.pick(runtime) {
            Some(idle) => (idle.connection, idle.runtime, false),
            None => match timeout_at(deadline, self.connect(&options)).await {
                Ok(Ok(connection)) => (connection, runtime, true),
                Ok(Err(error)) => return Err(Failure::Refused(error.into())),
                Err(_) => return Err(Failure::Refused(Trouble::NoConnect.into())),
            },
        };
        Ok(Taken {
            connection: Some(connection),
            runtime,
            is_fresh,
            is_clean: true,
            is_recovering: false,
            permit: Some(permit),
            home: Arc::clone(self),
        })
    }

    /// Makes one. To open a new file can meet who opens it too, for which SQLite itself does not wait.
    async fn connect(&self, options: &C::Options) -> Result<C, sqlx::Error> {
        loop {
            match options.connect().await {
                Err(error) if (self.meaning)(&error) == Meaning::Again => sleep(PAUSE).await,
                made => return made,
            }
        }
    }

    /// The connection that this runtime used last; one of another where all are made.
    fn pick(&self, runtime: runtime::Id) -> Option<Idle<C>> {
        let now = Instant::now();
        let mut idle = self.lock();
        idle.retain(|it| now.duration_since(it.since) < IDLE);
        if let Some(at) = idle.iter().rposition(|it| it.runtime == runtime) {
            return Some(idle.remove(at));
        }
        // The permit of who asks is in use already.
        let in_use = self.most - self.permits.available_permits();
        if idle.len() + in_use <= self.most || idle.is_empty() {
            return None;
        }
        let other = idle.remove(0);
        (self.foreign == Foreign::Use).then_some(other)
    }

    /// Forgets those that wait: where one broke off, so have the others.
    pub(crate) fn forget_idle(&self) {
        let gone = std::mem::take(&mut *self.lock());
        drop(gone);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Idle<C>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: Connection + 'static> fmt::Debug for Connections<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections")
            .field("most", &self.most)
            .field("free", &self.permits.available_permits())
            .finish_non_exhaustive()
    }
}

/// A connection that was taken, given back when this is dropped.
pub(crate) struct Taken<C: Connection + 'static> {
    /// `None` where it is broken.
    connection: Option<C>,
    runtime: runtime::Id,
    is_fresh: bool,
    is_clean: bool,
    /// Once only: a runtime that ends drops what it is given at once.
    is_recovering: bool,
    permit: Option<OwnedSemaphorePermit>,
    home: Arc<Connections<C>>,
}

impl<C: Connection + 'static> Taken<C> {
    /// Whether it was made just now, and not used before.
    pub(crate) fn is_fresh(&self) -> bool {
        self.is_fresh
    }

    /// Lends the connection. Until [`answered`](Self::answered), it is in the midst of something.
    pub(crate) fn lend(&mut self) -> &mut C {
        self.is_clean = false;
        self.connection
            .as_mut()
            .expect("a connection that broke is not lent again")
    }

    /// The connection, to look at.
    pub(crate) fn peek(&self) -> &C {
        self.connection
            .as_ref()
            .expect("a connection that broke is not lent again")
    }

    /// Nothing that was asked is unanswered.
    pub(crate) fn answered(&mut self) {
        self.is_clean = true;
    }

    /// Closes it: whatever it says is not to be trusted.
    pub(crate) fn close(mut self) {
        self.connection = None;
    }

    /// Holds it until what was asked is answered, so that steps which were given up on do not pile up on the server,
    /// each with a connection of its own.
    async fn recover(mut self) {
        let Some(connection) = &mut self.connection else {
            return;
        };
        match timeout(LINGER, connection.ping()).await {
            Ok(Ok(())) => self.answered(),
            _ => self.close(),
        }
    }
}

impl<C: Connection + 'static> Drop for Taken<C> {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else {
            return;
        };
        if self.is_clean {
            // Before the permit is given back, so that the next one finds it.
            self.home.lock().push(Idle {
                connection,
                runtime: self.runtime,
                since: Instant::now(),
            });
            return;
        }
        // Without a runtime, as when one ends, there is nobody to wait for an answer.
        if let (Ok(runtime), false) = (Handle::try_current(), self.is_recovering) {
            let taken = Self {
                connection: Some(connection),
                permit: self.permit.take(),
                home: Arc::clone(&self.home),
                is_recovering: true,
                ..*self
            };
            runtime.spawn(taken.recover());
        }
    }
}
