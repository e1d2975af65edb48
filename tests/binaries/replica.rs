//! One of several processes that serve the same application over one Redis.
//!
//! It tells its address on its output. What its handlers do is written to a file, line by line, so that it outlives the process and is counted over all of them.

use std::env;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use actix_web::dev::Service;
use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Data, Path};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, post, route};
use futures_util::{FutureExt, StreamExt, stream};
use idempotency_actix::deadpool_redis::redis::Client;
use idempotency_actix::{
    Attempt, Idempotency, KeyScope, OnUnknown, Recovery, RedisStore, idempotent,
};
use idempotency_actix_tests::redis::pool;
use tokio::signal::unix::{SignalKind, signal};

/// How often a handler looks whether its gate is open.
const TICK: Duration = Duration::from_millis(5);

/// What the test has to do with: its folder, of gates and of one file of events.
struct Stage {
    folder: PathBuf,
    events: File,
}

impl Stage {
    fn open(folder: PathBuf) -> io::Result<Self> {
        let events = folder.join("events");
        let events = File::options().create(true).append(true).open(events)?;
        Ok(Self { folder, events })
    }

    /// Appends one line; lines of several processes do not mix.
    fn note(&self, event: &str, request: &str) {
        let line = format!("{event} {request}\n");
        (&self.events)
            .write_all(line.as_bytes())
            .expect("a file to write to");
    }

    /// Whether the request may pass: it names no gate, or the test has made the file of that name.
    fn is_open(&self, gate: Option<&str>) -> bool {
        gate.is_none_or(|gate| self.folder.join(gate).exists())
    }
}

/// A request in one line: method, path, caller and key.
fn name(request: &HttpRequest) -> String {
    let header = |name| header(request, name).unwrap_or("-");
    let (caller, key) = (header("x-caller"), header("idempotency-key"));
    format!("{} {} {caller} {key}", request.method(), request.path())
}

fn header<'a>(request: &'a HttpRequest, name: &str) -> Option<&'a str> {
    request.headers().get(name)?.to_str().ok()
}

/// Octets that no other run has.
fn noise(length: usize) -> Vec<u8> {
    let random = RandomState::new();
    let words = (0_u64..).flat_map(|at| random.hash_one(at).to_le_bytes());
    words.take(length).collect()
}

/// An answer that no other run gives.
fn answer(request: &HttpRequest) -> HttpResponse {
    HttpResponse::Created()
        .insert_header(("location", format!("{}/1", request.path())))
        .append_header(("link", "</first>"))
        .append_header(("link", "</second>"))
        .body(format!("{}, run {:?}", name(request), noise(16)))
}

/// Waits at the gate and answers.
#[route(
    "/charges/{id}",
    method = "POST",
    method = "PUT",
    method = "PATCH",
    method = "DELETE"
)]
#[idempotent]
async fn charge(stage: Data<Stage>, request: HttpRequest, attempt: Attempt) -> HttpResponse {
    let generation = format!("generation-{}", attempt.generation());
    stage.note(&generation, &name(&request));
    // Last, since who has seen it may kill the process.
    stage.note("start", &name(&request));
    while !stage.is_open(header(&request, "x-gate")) {
        actix_web::rt::time::sleep(TICK).await;
    }
    stage.note("end", &name(&request));
    answer(&request)
}

/// Waits at the gate and lets its worker do nothing else.
#[post("/blocking")]
#[idempotent]
async fn blocking(stage: Data<Stage>, request: HttpRequest) -> HttpResponse {
    stage.note("start", &name(&request));
    while !stage.is_open(header(&request, "x-gate")) {
        thread::sleep(TICK);
    }
    stage.note("end", &name(&request));
    answer(&request)
}

/// Answers of all kinds.
#[post("/answers/{kind}")]
#[idempotent]
async fn answers(stage: Data<Stage>, kind: Path<String>, request: HttpRequest) -> HttpResponse {
    stage.note("start", &name(&request));
    let mut response = HttpResponse::build(StatusCode::OK);
    match kind.as_str() {
        "large" => response.body(noise(100 * 1024)),
        "binary" => {
            let octets = (0..=u8::MAX).chain(*b"\r\n\r\n0\r\n\r\n");
            response.body([octets.collect(), noise(100)].concat())
        }
        "latin1" => response
            .insert_header(("x-name", &b"Jos\xe9"[..]))
            .body(noise(10)),
        "streamed" => {
            let chunks = stream::iter(1..=20).then(|length| async move {
                actix_web::rt::task::yield_now().await;
                Ok::<_, io::Error>(Bytes::from(noise(length * 500)))
            });
            response.streaming(chunks)
        }
        "empty" => HttpResponse::NoContent()
            .insert_header(("x-run", format!("{:?}", noise(16))))
            .finish(),
        kind => panic!("no such kind of answer: {kind}"),
    }
}

/// Finds out that the charge was made.
async fn find_charge(stage: Data<Stage>, request: HttpRequest, attempt: Attempt) -> Recovery {
    let recovery = format!("recovery-{}", attempt.generation());
    stage.note(&recovery, &name(&request));
    while !stage.is_open(header(&request, "x-recovery-gate")) {
        actix_web::rt::time::sleep(TICK).await;
    }
    let found = HttpResponse::Created()
        .insert_header(("location", "/charges/1"))
        .body("found");
    Recovery::Completed(found)
}

/// Whether retries wait for a first request, and what wakes them.
enum Wait {
    Not,
    Polling,
    Told,
}

impl Wait {
    fn parse(arg: &str) -> Self {
        match arg {
            "not" => Self::Not,
            "polling" => Self::Polling,
            "told" => Self::Told,
            other => panic!("no such way to wait: {other}"),
        }
    }
}

fn layer(redis: &str, prefix: &str, lease: Duration, unknown: &str, wait: &Wait) -> Idempotency {
    let timeout = Duration::from_secs(5).min(lease / 3);
    let store = RedisStore::builder(pool(redis))
        .prefix(prefix)
        .timeout(timeout);
    let store = match wait {
        Wait::Told => store.notifications(Client::open(redis).expect("a URL of a server")),
        Wait::Not | Wait::Polling => store,
    };
    let store = store.build().expect("a store");
    let wait = match wait {
        Wait::Not => Duration::ZERO,
        Wait::Polling | Wait::Told => Duration::from_secs(300),
    };
    let layer = Idempotency::builder(store, KeyScope::header("x-caller"))
        .lease(lease)
        .wait(wait)
        .max_waiters_per_key(100);
    let layer = match unknown {
        "reject" => layer,
        "rerun" => layer.on_unknown(OnUnknown::Rerun),
        "recover" => layer.recover(find_charge),
        other => panic!("no such choice: {other}"),
    };
    layer.build().expect("options that can hold")
}

#[actix_web::main]
async fn main() -> io::Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    let [redis, prefix, lease, folder, unknown, wait, stop] = &args[..] else {
        panic!(
            "usage: replica <url of Redis> <prefix> <lease in ms> <folder> \
             <reject, rerun or recover> <not, polling or told> <plain, drained or drained-cut>"
        );
    };
    let lease = Duration::from_millis(lease.parse().expect("a number"));
    let layer = layer(redis, prefix, lease, unknown, &Wait::parse(wait));
    let of_stop = layer.clone();
    let stage = Data::new(Stage::open(folder.into())?);
    let server = HttpServer::new(move || {
        let watcher = stage.clone().into_inner();
        App::new()
            .app_data(stage.clone())
            .wrap(layer.clone())
            .wrap_fn(move |request, service| {
                let let_go = LetGo(Arc::clone(&watcher), name(request.request()));
                service.call(request).map(move |answer| {
                    drop(let_go);
                    answer
                })
            })
            .service(charge)
            .service(blocking)
            .service(answers)
    })
    .workers(2)
    .bind(("127.0.0.1", 0))?;
    println!("{}", server.addrs()[0]);
    let server = match stop.as_str() {
        "plain" => server,
        "drained" => server.shutdown_signal(drain(of_stop)),
        "drained-cut" => (server.h1_allow_half_closed(false)).shutdown_signal(drain(of_stop)),
        other => panic!("no such way to stop: {other}"),
    };
    server.run().await
}

/// Waits for the signal, and until everything in flight is done.
async fn drain(layer: Idempotency) {
    let terminate = signal(SignalKind::terminate());
    terminate.expect("a signal to wait for").recv().await;
    let drained = layer.drain(Duration::from_secs(60)).await;
    println!("{} {}", drained.finished, drained.abandoned);
}

/// Notes when a connection lets go of a request, answered or not.
struct LetGo(Arc<Stage>, String);

impl Drop for LetGo {
    fn drop(&mut self) {
        self.0.note("let-go", &self.1);
    }
}
