//! The small application that the tests share: what it counts, how it is reached and observed.

use std::future::{Ready, ready};
use std::ops::Deref;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::ErrorUnauthorized;
use actix_web::middleware::Next;
use actix_web::web::ServiceConfig;
use actix_web::{App, Error, FromRequest, HttpMessage, HttpRequest, HttpResponse, Responder, post};
use idempotency_actix::store::{
    AttemptId, Begun, Claim, Completion, Finished, Record, RecordId, Released, Renewed, Resolved,
    Store, StoreError, Verdict,
};
use idempotency_actix::{Idempotency, IdempotencyBuilder, KeyScope, MemoryStore, idempotent};
use idempotency_actix_tests::{Client, Request, Response, Server, serve};
use tokio::sync::Semaphore;

/// How often handlers ran; a handler takes it as an argument.
#[derive(Clone, Debug, Default)]
pub(crate) struct Runs(Arc<AtomicU32>);

impl Runs {
    /// Counts one run and returns its number, from 1.
    pub(crate) fn next(&self) -> u32 {
        self.0.fetch_add(1, SeqCst) + 1
    }

    pub(crate) fn count(&self) -> u32 {
        self.0.load(SeqCst)
    }
}

impl FromRequest for Runs {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let runs = request.app_data::<Self>();
        ready(Ok(runs.expect("a site counts runs").clone()))
    }
}

/// A running application and its counter.
pub(crate) struct Site {
    server: Server,
    runs: Runs,
}

impl Site {
    /// Starts an `App` with these routes inside of that layer.
    pub(crate) fn new(
        layer: Idempotency,
        routes: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
    ) -> Self {
        let runs = Runs::default();
        let counted = runs.clone();
        let server = serve(move || {
            App::new()
                .app_data(counted.clone())
                .wrap(layer.clone())
                .configure(routes.clone())
        });
        Self { server, runs }
    }

    /// Joins a server that was started otherwise to the counter that it was given.
    pub(crate) fn of(server: Server, runs: Runs) -> Self {
        Self { server, runs }
    }

    pub(crate) fn runs(&self) -> u32 {
        self.runs.count()
    }

    /// Sends bytes on a connection of their own.
    pub(crate) fn send_bytes(&self, bytes: &[u8]) -> Response {
        let mut client = Client::connect(self.addr());
        client.write(bytes);
        client.receive()
    }

    /// Sends the same request twice, one after the other.
    pub(crate) fn twice(&self, request: &Request) -> (Response, Response) {
        (self.send(request.clone()), self.send(request.clone()))
    }
}

impl Deref for Site {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

/// A layer's builder on a fresh memory store, one space of keys for everyone.
pub(crate) fn builder() -> IdempotencyBuilder {
    Idempotency::builder(MemoryStore::new(), KeyScope::everyone())
}

/// A layer for marked handlers.
pub(crate) fn marked() -> Idempotency {
    builder().build().unwrap()
}

/// A layer in all-routes mode.
pub(crate) fn covering() -> Idempotency {
    builder().all_routes().build().unwrap()
}

/// A marked handler that answers 201 with the number of the run and the body.
#[post("/charges")]
#[idempotent]
pub(crate) async fn charge(runs: Runs, body: String) -> impl Responder {
    HttpResponse::Created().body(format!("{}:{body}", runs.next()))
}

/// The same without the mark.
#[post("/plain")]
pub(crate) async fn plain(runs: Runs, body: String) -> impl Responder {
    HttpResponse::Created().body(format!("{}:{body}", runs.next()))
}

/// Every problem of ours, checked against what all of them promise.
#[track_caller]
pub(crate) fn assert_problem(answer: &Response, status: u16, name: &str) {
    assert_eq!(answer.problem().as_deref(), Some(name), "{answer:?}");
    assert_eq!(answer.status, status);
    assert!(!answer.is_replay());
    let content_type = answer.header("content-type");
    assert_eq!(content_type, Some("application/problem+json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

/// A handler that tells when it was entered and waits to be let out.
#[derive(Clone)]
pub(crate) struct Gate(Arc<GateParts>);

struct GateParts {
    entered: Mutex<mpsc::Sender<()>>,
    entries: Mutex<mpsc::Receiver<()>>,
    open: Semaphore,
}

impl Gate {
    pub(crate) fn closed() -> Self {
        let (entered, entries) = mpsc::channel();
        Self(Arc::new(GateParts {
            entered: Mutex::new(entered),
            entries: Mutex::new(entries),
            open: Semaphore::new(0),
        }))
    }

    /// In the handler.
    pub(crate) async fn pass(&self) {
        self.0.entered.lock().unwrap().send(()).unwrap();
        self.0.open.acquire().await.unwrap().forget();
    }

    /// In the test: returns once a handler has come to the gate.
    pub(crate) fn wait(&self) {
        let entries = self.0.entries.lock().unwrap();
        let entered = entries.recv_timeout(Duration::from_secs(30));
        entered.expect("a handler that starts");
    }

    /// In the test: lets one handler through.
    pub(crate) fn open(&self) {
        self.0.open.add_permits(1);
    }
}

impl FromRequest for Gate {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let gate = request.app_data::<Self>();
        ready(Ok(gate.expect("a site with a gate").clone()))
    }
}

/// Who authentication found: the `Authorization` line, for the tests' sake.
#[derive(Clone, Debug)]
pub(crate) struct Account(pub(crate) String);

fn account(request: &HttpRequest) -> Result<Account, Error> {
    let line = request.headers().get("authorization");
    let name = line.and_then(|line| line.to_str().ok());
    let name = name.filter(|name| *name != "refused");
    name.map(|name| Account(name.to_owned()))
        .ok_or_else(|| ErrorUnauthorized("sign in first"))
}

/// As an extractor it answers 401 or puts the account where the scope finds it.
impl FromRequest for Account {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let account = account(request);
        if let Ok(account) = &account {
            request.extensions_mut().insert(account.clone());
        }
        ready(account)
    }
}

/// As middleware it does the same around whatever is inside.
pub(crate) async fn authenticate(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let account = account(request.request())?;
    request.extensions_mut().insert(account);
    next.call(request).await
}

/// What `KeyScope::by` is given.
pub(crate) fn principal(request: &HttpRequest) -> Option<String> {
    request.extensions().get::<Account>().map(|a| a.0.clone())
}

/// A store that counts what it is asked.
#[derive(Clone, Default)]
pub(crate) struct Counting {
    inner: MemoryStore,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    begun: AtomicU32,
    completed: AtomicU32,
    released: AtomicU32,
    ids: Mutex<Vec<RecordId>>,
}

impl Counting {
    pub(crate) fn begun(&self) -> u32 {
        self.counts.begun.load(SeqCst)
    }

    pub(crate) fn completed(&self) -> u32 {
        self.counts.completed.load(SeqCst)
    }

    pub(crate) fn released(&self) -> u32 {
        self.counts.released.load(SeqCst)
    }

    /// The records that were asked for, in order.
    pub(crate) fn ids(&self) -> Vec<RecordId> {
        self.counts.ids.lock().unwrap().clone()
    }

    /// How many records there are now.
    pub(crate) fn len(&self) -> usize {
        self.inner.len()
    }
}

impl Store for Counting {
    async fn begin(&self, id: &RecordId, claim: &Claim) -> Result<Begun, StoreError> {
        self.counts.begun.fetch_add(1, SeqCst);
        self.counts.ids.lock().unwrap().push(*id);
        self.inner.begin(id, claim).await
    }

    async fn renew(&self, id: &RecordId, claim: &Claim) -> Result<Renewed, StoreError> {
        self.inner.renew(id, claim).await
    }

    async fn complete(
        &self,
        id: &RecordId,
        claim: &Claim,
        finished: &Finished,
        ttl: Duration,
    ) -> Result<Completion, StoreError> {
        self.counts.completed.fetch_add(1, SeqCst);
        self.inner.complete(id, claim, finished, ttl).await
    }

    async fn release(&self, id: &RecordId, claim: &Claim) -> Result<Released, StoreError> {
        self.counts.released.fetch_add(1, SeqCst);
        self.inner.release(id, claim).await
    }

    async fn inspect(&self, id: &RecordId) -> Result<Option<Record>, StoreError> {
        self.inner.inspect(id).await
    }

    async fn resolve(
        &self,
        id: &RecordId,
        seen: &AttemptId,
        verdict: &Verdict,
    ) -> Result<Resolved, StoreError> {
        self.inner.resolve(id, seen, verdict).await
    }
}
