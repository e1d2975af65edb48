//! A stop that loses nothing: what is in flight is seen, waited for, and named where there is no time left for it.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::idempotency::Idempotency;
use crate::telemetry::{Incident, incident};

/// How often it is looked whether everything is done.
const LOOKS: Duration = Duration::from_millis(10);

/// What a layer has under way in this process; see [`Idempotency::in_flight`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InFlight {
    /// Operations from the question for their claim to their record: their handlers, the ends of their streams, and
    /// recoveries.
    pub runs: usize,
    /// Requests that go on though their client has left. Most of them are `runs` too.
    pub detached: usize,
    /// Answers that the store did not take in time, and is offered again.
    pub waiting_answers: usize,
    /// Claims that the store did not give back in time, and is asked to again.
    pub waiting_releases: usize,
    /// Retries that wait for a first request.
    pub waiters: usize,
}

/// What came of an [`Idempotency::drain`], counted in operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// Those that were in flight when it began, and were done.
    pub finished: usize,
    /// Those that were not done when its time was over. Each was logged as incident `abandoned`, and what becomes of it
    /// if the process ends now is what becomes of it when a process dies: its outcome is unknown once its lease is over,
    /// and in a transaction it never happened.
    pub abandoned: usize,
}

/// For the end of a process.
impl Idempotency {
    /// What the layer has under way in this process, on all workers.
    pub fn in_flight(&self) -> InFlight {
        let claims = &self.0.claims;
        InFlight {
            runs: claims.activity.runs(),
            detached: claims.activity.detached(),
            waiting_answers: claims.waiting_answers(),
            waiting_releases: claims.waiting_releases(),
            waiters: claims.waiters.count(),
        }
    }

    /// Takes no new keys from now on, and returns when all that is in flight is done, or after that time.
    ///
    /// New keys are answered 503 `draining`, unless the layer is to [serve](crate::OnDrain::Serve) them; replays are
    /// given, requests without a key pass, and [`health`](Self::health) says that the layer drains. It waits for
    /// handlers whose client has left, the ends of streams, and whatever the store did not take yet. It cannot be
    /// undone; called again it waits again.
    ///
    /// Call it **before** the server stops: actix-web waits for connections and for nothing else, and what its workers
    /// have left is dropped with them. `HttpServer::shutdown_signal` takes a future that waits for the signal and
    /// then for this; it takes the place of actix-web's own signals, so wait for Ctrl-C there too. After it actix-web waits for
    /// requests without a key, for `shutdown_timeout`, which is 30 s unless told otherwise: both times together must be less
    /// than what the platform grants between its signal and the kill.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// use actix_web::rt::signal::ctrl_c;
    /// use actix_web::rt::signal::unix::{SignalKind, signal};
    /// use actix_web::{App, HttpServer};
    /// use idempotency_actix::{Idempotency, KeyScope, MemoryStore};
    ///
    /// async fn drained(idempotency: Idempotency) {
    ///     let mut terminate = signal(SignalKind::terminate()).expect("a signal to wait for");
    ///     tokio::select! {
    ///         _ = terminate.recv() => {}
    ///         _ = ctrl_c() => {}
    ///     }
    ///     let drained = idempotency.drain(Duration::from_secs(20)).await;
    ///     println!("{} finished, {} given up", drained.finished, drained.abandoned);
    /// }
    ///
    /// #[actix_web::main]
    /// async fn main() -> std::io::Result<()> {
    ///     let idempotency = Idempotency::new(MemoryStore::new(), KeyScope::everyone());
    ///     let layer = idempotency.clone();
    ///     HttpServer::new(move || App::new().wrap(layer.clone()))
    ///         .shutdown_timeout(5)
    ///         .shutdown_signal(drained(idempotency))
    ///         .bind(("127.0.0.1", 8080))?
    ///         .run()
    ///         .await
    /// }
    /// ```
    pub async fn drain(&self, timeout: Duration) -> Drained {
        let (claims, start) = (&self.0.claims, Instant::now());
        claims.activity.drain();
        let at_first = claims.pending();
        while !claims.is_idle() && start.elapsed() < timeout {
            sleep(LOOKS).await;
        }
        let left = claims.abandon();
        for pending in &left {
            let cause = "the time to drain is over before it was done";
            incident(Incident::Abandoned, pending, &cause);
        }
        Drained {
            finished: at_first.difference(&left).count(),
            abandoned: left.len(),
        }
    }
}
