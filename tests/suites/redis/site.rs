//! A server whose records go through a proxy to a real Redis, and what tests ask of it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{App, HttpRequest, HttpResponse, post, web};
use idempotency_actix::deadpool_redis::{Config, Runtime};
use idempotency_actix::store::RecordId;
use idempotency_actix::{
    Idempotency, KeyScope, OnStoreFailure, OnUnknown, RedisStore, RedisStoreBuilder, idempotent,
};
use idempotency_actix_tests::redis::{Proxy, RedisServer, Reply, until};
use idempotency_actix_tests::{Client, Request, Response, Server, serve};
use tokio::sync::Semaphore;

/// How long a test waits for what must happen.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A store timeout that no busy machine reaches.
pub const AMPLE: Duration = Duration::from_secs(10);

/// A store timeout for tests that have to see it pass.
pub const SHORT: Duration = Duration::from_millis(600);

/// Which part of the layer covers the handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Marked,
    AllRoutes,
}

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
        let proxy = proxy_to(server);
        let store = options(self.store_builder(&proxy.url())).build();
        let store = store.expect("options that can hold");
        let layer = Idempotency::builder(store, KeyScope::everyone())
            .lease(self.lease)
            .wait(self.wait)
            .on_store_failure(self.on_store_failure)
            .on_unknown(self.on_unknown);
        let layer = match self.mode {
            Mode::Marked => layer,
            Mode::AllRoutes => layer.all_routes(),
        };
        let layer = layer.build().expect("options that can hold");
        let stage = Stage {
            runs: Runs::default(),
            gate: Gate::open(),
        };
        let data = web::Data::new(stage.clone());
        let http = serve(move || {
            App::new()
                .app_data(data.clone())
                .app_data(web::PayloadConfig::new(1 << 21))
                .wrap(layer.clone())
                .service(marked)
                .service(plain)
        });
        Site {
            proxy,
            runs: stage.runs,
            gate: stage.gate,
            redis: server,
            http,
            setup: self.clone(),
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

/// On a thread of its own, as a proxy cannot be started from within a runtime.
pub fn proxy_to(server: &RedisServer) -> Proxy {
    let addr = server.addr();
    let proxy = std::thread::spawn(move || Proxy::to(addr)).join();
    proxy.expect("a proxy")
}

pub fn pool(url: &str) -> idempotency_actix::deadpool_redis::Pool {
    let pool = Config::from_url(url).create_pool(Some(Runtime::Tokio1));
    pool.expect("a pool")
}

/// A server that only one test has, and that lives as long as the process.
pub fn own_server(config: &[(&str, &str)]) -> &'static RedisServer {
    Box::leak(Box::new(RedisServer::start(config)))
}

/// Counts runs, for a test that waits for them.
#[derive(Clone, Default)]
pub struct Runs(Arc<(Mutex<usize>, Condvar)>);

impl Runs {
    fn next(&self) -> usize {
        let mut count = self.0.0.lock().unwrap();
        *count += 1;
        self.0.1.notify_all();
        *count
    }

    pub fn count(&self) -> usize {
        *self.0.0.lock().unwrap()
    }

    pub fn wait_for(&self, times: usize) {
        let count = self.0.0.lock().unwrap();
        let (count, wait) = (self.0.1)
            .wait_timeout_while(count, PATIENCE, |count| *count < times)
            .unwrap();
        assert!(!wait.timed_out(), "{} of {times} runs came", *count);
    }
}

/// What handlers wait at while it is closed.
#[derive(Clone)]
pub struct Gate(Arc<Mutex<Arc<Semaphore>>>);

impl Gate {
    /// Open to all.
    fn open() -> Self {
        let gate = Self(Arc::new(Mutex::new(Arc::new(Semaphore::new(0)))));
        gate.let_through();
        gate
    }

    /// Stops who comes from now on.
    pub fn close(&self) {
        *self.0.lock().unwrap() = Arc::new(Semaphore::new(0));
    }

    /// Lets everybody through, now and later.
    pub fn let_through(&self) {
        self.0.lock().unwrap().close();
    }

    async fn pass(&self) {
        let semaphore = Arc::clone(&self.0.lock().unwrap());
        drop(semaphore.acquire().await);
    }
}

#[derive(Clone)]
struct Stage {
    runs: Runs,
    gate: Gate,
}

impl Stage {
    /// Answers with the number of the run, the body, and the status that was asked for.
    async fn run(&self, request: &HttpRequest, body: &str) -> HttpResponse {
        let number = self.runs.next();
        self.gate.pass().await;
        let status = request.headers().get("x-status");
        let status = status.and_then(|status| StatusCode::from_bytes(status.as_bytes()).ok());
        HttpResponse::build(status.unwrap_or(StatusCode::CREATED))
            .insert_header(("x-run", number.to_string()))
            .body(format!("run {number}: {body}"))
    }
}

#[post("/marked")]
#[idempotent]
async fn marked(stage: web::Data<Stage>, request: HttpRequest, body: String) -> HttpResponse {
    stage.run(&request, &body).await
}

#[post("/plain")]
async fn plain(stage: web::Data<Stage>, request: HttpRequest, body: String) -> HttpResponse {
    stage.run(&request, &body).await
}

pub struct Site {
    pub proxy: Proxy,
    /// How often the handler ran.
    pub runs: Runs,
    pub gate: Gate,
    pub redis: &'static RedisServer,
    http: Server,
    setup: Setup,
}

pub const BODY: &str = "100 EUR";

impl Site {
    /// The request that most tests send and repeat.
    pub fn request(&self, key: &str) -> Request {
        let path = match self.setup.mode {
            Mode::Marked => "/marked",
            Mode::AllRoutes => "/plain",
        };
        Request::post(path).key(key).body(BODY)
    }

    /// Sends it on a connection of its own.
    pub fn send(&self, key: &str) -> Response {
        self.send_request(&self.request(key))
    }

    pub fn send_request(&self, request: &Request) -> Response {
        self.http.send(request.clone())
    }

    /// Sends it and leaves the answer for later.
    pub fn ask(&self, key: &str) -> Client {
        let mut client = self.client();
        client.send(&self.request(key));
        client
    }

    /// A connection, all of whose requests are served by the same worker.
    pub fn client(&self) -> Client {
        Client::connect(self.http.addr())
    }

    /// Sends it, and waits until its handler has started.
    pub fn start(&self, key: &str) -> Client {
        let runs = self.runs.count();
        let client = self.ask(key);
        self.runs.wait_for(runs + 1);
        client
    }

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

pub fn assert_problem(answer: &Response, status: u16, kind: &str) {
    let problem = answer.problem();
    assert_eq!(
        (answer.status, problem.as_deref()),
        (status, Some(kind)),
        "{answer:?}"
    );
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

/// Polls until it is so, where no signal can tell.
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let came = until(PATIENCE, || is_so().then_some(()));
    assert!(came.is_some(), "never came: {what}");
}

/// How often each command was called on the server, by clients and scripts.
pub fn calls(server: &RedisServer) -> HashMap<String, u64> {
    let stats = server.command(&["INFO", "commandstats"]).text();
    let stats = stats.lines().filter_map(|line| {
        let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        Some((name.to_owned(), rest.split(',').next()?.parse().ok()?))
    });
    stats.collect()
}
