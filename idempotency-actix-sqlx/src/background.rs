//! The store's own thread, for what no request waits for: it ends with the store. What is done there is not known here.

use std::fmt;
use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::thread;

use tokio::runtime::Builder;
use tokio::sync::oneshot;

/// A thread that has a runtime, started when it is first needed. Dropping this ends what it does.
pub(crate) struct Background {
    name: &'static str,
    /// Dropped to end the thread; `None` before it was started.
    running: Mutex<Option<oneshot::Sender<()>>>,
}

impl Background {
    pub(crate) fn new(name: &'static str) -> Self {
        Self {
            name,
            running: Mutex::default(),
        }
    }

    /// Starts it where it is not running. If the system refuses the thread, the next call asks again.
    pub(crate) fn ensure<F>(&self, work: impl FnOnce() -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever listens is gone where the thread is.
        if running.as_ref().is_some_and(|it| !it.is_closed()) {
            return;
        }
        let (stop, stopped) = oneshot::channel();
        let work = work();
        let started = thread::Builder::new()
            .name(self.name.to_owned())
            .spawn(
                move || match Builder::new_current_thread().enable_all().build() {
                    Ok(runtime) => runtime.block_on(async {
                        tokio::select! {
                            _ = stopped => {}
                            () = work => {}
                        }
                    }),
                    Err(error) => tracing::warn!(%error, "the store's thread has no runtime"),
                },
            );
        match started {
            Ok(_) => *running = Some(stop),
            Err(error) => tracing::warn!(%error, "the system refuses the store's thread"),
        }
    }
}

impl fmt::Debug for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Background").field(&self.name).finish()
    }
}
