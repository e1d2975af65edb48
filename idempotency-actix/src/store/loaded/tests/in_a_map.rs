//! A map of octets passes the suite by load and save alone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::*;
use crate::Clock;
use crate::store::LoadAndSave;
use crate::store::conformance::{Harness, run};

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
}

impl LoadAndSave for InMap {
    async fn step<T: Send + 'static>(
        &self,
        id: &RecordId,
        take: impl Fn(Loaded<'_>) -> Result<Step<T>, StoreError> + Send + Sync + 'static,
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

    async fn outcomes(&self) -> Result<Vec<UnknownOutcome>, StoreError> {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.now();
        let loaded = rows
            .iter()
            .map(|(id, octets)| Loaded::new(&self.codec, id, Some(octets.clone()), now));
        Ok(loaded.filter_map(|loaded| loaded.unknown()).collect())
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
