//! A map of octets passes the suite by load and save alone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::*;
use crate::Clock;
use crate::store::conformance::{Harness, run};
use crate::store::{Cursor, Page, Store};

#[derive(Clone)]
struct InMap {
    codec: RecordCodec,
    clock: Clock,
    rows: Arc<Mutex<HashMap<RecordId, Bytes>>>,
}

impl InMap {
    fn new(codec: RecordCodec) -> Self {
        Self {
            codec,
            clock: Clock::manual(),
            rows: Arc::default(),
        }
    }

    /// All that the suite lets pass is over by the system's clock, which it looks at in the listing.
    fn now(&self) -> SystemTime {
        self.clock.time_of_day() - Duration::from_secs(86_400)
    }

    fn transact<T>(
        &self,
        id: &RecordId,
        take: impl FnOnce(Loaded<'_>) -> Result<Step<T>, StoreError>,
    ) -> Result<T, StoreError> {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let step = take(Loaded::new(
            &self.codec,
            id,
            rows.get(id).cloned(),
            self.now(),
        ))?;
        match step.change {
            Change::Nothing => None,
            Change::Save(saved) => rows.insert(*id, saved.octets.into()),
            Change::Remove => rows.remove(id),
        };
        Ok(step.answer)
    }
}

impl Store for InMap {
    async fn begin(&self, id: &RecordId, claim: &Claim) -> Result<Begun, StoreError> {
        self.transact(id, |loaded| loaded.begin(claim))
    }

    async fn renew(&self, id: &RecordId, claim: &Claim) -> Result<Renewed, StoreError> {
        self.transact(id, |loaded| loaded.renew(claim))
    }

    async fn complete(
        &self,
        id: &RecordId,
        claim: &Claim,
        finished: &Finished,
        ttl: Duration,
    ) -> Result<Completion, StoreError> {
        self.transact(id, |loaded| loaded.complete(claim, finished, ttl))
    }

    async fn release(&self, id: &RecordId, claim: &Claim) -> Result<Released, StoreError> {
        self.transact(id, |loaded| loaded.release(claim))
    }

    async fn inspect(&self, id: &RecordId) -> Result<Option<Record>, StoreError> {
        self.transact(id, |loaded| loaded.inspect())
    }

    async fn resolve(
        &self,
        id: &RecordId,
        seen: &AttemptId,
        verdict: &Verdict,
    ) -> Result<Resolved, StoreError> {
        self.transact(id, |loaded| loaded.resolve(seen, verdict))
    }

    async fn unknown(&self, after: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.now();
        let outcomes = rows.iter().filter_map(|(id, octets)| {
            Loaded::new(&self.codec, id, Some(octets.clone()), now).unknown()
        });
        Page::of_all(outcomes, after, limit)
    }
}

impl Harness for InMap {
    type Store = Self;

    async fn store(&self) -> Self {
        self.clone()
    }

    async fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }

    fn unit(&self) -> Duration {
        Duration::from_secs(10)
    }

    fn rounds(&self) -> usize {
        20
    }
}

#[actix_web::test]
async fn a_map_of_octets_keeps_the_contract() {
    run(&InMap::new(RecordCodec::plain())).await;
}

#[cfg(feature = "encryption")]
#[actix_web::test]
async fn a_map_of_sealed_octets_keeps_the_contract() {
    let keyring = crate::store::Keyring::new(1, [7; 32]);
    run(&InMap::new(RecordCodec::sealed(keyring))).await;
}
