//! What many claims at once cost the thread that works for them: renewals of claims in flight, and answers that wait
//! for a store which is down.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use actix_web::dev::Service;
use actix_web::http::StatusCode;
use actix_web::rt::{spawn, task::yield_now, time::sleep};
use actix_web::{App, HttpResponse, post, test, web};
use idempotency_actix::store::{
    AttemptId, Begun, Claim, Completion, Finished, Record, RecordId, Released, Renewed, Resolved,
    Store, StoreError, Verdict,
};
use idempotency_actix::{Idempotency, KeyScope, MemoryStore, idempotent};
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::watch;

const MANY: [usize; 2] = [10_000, 60_000];

/// How long claims are kept in flight.
const FLIGHT: Duration = Duration::from_secs(10);

const LEASE: Duration = Duration::from_secs(1);

/// A memory store that is down for renewals and answers while it is told so.
#[derive(Clone)]
struct Outage {
    memory: MemoryStore,
    is_down: Arc<AtomicBool>,
    recorded: Arc<AtomicUsize>,
}

impl Outage {
    fn check(&self) -> Result<(), StoreError> {
        match self.is_down.load(Ordering::Relaxed) {
            true => Err(StoreError::unavailable("down")),
            false => Ok(()),
        }
    }
}

impl Store for Outage {
    async fn begin(&self, id: &RecordId, claim: &Claim) -> Result<Begun, StoreError> {
        self.memory.begin(id, claim).await
    }

    async fn renew(&self, id: &RecordId, claim: &Claim) -> Result<Renewed, StoreError> {
        self.check()?;
        self.memory.renew(id, claim).await
    }

    async fn complete(
        &self,
        id: &RecordId,
        claim: &Claim,
        finished: &Finished,
        ttl: Duration,
    ) -> Result<Completion, StoreError> {
        self.check()?;
        let completion = self.memory.complete(id, claim, finished, ttl).await;
        self.recorded.fetch_add(1, Ordering::Relaxed);
        completion
    }

    async fn release(&self, id: &RecordId, claim: &Claim) -> Result<Released, StoreError> {
        self.memory.release(id, claim).await
    }

    async fn inspect(&self, id: &RecordId) -> Result<Option<Record>, StoreError> {
        self.memory.inspect(id).await
    }

    async fn resolve(
        &self,
        id: &RecordId,
        seen: &AttemptId,
        verdict: &Verdict,
    ) -> Result<Resolved, StoreError> {
        self.memory.resolve(id, seen, verdict).await
    }
}

#[post("/charges")]
#[idempotent]
async fn charge(end: web::Data<watch::Sender<bool>>) -> HttpResponse {
    let ended = end.subscribe().wait_for(|is_over| *is_over).await.is_ok();
    HttpResponse::Created().body(ended.to_string())
}

/// What came of a crowd of claims.
struct Crowd {
    renewed: f64,
    lapsed: usize,
    recorded: Duration,
    lost: usize,
}

async fn crowd(many: usize) -> Result<Crowd, Box<dyn Error>> {
    let store = Outage {
        memory: MemoryStore::builder().max_entries(2 * many).build(),
        is_down: Arc::default(),
        recorded: Arc::default(),
    };
    let layer = Idempotency::builder(store.clone(), KeyScope::everyone());
    let layer = layer.lease(LEASE).build()?;
    let end = web::Data::new(watch::Sender::new(false));
    let app = App::new().app_data(end.clone()).wrap(layer).service(charge);
    let app = test::init_service(app).await;
    let ask = |number: usize| {
        let key = ("idempotency-key", format!("key-{number}"));
        let request = test::TestRequest::post().uri("/charges");
        app.call(request.insert_header(key).to_request())
    };

    let mut first = Vec::new();
    for number in 0..many {
        first.push(spawn(ask(number)));
        if number % 100 == 0 {
            yield_now().await;
        }
    }
    let (since, used) = (Instant::now(), cpu_seconds());
    sleep(FLIGHT).await;
    let renewed = (cpu_seconds() - used) / since.elapsed().as_secs_f64();
    let mut lapsed = 0;
    for number in 0..many {
        lapsed += usize::from(ask(number).await?.status() != StatusCode::CONFLICT);
    }

    store.is_down.store(true, Ordering::Relaxed);
    end.send_replace(true);
    for answer in first {
        answer.await??;
    }
    store.is_down.store(false, Ordering::Relaxed);
    let since = Instant::now();
    while store.recorded.load(Ordering::Relaxed) < many {
        sleep(Duration::from_millis(10)).await;
    }
    let recorded = since.elapsed();
    let mut lost = 0;
    for number in 0..many {
        let retry = ask(number).await?;
        lost += usize::from(!retry.headers().contains_key("idempotent-replayed"));
    }
    Ok(Crowd {
        renewed,
        lapsed,
        recorded,
        lost,
    })
}

/// What this process has used of the processors.
fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    println!(
        "| claims of a lease of 1 s | cores for renewals | lapsed | recorded after an outage in | lost |"
    );
    println!("|---|---|---|---|---|");
    for many in MANY {
        let crowd = crowd(many).await?;
        println!(
            "| {many} | {:.2} | {} | {:.1} s | {} |",
            crowd.renewed,
            crowd.lapsed,
            crowd.recorded.as_secs_f64(),
            crowd.lost,
        );
    }
    Ok(())
}
