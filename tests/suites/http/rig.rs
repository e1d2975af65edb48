//! A server whose handler, store and clock do what a test tells them to.

use std::future::Future;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use actix_web::dev::Service as _;
use actix_web::{App, HttpResponse, post, web};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use idempotency_actix::{
    Attempt, Clock, Idempotency, IdempotencyBuilder, IdempotencyKey, KeyScope, MemoryStore,
    idempotent,
};
use idempotency_actix_tests::{Client, Request, Response, Server, serve_half_closed};
use tokio::sync::Semaphore;

use crate::faulty_store::FaultyStore;

/// How long a test waits for what must happen.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Counts events, for a test that waits for them.
#[derive(Clone, Default)]
pub struct Bell(Arc<(Mutex<usize>, Condvar)>);

impl Bell {
    /// Rings, and tells how often it has.
    pub fn ring(&self) -> usize {
        let mut count = self.0.0.lock().unwrap();
        *count += 1;
        self.0.1.notify_all();
        *count
    }

    pub fn count(&self) -> usize {
        *self.0.0.lock().unwrap()
    }

    /// Waits until it has rung so often.
    pub fn wait_for(&self, times: usize) {
        let count = self.0.0.lock().unwrap();
        let (count, wait) = (self.0.1)
            .wait_timeout_while(count, PATIENCE, |count| *count < times)
            .unwrap();
        assert!(!wait.timed_out(), "{} of {times} events came", *count);
    }
}

/// What a future waits at until the test opens it.
#[derive(Clone)]
pub struct Gate(Arc<Semaphore>);

impl Gate {
    pub fn closed() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    /// Lets everybody through, now and later.
    pub fn open(&self) {
        self.0.close();
    }

    pub async fn pass(&self) {
        drop(self.0.acquire().await);
    }
}

/// Polls until it is so, where no signal can tell.
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "never came: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Which part of the layer covers the handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Marked,
    AllRoutes,
}

/// Makes one test of a function and mode, in a module for each mode.
macro_rules! in_both_modes {
    ($($name:ident)*) => {
        mod marked {
            $(#[test] fn $name() { super::$name($crate::rig::Mode::Marked); })*
        }
        mod all_routes {
            $(#[test] fn $name() { super::$name($crate::rig::Mode::AllRoutes); })*
        }
    };
}
pub(crate) use in_both_modes;

/// One run of the handler.
pub struct Run {
    /// 1 for the first.
    pub number: usize,
    pub attempt: Attempt,
    pub key: IdempotencyKey,
    /// Closed until the test opens it.
    pub gate: Gate,
}

type Act = dyn Fn(Run) -> LocalBoxFuture<'static, HttpResponse> + Send + Sync;

/// What the handlers have in common; application data, as a recovery may take it too.
#[derive(Clone)]
pub struct Stage {
    act: Arc<Act>,
    /// How often the handler started.
    pub runs: Bell,
    ends: Bell,
    gate: Gate,
}

impl Stage {
    async fn run(&self, attempt: Attempt, key: IdempotencyKey) -> HttpResponse {
        let run = Run {
            number: self.runs.ring(),
            attempt,
            key,
            gate: self.gate.clone(),
        };
        let response = (self.act)(run).await;
        self.ends.ring();
        response
    }
}

#[post("/marked")]
#[idempotent]
async fn marked(stage: web::Data<Stage>, attempt: Attempt, key: IdempotencyKey) -> HttpResponse {
    stage.run(attempt, key).await
}

#[post("/plain")]
async fn plain(stage: web::Data<Stage>, attempt: Attempt, key: IdempotencyKey) -> HttpResponse {
    stage.run(attempt, key).await
}

/// Rings when the connection lets go of a request, answered or not.
struct LetGo(Bell);

impl Drop for LetGo {
    fn drop(&mut self) {
        self.0.ring();
    }
}

pub struct Rig {
    pub store: FaultyStore,
    /// How often the handler started.
    pub runs: Bell,
    /// How often it came to its end.
    pub ends: Bell,
    /// How often a connection let go of a request, answered or not.
    pub let_go: Bell,
    pub gate: Gate,
    mode: Mode,
    server: Server,
}

/// A store on the clock of this machine.
pub fn store() -> FaultyStore {
    FaultyStore::new(MemoryStore::new())
}

/// A store on a clock that the test moves.
pub fn store_and_clock() -> (FaultyStore, Clock) {
    let clock = Clock::manual();
    let memory = MemoryStore::builder().clock(clock.clone()).build();
    (FaultyStore::new(memory), clock)
}

/// The answer of most handlers here, with the number of the run.
pub fn created(run: &Run) -> HttpResponse {
    HttpResponse::Created()
        .insert_header(("location", "/charges/1"))
        .body(format!("run {}", run.number))
}

impl Rig {
    /// A handler that waits at the gate and then answers.
    pub fn gated(mode: Mode, store: FaultyStore) -> Self {
        Self::new(mode, store, |layer| layer, wait_at_gate)
    }

    /// A handler that answers at once.
    pub fn prompt(mode: Mode, store: FaultyStore) -> Self {
        Self::new(mode, store, |layer| layer, answer)
    }

    pub fn new<F: Future<Output = HttpResponse> + 'static>(
        mode: Mode,
        store: FaultyStore,
        options: impl FnOnce(IdempotencyBuilder) -> IdempotencyBuilder,
        act: impl Fn(Run) -> F + Send + Sync + 'static,
    ) -> Self {
        Self::half_closed(true, mode, store, options, act)
    }

    /// One whose server may take a half-closed connection for a client that left.
    pub fn half_closed<F: Future<Output = HttpResponse> + 'static>(
        allowed: bool,
        mode: Mode,
        store: FaultyStore,
        options: impl FnOnce(IdempotencyBuilder) -> IdempotencyBuilder,
        act: impl Fn(Run) -> F + Send + Sync + 'static,
    ) -> Self {
        let layer = Idempotency::builder(store.clone(), KeyScope::everyone());
        let layer = match mode {
            Mode::Marked => options(layer),
            Mode::AllRoutes => options(layer).all_routes(),
        };
        let layer = layer.build().expect("options that can hold");
        let stage = Stage {
            act: Arc::new(move |run| act(run).boxed_local()),
            runs: Bell::default(),
            ends: Bell::default(),
            gate: Gate::closed(),
        };
        let let_go = Bell::default();
        let (data, bell) = (web::Data::new(stage.clone()), let_go.clone());
        let app = move || {
            let bell = bell.clone();
            App::new()
                .app_data(data.clone())
                .wrap(layer.clone())
                .wrap_fn(move |request, service| {
                    let guard = LetGo(bell.clone());
                    service.call(request).map(move |answer| {
                        drop(guard);
                        answer
                    })
                })
                .service(marked)
                .service(plain)
        };
        let server = serve_half_closed(app, allowed);
        let Stage {
            runs, ends, gate, ..
        } = stage;
        Self {
            store,
            runs,
            ends,
            let_go,
            gate,
            mode,
            server,
        }
    }

    /// Stops the server and lets requests that run end, for a second.
    pub fn stop(self) {
        self.server.stop();
    }

    pub fn path(&self) -> &'static str {
        match self.mode {
            Mode::Marked => "/marked",
            Mode::AllRoutes => "/plain",
        }
    }

    pub fn addr(&self) -> std::net::SocketAddr {
        self.server.addr()
    }

    /// The request that most tests send and repeat.
    pub fn request(&self, key: &str) -> Request {
        Request::post(self.path()).key(key).body("100 EUR")
    }

    /// Sends it on a connection of its own.
    pub fn send(&self, key: &str) -> Response {
        self.server.send(self.request(key))
    }

    pub fn send_request(&self, request: Request) -> Response {
        self.server.send(request)
    }

    /// Sends it and leaves the answer for later.
    pub fn ask(&self, key: &str) -> Client {
        let mut client = Client::connect(self.addr());
        client.send(&self.request(key));
        client
    }

    /// Sends it, and waits until the handler has started for the first time.
    pub fn start(&self, key: &str) -> Client {
        let client = self.ask(key);
        self.runs.wait_for(1);
        client
    }

    /// Retries until the operation is no longer in flight.
    pub fn settle(&self, key: &str) -> Response {
        let mut answer = self.send(key);
        eventually("an end of the first request", || {
            if answer.status == 409 {
                answer = self.send(key);
            }
            answer.status != 409
        });
        answer
    }

    /// A retry while the first request runs: 409 with `Retry-After`.
    pub fn assert_in_flight(&self, key: &str) {
        let retry = self.send(key);
        assert_problem(&retry, 409, "in-flight");
        assert_eq!(retry.header("retry-after"), Some("1"));
    }

    /// A retry after the first request: a replay of that status and body.
    pub fn assert_replayed(&self, key: &str, status: u16, body: &str) {
        let retry = self.settle(key);
        assert_eq!((retry.status, retry.text().as_str()), (status, body));
        assert!(retry.is_replay(), "{retry:?}");
        assert_eq!(retry.header("idempotency-status"), None);
    }

    /// Every record that was ever asked for is finished or absent.
    pub fn assert_nothing_in_flight(&self) {
        use idempotency_actix::store::State;
        for (id, _) in self.store.calls(crate::faulty_store::Call::Begin) {
            let record = self.store.record(&id);
            let state = record.map(|record| record.state);
            let is_done = matches!(state, None | Some(State::Finished(_)));
            assert!(is_done, "{id:?} is {state:?}");
        }
    }
}

pub async fn wait_at_gate(run: Run) -> HttpResponse {
    run.gate.pass().await;
    created(&run)
}

pub async fn answer(run: Run) -> HttpResponse {
    created(&run)
}

pub fn assert_problem(response: &Response, status: u16, kind: &str) {
    let problem = response.problem();
    assert_eq!(
        (response.status, problem.as_deref()),
        (status, Some(kind)),
        "{response:?}"
    );
}

/// A first answer, neither replayed nor marked.
pub fn assert_first(response: &Response, status: u16, body: &str) {
    assert_eq!((response.status, response.text().as_str()), (status, body));
    assert!(!response.is_replay(), "{response:?}");
    assert_eq!(response.header("idempotency-status"), None);
}

/// Nothing comes while the test holds it back.
pub fn assert_silent(client: &mut Client, bytes: usize) {
    let moment = Some(Duration::from_millis(100));
    client.stream().set_read_timeout(moment).unwrap();
    let error = client.take(bytes).expect_err("nothing yet");
    use std::io::ErrorKind::{TimedOut, WouldBlock};
    assert!(matches!(error.kind(), WouldBlock | TimedOut), "{error:?}");
    client.stream().set_read_timeout(Some(PATIENCE)).unwrap();
}
