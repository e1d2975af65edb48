use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use actix_web::web::Bytes;
use futures_util::future::join_all;
use idempotency_actix::RedisStore;
use idempotency_actix::store::{
    Begun, Claim, Completion, Fingerprint, Finished, RecordId, Store, StoredResponse, Token,
};

use super::configuration::Configuration;
use super::servers::{Kind, Servers};

/// Runtimes, as of two workers.
const THREADS: usize = 2;

/// Requests under way on each.
const TASKS: usize = 8;

/// How long a client waits after a refusal.
const BACK_OFF: Duration = Duration::from_millis(10);

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Requests with fresh keys at full speed, until stopped.
pub struct Load {
    since: Instant,
    is_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Log>>,
}

/// What the store acknowledged. Times count from the start of the load.
#[derive(Debug, Default)]
pub struct Log {
    pub grants: Vec<Grant>,
    /// When claims were refused.
    pub refusals: Vec<Duration>,
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
        let (since, is_over) = (Instant::now(), Arc::<AtomicBool>::default());
        let client = Client {
            kind,
            store,
            since,
            is_over: Arc::clone(&is_over),
        };
        let start = |_| {
            let client = client.clone();
            std::thread::spawn(move || client.run())
        };
        Self {
            since,
            is_over,
            threads: (0..THREADS).map(start).collect(),
        }
    }

    /// How long it has been going on.
    pub fn now(&self) -> Duration {
        self.since.elapsed()
    }

    /// Stops it.
    pub fn stop(self) -> Log {
        self.is_over.store(true, Ordering::Relaxed);
        let logs = self.threads.into_iter().map(JoinHandle::join);
        logs.map(|log| log.expect("a client that ends"))
            .fold(Log::default(), Log::and)
    }
}

impl Log {
    fn and(mut self, other: Self) -> Self {
        self.grants.extend(other.grants);
        self.refusals.extend(other.refusals);
        self
    }
}

#[derive(Clone)]
struct Client {
    kind: Kind,
    store: RedisStore,
    since: Instant,
    is_over: Arc<AtomicBool>,
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
        while !self.is_over.load(Ordering::Relaxed) {
            match self.request().await {
                Some(grant) => log.grants.push(grant),
                None => {
                    log.refusals.push(self.since.elapsed());
                    tokio::time::sleep(BACK_OFF).await;
                }
            }
        }
        log
    }

    /// One request, whose handler takes no time; `None` if its claim was refused.
    async fn request(&self) -> Option<Grant> {
        let (id, token) = (self.kind.fresh_id(), Token::random());
        let fingerprint = Fingerprint::new(1, [1; 32]);
        let claim = Claim::new(token, fingerprint, Duration::from_secs(30), DAY);
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
