//! The store in memory, on a clock that the suite moves.

use std::time::Duration;

use idempotency_actix::store::conformance::Harness;
use idempotency_actix::{Clock, MemoryStore};

struct InMemory(Clock);

impl Harness for InMemory {
    type Store = MemoryStore;

    async fn store(&self) -> MemoryStore {
        MemoryStore::builder().clock(self.0.clone()).build()
    }

    async fn pass(&self, time: Duration) {
        self.0.advance(time);
    }

    fn unit(&self) -> Duration {
        Duration::from_secs(10)
    }

    fn rounds(&self) -> usize {
        2_000
    }
}

idempotency_actix::conformance_tests!(
    #[actix_web::test]
    InMemory(Clock::manual())
);
