//! A server whose records go through a proxy to a real Redis, and what tests ask of it.

use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use actix_web::HttpResponse;
use idempotency_actix::store::RecordId;
use idempotency_actix::{
    IdempotencyBuilder, OnStoreFailure, OnUnknown, RedisStore, RedisStoreBuilder,
};
use idempotency_actix_tests::app::{BODY, Mode, Rig, Run};
use idempotency_actix_tests::redis::{Proxy, RedisServer, Reply, pool};
use idempotency_actix_tests::{PATIENCE, Request, Response, assert_problem, eventually, until};

/// A store timeout that no busy machine reaches.
pub const AMPLE: Duration = Duration::from_secs(10);

/// A store timeout for tests that have to see it pass.
pub const SHORT: Duration = Duration::from_millis(600);

/// How a site differs from most others.
#[derive(Clone)]
pub struct Setup {
    pub mode: Mode,
    pub timeout: Duration,
    pub lease: Duration,
    pub on_store_failure: OnStoreFailure,
    pub on_unknown: OnUnknown,
    /// How long a retry waits for a first request.
    pub wait: Duration,
    /// What its keys start with; sites with the same one share their records.
    pub prefix: String,
}

impl Setup {
    /// Marked handlers, nothing times out, and no other site has its records.
    pub fn new() -> Self {
        static SITES: AtomicUsize = AtomicUsize::new(0);
        Self {
            mode: Mode::Marked,
            timeout: AMPLE,
            lease: 3 * AMPLE,
            on_store_failure: OnStoreFailure::Reject,
            on_unknown: OnUnknown::Reject,
            wait: Duration::ZERO,
            prefix: format!("site-{}:", SITES.fetch_add(1, SeqCst)),
        }
    }

    /// A command that hangs is seen to.
    pub fn impatient() -> Self {
        let timeout = SHORT;
        Self {
            timeout,
            ..Self::new()
        }
    }

    pub fn mode(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    pub fn lease(self, lease: Duration) -> Self {
        Self { lease, ..self }
    }

    pub fn on(&self, server: &'static RedisServer) -> Site {
        self.with(server, |store| store)
    }

    pub fn with(
        &self,
        server: &'static RedisServer,
        options: impl FnOnce(RedisStoreBuilder) -> RedisStoreBuilder,
    ) -> Site {
        let proxy = Proxy::to(server.addr());
        let store = options(self.store_builder(&proxy.url())).build();
        let store = store.expect("options that can hold");
        let options = |layer: IdempotencyBuilder| {
            layer
                .lease(self.lease)
                .wait(self.wait)
                .on_store_failure(self.on_store_failure)
                .on_unknown(self.on_unknown)
        };
        let rig = Rig::new(self.mode, store, options, answer);
        rig.gate.open();
        Site {
            proxy,
            redis: server,
            setup: self.clone(),
            rig,
        }
    }

    pub fn store_builder(&self, url: &str) -> RedisStoreBuilder {
        RedisStore::builder(pool(url))
            .prefix(&self.prefix)
            .timeout(self.timeout)
    }

    /// A store without a site or a proxy.
    pub fn store(&self, server: &RedisServer) -> RedisStore {
        let store = self.store_builder(&server.url()).build();
        store.expect("options that can hold")
    }
}

/// A server that only one test has, and that lives as long as the process.
pub fn own_server(config: &[(&str, &str)]) -> &'static RedisServer {
    Box::leak(Box::new(RedisServer::start(config)))
}

/// Waits at the gate, and answers with the number of the run, the body, and the status that was asked for.
async fn answer(run: Run) -> HttpResponse {
    run.gate.pass().await;
    let body = String::from_utf8_lossy(&run.body);
    HttpResponse::build(run.status)
        .insert_header(("x-run", run.number.to_string()))
        .body(format!("run {}: {body}", run.number))
}

/// A rig with an open gate.
pub struct Site {
    pub proxy: Proxy,
    pub redis: &'static RedisServer,
    setup: Setup,
    rig: Rig<RedisStore>,
}

impl Deref for Site {
    type Target = Rig<RedisStore>;

    fn deref(&self) -> &Self::Target {
        &self.rig
    }
}

impl Site {
    /// Retries until the operation is neither in flight nor refused for the store's sake.
    pub fn settle(&self, request: &Request) -> Response {
        let settled = || {
            let answer = self.send_request(request);
            (!is_busy(&answer)).then_some(answer)
        };
        until(PATIENCE, settled).expect("an end of the first request")
    }

    /// All of the site's keys on the server, without those of values that wait to be moved.
    pub fn keys(&self) -> Vec<String> {
        let pattern = format!("{}{{{}}}", self.setup.prefix, "?".repeat(64));
        let keys = self.redis.command(&["KEYS", &pattern]).items();
        keys.into_iter().map(Reply::text).collect()
    }

    /// The one record's key.
    pub fn key(&self) -> String {
        let keys = self.keys();
        let [key] = &keys[..] else {
            panic!("one record, not {keys:?}");
        };
        key.clone()
    }

    /// The one record's id, which its key has between braces.
    pub fn record_id(&self) -> RecordId {
        let key = self.key();
        let hex = key.split(['{', '}']).nth(1).expect("a hash tag");
        let octet = |at: usize| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("a digit");
        RecordId::from_bytes(std::array::from_fn(octet))
    }

    pub fn wait_for_keys(&self, count: usize) {
        eventually(&format!("{count} records"), || self.keys().len() == count);
    }

    /// A new key is refused and its handler does not run.
    pub fn assert_refuses(&self, key: &str) {
        let runs = self.runs.count();
        assert_refused(&self.send(key));
        assert_eq!(self.runs.count(), runs);
    }

    /// A replay of that run, and no other run.
    pub fn assert_replays(&self, key: &str, run: usize) {
        let runs = self.runs.count();
        assert_replay(&self.send(key), run);
        assert_eq!(self.runs.count(), runs);
    }

    /// A new key runs and is replayed.
    pub fn assert_serves(&self, key: &str) {
        let run = self.runs.count() + 1;
        assert_first(&self.send(key), run);
        self.assert_replays(key, run);
    }

    /// The same, once it has got over an outage.
    pub fn assert_recovers(&self, key: &str) {
        let run = self.runs.count() + 1;
        assert_first(&self.settle(&self.request(key)), run);
        // Perhaps from a worker that has not got over it yet.
        assert_replay(&self.settle(&self.request(key)), run);
        assert_eq!(self.runs.count(), run);
    }
}

/// 409, or 503 because of the store.
fn is_busy(answer: &Response) -> bool {
    let problem = answer.problem();
    matches!(problem.as_deref(), Some("in-flight" | "store-unavailable"))
}

pub fn assert_refused(answer: &Response) {
    assert_problem(answer, 503, "store-unavailable");
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
}

/// The true answer of that run, recorded or not.
pub fn assert_true(answer: &Response, run: usize, body: &str) {
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.text(), format!("run {run}: {body}"));
    assert_eq!(answer.header("x-run"), Some(&*run.to_string()));
}

/// The first answer, recorded.
pub fn assert_first(answer: &Response, run: usize) {
    assert_true(answer, run, BODY);
    assert!(!answer.is_replay(), "{answer:?}");
    assert_eq!(answer.header("idempotency-status"), None);
}

/// The first answer, which the store has not got yet.
pub fn assert_unstored(answer: &Response, run: usize) {
    assert_true(answer, run, BODY);
    assert!(!answer.is_replay(), "{answer:?}");
    assert_eq!(answer.header("idempotency-status"), Some("unstored"));
}

pub fn assert_replay(answer: &Response, run: usize) {
    assert_true(answer, run, BODY);
    assert!(answer.is_replay(), "{answer:?}");
    assert_eq!(answer.header("idempotency-status"), None);
}
