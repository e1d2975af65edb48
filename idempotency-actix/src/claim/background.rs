//! The thread that works for claims beside the workers. It does not know what it runs.
//!
//! One thread a layer, started by the first job. It is not a worker's: a handler that blocks its worker would stop
//! the worker's renewals too, and a living owner would be called dead.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::telemetry::{Incident, incident};

/// Starts the work, also again where it panicked.
type Job = Box<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// How long a job that panicked rests: what made it panic may still be there.
const REST: Duration = Duration::from_millis(100);

/// Runs a few long jobs; clones are handles to the same thread.
#[derive(Clone)]
pub(crate) struct Background(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    wake: Notify,
    /// Written under the lock only.
    is_running: AtomicBool,
    is_closed: AtomicBool,
}

struct State {
    /// Made before it is needed: when the first claim comes there may be no file descriptor free.
    runtime: Option<Runtime>,
    /// What the thread has not taken yet. Each kind of work has one job, so there are never more than kinds.
    jobs: Vec<Job>,
}

impl Background {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self(Arc::new(Shared {
            state: Mutex::new(State {
                runtime: Some(runtime()?),
                jobs: Vec::new(),
            }),
            wake: Notify::new(),
            is_running: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
        })))
    }

    /// Runs a job on the thread. Where that cannot be started, it is tried again at the next need.
    /// A job that panics is started again.
    pub(super) fn run<F>(&self, job: impl Fn() -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.0.lock().jobs.push(Box::new(move || Box::pin(job())));
        self.attend();
        self.0.wake.notify_one();
    }

    /// Makes sure that there is a thread if there is a job.
    pub(super) fn attend(&self) {
        if self.0.is_running.load(Ordering::Acquire) {
            return;
        }
        if let Err(error) = Shared::start(&self.0) {
            let cause = format_args!("the thread that renews claims cannot be started: {error}");
            incident(Incident::BackgroundFailed, &"background work", &cause);
        }
    }

    /// Whether the layer is gone: jobs end when there is nothing left to do.
    pub(super) fn is_closed(&self) -> bool {
        self.0.is_closed.load(Ordering::Acquire)
    }

    /// Lets the thread end when its jobs have.
    pub(super) fn close(&self) {
        self.0.is_closed.store(true, Ordering::Release);
        self.0.wake.notify_one();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(shared: &Arc<Self>) -> io::Result<()> {
        let mut state = shared.lock();
        if shared.is_running.load(Ordering::Relaxed) || state.jobs.is_empty() {
            return Ok(());
        }
        if state.runtime.is_none() {
            state.runtime = Some(runtime()?);
        }
        let running = Arc::clone(shared);
        // It takes the runtime itself: one that a failed start drops would panic in a task of a worker.
        let thread = std::thread::Builder::new().name("idempotency-renewals".into());
        thread.spawn(move || work(&running))?;
        shared.is_running.store(true, Ordering::Release);
        Ok(())
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(runtime) = self.lock().runtime.take() {
            // The last handle may be a task's, where a runtime must not be dropped otherwise.
            runtime.shutdown_background();
        }
    }
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// A thread that panicked is started again at the next need.
struct Running<'a>(&'a Shared);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _state = self.0.lock();
            self.0.is_running.store(false, Ordering::Release);
        }
    }
}

fn work(shared: &Shared) {
    let _running = Running(shared);
    let runtime = shared.lock().runtime.take();
    runtime
        .expect("a thread that is started with a runtime")
        .block_on(attend(shared));
}

async fn attend(shared: &Shared) {
    let mut running = JoinSet::new();
    let mut jobs = HashMap::new();
    loop {
        for job in std::mem::take(&mut shared.lock().jobs) {
            jobs.insert(running.spawn(job()).id(), job);
        }
        if running.is_empty() && shared.is_closed.load(Ordering::Acquire) {
            let state = shared.lock();
            if state.jobs.is_empty() {
                // Under the lock: a job that comes now starts another thread.
                shared.is_running.store(false, Ordering::Release);
                return;
            }
        }
        tokio::select! {
            () = shared.wake.notified() => {}
            Some(ended) = running.join_next_with_id() => match ended {
                Ok((id, ())) => drop(jobs.remove(&id)),
                Err(panicked) => if let Some(job) = jobs.remove(&panicked.id()) {
                    let cause = "a job panicked, and is started again";
                    incident(Incident::BackgroundFailed, &"background work", &cause);
                    let work = job();
                    let again = async {
                        tokio::time::sleep(REST).await;
                        work.await;
                    };
                    jobs.insert(running.spawn(again).id(), job);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_job_that_panics_is_started_again() {
        let background = Background::new().expect("a runtime");
        let (starts, started) = mpsc::channel();
        let count = Arc::new(Mutex::new(0));
        background.run(move || {
            let (starts, count) = (starts.clone(), Arc::clone(&count));
            async move {
                let start = {
                    let mut count = count.lock().unwrap_or_else(PoisonError::into_inner);
                    *count += 1;
                    *count
                };
                starts.send(start).expect("a test that listens");
                assert!(start > 2, "the first two fail");
            }
        });
        let patience = Duration::from_secs(60);
        for start in 1..=3 {
            assert_eq!(started.recv_timeout(patience), Ok(start));
        }
        background.close();
        // The third has ended, and with it the last handle to the channel.
        assert!(started.recv_timeout(patience).is_err());
    }
}
