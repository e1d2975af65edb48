//! The load: claims and answers as fast as the store takes them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use actix_web::web::Bytes;
use futures_util::future::join_all;
use idempotency_actix::RedisStore;
use idempotency_actix::store::{Begun, Completion, Finished, RecordId, Store, StoredResponse};
use idempotency_actix_tests::fresh_claim;

use super::configuration::Configuration;
use super::servers::{Kind, Servers};

/// Runtimes, as of two workers.
const THREADS: usize = 2;

/// Requests under way on each.
const TASKS: usize = 8;

/// How long a client waits after a refusal, and after each request once the load has eased off.
const PAUSE: Duration = Duration::from_millis(10);

const FULL_SPEED: u8 = 0;
const EASED: u8 = 1;
const OVER: u8 = 2;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Requests with fresh keys at full speed, until stopped.
pub struct Load {
    since: Instant,
    stage: Arc<AtomicU8>,
    threads: Vec<JoinHandle<Log>>,
}

/// What the store acknowledged. Times count from the start of the load.
#[derive(Debug, Default)]
pub struct Log {
    pub grants: Vec<Grant>,
    /// How many claims were refused.
    pub refusals: usize,
}

/// A claim that was granted, so that its handler ran.
#[derive(Debug)]
pub struct Grant {
    pub id: RecordId,
    pub at: Duration,
    /// Whether the store acknowledged its answer.
    pub is_answered: bool,
}

impl Load {
    pub fn start(kind: Kind, servers: &Servers, configuration: &Configuration) -> Self {
        let store = RedisStore::builder(servers.pool())
            .wait_replicas(configuration.wait_replicas)
            .build()
            .expect("a store");
        let (since, stage) = (Instant::now(), Arc::new(AtomicU8::new(FULL_SPEED)));
        let client = Client {
            kind,
            store,
            since,
            stage: Arc::clone(&stage),
        };
        let start = |_| {
            let client = client.clone();
            std::thread::spawn(move || client.run())
        };
        Self {
            since,
            stage,
            threads: (0..THREADS).map(start).collect(),
        }
    }

    /// How long it has been going on.
    pub fn now(&self) -> Duration {
        self.since.elapsed()
    }

    /// Slows it down.
    pub fn ease(&self) {
        self.stage.store(EASED, Ordering::Relaxed);
    }

    /// Stops it.
    pub fn stop(self) -> Log {
        self.stage.store(OVER, Ordering::Relaxed);
        let logs = self.threads.into_iter().map(JoinHandle::join);
        logs.map(|log| log.expect("a client that ends"))
            .fold(Log::default(), Log::and)
    }
}

impl Log {
    fn and(mut self, other: Self) -> Self {
        self.grants.extend(other.grants);
        self.refusals += other.refusals;
        self
    }
}

#[derive(Clone)]
struct Client {
    kind: Kind,
    store: RedisStore,
    since: Instant,
    stage: Arc<AtomicU8>,
}

impl Client {
    fn run(self) -> Log {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let logs = runtime.block_on(join_all((0..TASKS).map(|_| self.requests())));
        logs.into_iter().fold(Log::default(), Log::and)
    }

    async fn requests(&self) -> Log {
        let mut log = Log::default();
        loop {
            let stage = self.stage.load(Ordering::Relaxed);
            if stage == OVER {
                return log;
            }
            let granted = self.request().await;
            if granted.is_none() || stage == EASED {
                tokio::time::sleep(PAUSE).await;
            }
            match granted {
                Some(grant) => log.grants.push(grant),
                None => log.refusals += 1,
            }
        }
    }

    /// One request, whose handler takes no time; `None` if its claim was refused.
    async fn request(&self) -> Option<Grant> {
        let (id, claim) = (
            self.kind.fresh_id(),
            fresh_claim(Duration::from_secs(30), DAY),
        );
        let Ok(Begun::Claimed { .. }) = self.store.begin(&id, &claim).await else {
            return None;
        };
        let at = self.since.elapsed();
        let body = Bytes::from_static(b"{\"status\":\"succeeded\"}");
        let answer = StoredResponse::new(StatusCode::CREATED, [], Some(body));
        let answer = Finished::Completed(answer);
        let completion = self.store.complete(&id, &claim, &answer, DAY).await;
        Some(Grant {
            id,
            at,
            is_answered: matches!(
                completion,
                Ok(Completion::Recorded | Completion::RecordedAbsent)
            ),
        })
    }
}
