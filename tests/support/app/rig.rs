//! The application with one handler that does what a test tells it to, under either mode of a layer.
//! It must not know where its store keeps the records.

use std::ops::Deref;
use std::sync::Arc;

use actix_web::dev::Service as _;
use actix_web::http::StatusCode;
use actix_web::{App, HttpRequest, HttpResponse, post, web};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use idempotency_actix::store::State;
use idempotency_actix::{
    Attempt, Idempotency, IdempotencyBuilder, IdempotencyKey, KeyScope, idempotent,
};

use super::counter::Counter;
use super::faulty_store::{Call, FaultyStore};
use super::gate::Gate;
use super::mode::Mode;
use super::site::Site;
use crate::client::Client;
use crate::http2::Http2;
use crate::patience::eventually;
use crate::request::Request;
use crate::response::{Response, assert_in_flight, assert_replay};
use crate::server::{HalfClosed, serve_half_closed};

/// What the request of most tests has in it.
pub const BODY: &str = "100 EUR";

/// One run of the handler.
pub struct Run {
    /// 1 for the first.
    pub number: usize,
    /// Absent where the request has no key.
    attempt: Option<Attempt>,
    key: Option<IdempotencyKey>,
    /// What `X-Status` asks for, or 201.
    pub status: StatusCode,
    pub body: web::Bytes,
    /// The rig's.
    pub gate: Gate,
}

impl Run {
    pub fn attempt(&self) -> &Attempt {
        self.attempt.as_ref().expect("a request with a key")
    }

    pub fn key(&self) -> &IdempotencyKey {
        self.key.as_ref().expect("a request with a key")
    }
}

type Act = dyn Fn(Run) -> LocalBoxFuture<'static, HttpResponse> + Send + Sync;

/// What the handlers have in common; application data, as a recovery may take it too.
#[derive(Clone)]
pub struct Stage {
    act: Arc<Act>,
    /// How often the handler started.
    pub runs: Counter,
    ends: Counter,
    gate: Gate,
}

impl Stage {
    async fn run(
        &self,
        request: HttpRequest,
        attempt: Option<Attempt>,
        key: Option<IdempotencyKey>,
        body: web::Bytes,
    ) -> HttpResponse {
        let status = request.headers().get("x-status");
        let status = status.and_then(|status| StatusCode::from_bytes(status.as_bytes()).ok());
        drop(request);
        let run = Run {
            number: self.runs.next(),
            attempt,
            key,
            status: status.unwrap_or(StatusCode::CREATED),
            body,
            gate: self.gate.clone(),
        };
        let response = (self.act)(run).await;
        self.ends.next();
        response
    }
}

#[post("/marked")]
#[idempotent]
async fn marked(
    stage: web::Data<Stage>,
    request: HttpRequest,
    attempt: Option<Attempt>,
    key: Option<IdempotencyKey>,
    body: web::Bytes,
) -> HttpResponse {
    stage.run(request, attempt, key, body).await
}

#[post("/plain")]
async fn plain(
    stage: web::Data<Stage>,
    request: HttpRequest,
    attempt: Option<Attempt>,
    key: Option<IdempotencyKey>,
    body: web::Bytes,
) -> HttpResponse {
    stage.run(request, attempt, key, body).await
}

/// Counts when the connection lets go of a request, answered or not.
struct LetGo(Counter);

impl Drop for LetGo {
    fn drop(&mut self) {
        self.0.next();
    }
}

/// A site with that handler, and what a test does to it.
pub struct Rig<S = FaultyStore> {
    pub store: S,
    /// As those who run the application have it.
    pub layer: Idempotency,
    /// How often the handler came to its end.
    pub ends: Counter,
    /// How often a connection let go of a request, answered or not.
    pub let_go: Counter,
    pub gate: Gate,
    mode: Mode,
    site: Site,
}

impl<S> Deref for Rig<S> {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}

/// The answer of most handlers here, with the number of the run.
pub fn created(run: &Run) -> HttpResponse {
    HttpResponse::Created()
        .insert_header(("location", "/charges/1"))
        .body(format!("run {}", run.number))
}

pub async fn answer(run: Run) -> HttpResponse {
    created(&run)
}

pub async fn wait_at_gate(run: Run) -> HttpResponse {
    run.gate.pass().await;
    created(&run)
}

impl<S: idempotency_actix::store::Store + Clone> Rig<S> {
    /// A handler that does so, over a layer on that store with these options.
    pub fn new<F: Future<Output = HttpResponse> + 'static>(
        mode: Mode,
        store: S,
        options: impl FnOnce(IdempotencyBuilder) -> IdempotencyBuilder,
        act: impl Fn(Run) -> F + Send + Sync + 'static,
    ) -> Self {
        Self::half_closed(HalfClosed::Served, mode, store, options, act)
    }

    /// One whose server may take a half-closed connection for a client that left.
    pub fn half_closed<F: Future<Output = HttpResponse> + 'static>(
        half_closed: HalfClosed,
        mode: Mode,
        store: S,
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
            runs: Counter::default(),
            ends: Counter::default(),
            gate: Gate::closed(),
        };
        let let_go = Counter::default();
        let (data, counter) = (web::Data::new(stage.clone()), let_go.clone());
        let of_rig = layer.clone();
        let app = move || {
            let counter = counter.clone();
            App::new()
                .app_data(data.clone())
                .app_data(web::PayloadConfig::new(1 << 21))
                .wrap(layer.clone())
                .wrap_fn(move |request, service| {
                    let guard = LetGo(counter.clone());
                    service.call(request).map(move |answer| {
                        drop(guard);
                        answer
                    })
                })
                .service(marked)
                .service(plain)
        };
        let server = serve_half_closed(half_closed, app);
        Self {
            store,
            layer: of_rig,
            ends: stage.ends,
            let_go,
            gate: stage.gate,
            mode,
            site: Site::of(server, stage.runs),
        }
    }
}

impl<S> Rig<S> {
    /// Stops the server and lets requests that run end, for a second.
    pub fn stop(self) {
        self.site.stop();
    }

    pub fn path(&self) -> &'static str {
        match self.mode {
            Mode::Marked => "/marked",
            Mode::AllRoutes => "/plain",
        }
    }

    /// The request that most tests send and repeat.
    pub fn request(&self, key: &str) -> Request {
        Request::post(self.path()).key(key).body(BODY)
    }

    /// Sends it on a connection of its own.
    pub fn send(&self, key: &str) -> Response {
        self.site.send(self.request(key))
    }

    pub fn send_request(&self, request: &Request) -> Response {
        self.site.send(request.clone())
    }

    /// Sends it and leaves the answer for later.
    pub fn ask(&self, key: &str) -> Client {
        let mut client = self.connect();
        client.send(&self.request(key));
        client
    }

    /// Sends it over HTTP/2.
    pub fn ask_http2(&self, key: &str) -> Http2 {
        Http2::post(self.addr(), self.path(), key, BODY)
    }

    /// Sends it, and waits until a handler has started since.
    pub fn start(&self, key: &str) -> Client {
        let runs = self.runs.count();
        let client = self.ask(key);
        self.runs.wait_for(runs + 1);
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
    #[track_caller]
    pub fn assert_in_flight(&self, key: &str) {
        assert_in_flight(&self.send(key));
    }

    /// A retry after the first request: a replay of that status and body.
    #[track_caller]
    pub fn assert_replayed(&self, key: &str, status: u16, body: &str) {
        assert_replay(&self.settle(key), status, body);
    }
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

    /// Every record that was ever asked for is finished or absent.
    pub fn assert_nothing_in_flight(&self) {
        for (id, _) in self.store.calls(Call::Begin) {
            let record = self.store.record(&id);
            let state = record.map(|record| record.state);
            let is_done = matches!(state, None | Some(State::Finished(_)));
            assert!(is_done, "{id:?} is {state:?}");
        }
    }
}
