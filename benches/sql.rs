//! What a handler in a transaction costs beside one that does its own `BEGIN`, `INSERT` and `COMMIT` on the same database.
//!
//! Every case has a server with one worker. Rounds are as in the other benchmarks: each gives every case a slice, and
//! ratios are taken within a round.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use actix_web::rt::System;
use actix_web::web::Data;
use actix_web::{App, HttpResponse, post};
use idempotency_actix::store::Store;
use idempotency_actix::{Idempotency, KeyScope, idempotent};
use idempotency_actix_benches::{Spread, serve};
use idempotency_actix_sqlx::sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use idempotency_actix_sqlx::sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use idempotency_actix_sqlx::sqlx::{PgPool, SqlitePool, query, raw_sql};
use idempotency_actix_sqlx::{PgStore, PgTx, SqlError, SqliteStore, SqliteTx};
use idempotency_actix_tests::postgres::{PgServer, Wire};
use idempotency_actix_tests::{Client, Request};
use tempfile::TempDir;

const ROUNDS: usize = 7;
const SLICE: Duration = Duration::from_millis(400);
const CONNECTIONS: [usize; 2] = [1, 16];
const MOST: u32 = 16;

fn created() -> HttpResponse {
    HttpResponse::Created().body("a".repeat(300))
}

macro_rules! handlers {
    ($module:ident, $tx:ty, $pool:ty, $begin:literal) => {
        mod $module {
            use super::*;

            const INSERT: &str = "INSERT INTO charges (cents) VALUES ($1)";

            #[post("/plain")]
            pub(super) async fn plain(pool: Data<$pool>) -> Result<HttpResponse, SqlError> {
                let mut tx = pool.begin_with($begin).await?;
                query(INSERT).bind(1250_i64).execute(&mut *tx).await?;
                tx.commit().await?;
                Ok(created())
            }

            #[post("/marked")]
            #[idempotent(required)]
            pub(super) async fn marked(mut tx: $tx) -> Result<HttpResponse, SqlError> {
                query(INSERT).bind(1250_i64).execute(&mut *tx).await?;
                Ok(created())
            }

            pub(super) fn start<S: Store + Clone>(pool: $pool, store: S) -> io::Result<SocketAddr> {
                let layer = Idempotency::new(store, KeyScope::everyone());
                serve(move || {
                    App::new()
                        .app_data(Data::new(pool.clone()))
                        .wrap(layer.clone())
                        .service(plain)
                        .service(marked)
                })
            }
        }
    };
}

handlers!(postgres, PgTx, PgPool, "BEGIN");
handlers!(sqlite, SqliteTx, SqlitePool, "BEGIN IMMEDIATE");

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Plain,
    FirstRun,
    Replay,
}

struct Case {
    name: String,
    kind: Kind,
    connections: usize,
    server: SocketAddr,
    slices: Vec<Slice>,
}

/// What came of a slice of time.
struct Slice {
    rate: f64,
    p50: f64,
    p99: f64,
}

/// A key that was not there before.
fn fresh() -> usize {
    static KEYS: AtomicUsize = AtomicUsize::new(1);
    KEYS.fetch_add(1, Relaxed)
}

fn request(kind: Kind) -> Request {
    match kind {
        Kind::Plain => Request::post("/plain"),
        Kind::FirstRun => Request::post("/marked").key(&fresh().to_string()),
        Kind::Replay => Request::post("/marked").key("0"),
    }
}

impl Case {
    fn run(&self) -> Slice {
        let start = Instant::now();
        let client = || {
            let mut client = Client::connect(self.server);
            let mut times = Vec::new();
            while start.elapsed() < SLICE {
                let asked = Instant::now();
                client.send(&request(self.kind));
                let answer = client.receive();
                assert_eq!(answer.status, 201, "{answer:?}");
                times.push(asked.elapsed());
            }
            times
        };
        let mut times: Vec<_> = thread::scope(|scope| {
            let clients: Vec<_> = (0..self.connections).map(|_| scope.spawn(client)).collect();
            let times = clients
                .into_iter()
                .flat_map(|it| it.join().expect("a client"));
            times.collect()
        });
        let rate = times.len() as f64 / start.elapsed().as_secs_f64();
        times.sort();
        let at = |hundredths: usize| times[times.len() * hundredths / 100].as_secs_f64() * 1e6;
        Slice {
            rate,
            p50: at(50),
            p99: at(99),
        }
    }
}

/// The cases of one application: the first is what the others are compared with.
fn cases(title: &str, server: SocketAddr, untested: Option<SocketAddr>) -> Vec<Case> {
    let mut cases = Vec::new();
    for connections in CONNECTIONS {
        let mut add = |name, kind, server| {
            cases.push(Case {
                name: format!("{title}, {connections} connections: {name}"),
                kind,
                connections,
                server,
                slices: Vec::new(),
            });
        };
        add("by hand", Kind::Plain, server);
        if let Some(untested) = untested {
            add(
                "by hand, `test_before_acquire(false)`",
                Kind::Plain,
                untested,
            );
        }
        add("first run", Kind::FirstRun, server);
        add("replay", Kind::Replay, server);
    }
    cases
}

fn on_postgres(options: PgConnectOptions, is_tested: bool) -> io::Result<SocketAddr> {
    System::new().block_on(async {
        let pool = PgPoolOptions::new()
            .max_connections(MOST)
            .test_before_acquire(is_tested)
            .connect_lazy_with(options);
        let store = PgStore::new(pool.clone());
        store.migrate().await.map_err(io::Error::other)?;
        let charges = "CREATE TABLE IF NOT EXISTS charges (id bigserial PRIMARY KEY, cents bigint)";
        let made = raw_sql(charges).execute(&pool).await;
        made.map_err(io::Error::other)?;
        postgres::start(pool, store)
    })
}

fn on_sqlite(folder: &TempDir, synchronous: SqliteSynchronous) -> io::Result<SocketAddr> {
    System::new().block_on(async {
        let options = SqliteConnectOptions::new()
            .filename(folder.path().join(format!("{synchronous:?}.db")))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(synchronous);
        // With more, they wait for each other by polling.
        let pool = SqlitePoolOptions::new().max_connections(1);
        let pool = pool.connect_lazy_with(options);
        let store = SqliteStore::new(pool.clone());
        store.migrate().await.map_err(io::Error::other)?;
        let charges = "CREATE TABLE charges (id INTEGER PRIMARY KEY, cents INTEGER)";
        let made = raw_sql(charges).execute(&pool).await;
        made.map_err(io::Error::other)?;
        sqlite::start(pool, store)
    })
}

fn main() -> io::Result<()> {
    let server = PgServer::start(&[("fsync", "on"), ("shared_buffers", "128MB")]);
    let folder = TempDir::with_prefix("sqlite-")?;
    let mut all = Vec::new();
    for commit in ["on", "off"] {
        let options = || server.options().options([("synchronous_commit", commit)]);
        let (app, untested) = (
            on_postgres(options(), true)?,
            on_postgres(options(), false)?,
        );
        let title = format!("PostgreSQL, `synchronous_commit = {commit}`");
        all.push(cases(&title, app, Some(untested)));
    }
    for synchronous in [SqliteSynchronous::Full, SqliteSynchronous::Normal] {
        let title = format!("SQLite, `synchronous = {synchronous:?}`");
        all.push(cases(&title, on_sqlite(&folder, synchronous)?, None));
    }
    for round in 0..=ROUNDS {
        for case in all.iter_mut().flatten() {
            let slice = case.run();
            // The first round warms up.
            if round > 0 {
                case.slices.push(slice);
            }
        }
    }
    println!("{ROUNDS} rounds of {SLICE:?} for each case, 1 worker.\n");
    println!("| case | requests/s | of by hand (min to max) | p50 µs | p99 µs |");
    println!("|---|---|---|---|---|");
    for cases in &all {
        for case in cases {
            let bare = cases
                .iter()
                .find(|it| it.connections == case.connections)
                .expect("itself at least");
            let rounds = case.slices.iter().zip(&bare.slices);
            let ratio = Spread::of(rounds.map(|(it, bare)| it.rate / bare.rate));
            let median =
                |measure: fn(&Slice) -> f64| Spread::of(case.slices.iter().map(measure)).median;
            println!(
                "| {} | {:.0} | {ratio} | {:.0} | {:.0} |",
                case.name,
                median(|it| it.rate),
                median(|it| it.p50),
                median(|it| it.p99)
            );
        }
    }
    println!("\nRound trips on PostgreSQL:\n");
    for (name, kind, is_tested) in [
        ("by hand", Kind::Plain, true),
        ("by hand, `test_before_acquire(false)`", Kind::Plain, false),
        ("first run", Kind::FirstRun, true),
        ("replay", Kind::Replay, true),
    ] {
        let wire = Wire::to(server.addr());
        let app = on_postgres(server.options().port(wire.port()), is_tested)?;
        let (on_way, behind) = trips(&wire, app, kind);
        println!("- {name}: {on_way} on the request's way, {behind} behind the answer");
    }
    Ok(())
}

/// Of one request, when all is prepared.
fn trips(wire: &Wire, server: SocketAddr, kind: Kind) -> (usize, usize) {
    let mut client = Client::connect(server);
    let mut last = (0, 0);
    for _ in 0..6 {
        let before = wire.trips();
        client.send(&request(kind));
        client.receive();
        let told = wire.trips();
        thread::sleep(Duration::from_millis(200));
        last = (told - before, wire.trips() - told);
    }
    last
}
