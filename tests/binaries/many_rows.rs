//! What a step costs beside ten million rows, and whether the sweep keeps up with 2,000 that are over each second.
//!
//! ```console
//! scripts/many-rows [rows]
//! ```
//!
//! The table is filled by a statement, in the form in which the store writes rows; what is replayed the store has written.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use actix_web::rt::System;
use actix_web::web::Bytes;
use idempotency_actix::store::{Begun, Finished, RecordId, Store, StoredResponse};
use idempotency_actix_sqlx::PgStore;
use idempotency_actix_tests::postgres::PgServer;
use idempotency_actix_tests::{fresh_claim, fresh_id};

const ROWS: u64 = 10_000_000;
const KEPT: usize = 1_000;
const TURNS: usize = 20;
const DAY: Duration = Duration::from_secs(86_400);
const STEADY: Duration = Duration::from_secs(30);

/// A pause that a client would notice.
const NOTICED: Duration = Duration::from_millis(20);

/// How long steps took.
#[derive(Default)]
struct Times(Vec<Duration>);

impl Times {
    fn told(&mut self) -> String {
        self.0.sort();
        let at =
            |thousandths: usize| self.0[(self.0.len() * thousandths / 1_000).min(self.0.len() - 1)];
        let noticed = self.0.iter().filter(|time| **time > NOTICED).count();
        format!(
            "{} steps, p50 {:?}, p99 {:?}, most {:?}, {noticed} over {NOTICED:?}",
            self.0.len(),
            at(500),
            at(990),
            at(1_000)
        )
    }
}

fn store(server: &PgServer, table: &str) -> PgStore {
    let store = PgStore::builder(server.pool(4)).table(table);
    // By hand, and when it is measured.
    store.sweep_every(None).build().expect("options that hold")
}

async fn claim(store: &PgStore, times: &mut Times) {
    let (id, claim) = (fresh_id(), fresh_claim(Duration::from_secs(30), DAY));
    let asked = Instant::now();
    let begun = store.begin(&id, &claim).await.expect("an answer");
    times.0.push(asked.elapsed());
    assert!(matches!(begun, Begun::Claimed { .. }));
    store.release(&id, &claim).await.expect("an answer");
}

async fn replay(store: &PgStore, id: &RecordId, times: &mut Times) {
    let claim = fresh_claim(Duration::from_secs(30), DAY);
    let asked = Instant::now();
    let begun = store.begin(id, &claim).await.expect("an answer");
    times.0.push(asked.elapsed());
    assert!(matches!(begun, Begun::Found(_)));
}

/// Records of the store's own.
async fn record(store: &PgStore) -> Vec<RecordId> {
    let body = Some(Bytes::from(vec![b'a'; 300]));
    let answer = Finished::Completed(StoredResponse::new(StatusCode::CREATED, [], body));
    let mut ids = Vec::new();
    for _ in 0..KEPT {
        let (id, claim) = (fresh_id(), fresh_claim(Duration::from_secs(30), DAY));
        store.begin(&id, &claim).await.expect("an answer");
        let done = store.complete(&id, &claim, &answer, DAY).await;
        done.expect("an answer");
        ids.push(id);
    }
    ids
}

/// Rows that are over one after the other, 2,000 each second from now.
async fn fill(server: &PgServer, rows: u64) {
    server
        .execute("ALTER TABLE big DROP CONSTRAINT big_pkey; DROP INDEX big_expires")
        .await;
    server
        .execute(&format!(
            "INSERT INTO big (id, kind, token, generation, fingerprint, begun, seen, expires, answer) \
             SELECT sha256(i::text::bytea), 2, token, 1, fingerprint, seen, seen, seen + i * 500::bigint, answer \
             FROM generate_series(1, {rows}) AS i, (SELECT * FROM big LIMIT 1) AS one"
        ))
        .await;
    server
        .execute(
            "ALTER TABLE big ADD CONSTRAINT big_pkey PRIMARY KEY (id); \
             CREATE INDEX big_expires ON big (expires); ANALYZE big",
        )
        .await;
    server.execute("CHECKPOINT").await;
}

async fn overdue(server: &PgServer) -> i64 {
    let sql = "SELECT count(*) FROM big \
               WHERE expires <= (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
    server.number(sql).await
}

fn main() {
    let rows = std::env::args().nth(1).and_then(|rows| rows.parse().ok());
    let rows = rows.unwrap_or(ROWS);
    let server = PgServer::start(&[("shared_buffers", "512MB"), ("max_wal_size", "4GB")]);
    let is_over = AtomicBool::new(false);
    System::new().block_on(async {
        let stores = [store(&server, "small"), store(&server, "big")];
        let mut kept = Vec::new();
        for store in &stores {
            store.migrate().await.expect("a table");
            kept.push(record(store).await);
        }
        let start = Instant::now();
        fill(&server, rows).await;
        println!("- {rows} rows in {:?}", start.elapsed());
        let mut claims = [Times::default(), Times::default()];
        let mut replays = [Times::default(), Times::default()];
        for turn in 0..TURNS {
            for at in 0..stores.len() {
                for step in 0..100 {
                    claim(&stores[at], &mut claims[at]).await;
                    let id = &kept[at][(turn * 100 + step) % KEPT];
                    replay(&stores[at], id, &mut replays[at]).await;
                }
            }
        }
        for (at, table) in [format!("{KEPT} rows"), format!("{rows} rows")]
            .iter()
            .enumerate()
        {
            println!("- claim, {table}: {}", claims[at].told());
            println!("- replay, {table}: {}", replays[at].told());
        }
        let start = Instant::now();
        let gone = stores[1].sweep().await.expect("a sweep");
        let time = start.elapsed();
        let rate = gone as f64 / time.as_secs_f64();
        println!("- sweep of {gone} rows that were over: {time:?}, {rate:.0} a second");
    });
    let mut idle = Times::default();
    let mut busy = Times::default();
    let steady = |times: &mut Times| {
        System::new().block_on(async {
            let store = store(&server, "big");
            let start = Instant::now();
            while start.elapsed() < STEADY {
                claim(&store, times).await;
            }
        });
    };
    steady(&mut idle);
    let gone = thread::scope(|scope| {
        let sweeper = scope.spawn(|| {
            System::new().block_on(async {
                let store = store(&server, "big");
                let mut gone = 0;
                while !is_over.load(SeqCst) {
                    gone += store.sweep().await.expect("a sweep");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                gone
            })
        });
        steady(&mut busy);
        is_over.store(true, SeqCst);
        sweeper.join().expect("a sweeper")
    });
    println!("- claims for {STEADY:?} without a sweep: {}", idle.told());
    println!("- beside sweeps of {gone} rows: {}", busy.told());
    let left = System::new().block_on(overdue(&server));
    println!("- over and still there: {left}");
}
