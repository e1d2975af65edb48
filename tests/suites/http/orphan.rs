//! The claim that a dead process leaves behind. It must not know who decides about it.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::Bytes;
use futures_util::FutureExt;
use idempotency_actix::Clock;
use idempotency_actix::store::{
    AttemptId, Claim, Completion, Finished, RecordId, Released, Renewed, Store, StoreErrorKind,
    StoredResponse,
};
use idempotency_actix_tests::app::{Call, Fault, FaultyStore, Rig};
use idempotency_actix_tests::{Response, assert_problem};

/// The lease that the dead leave behind. Half of it passes in real time in most tests here, so it is
/// short; the layers' own is 30 seconds, which none of their handlers outlives.
pub const SHORT: Duration = Duration::from_millis(200);

/// The claim of a process that died mid-handler, and whatever it does when it was not dead after all.
pub struct Orphan {
    pub id: RecordId,
    claim: Claim,
    store: FaultyStore,
    clock: Clock,
}

impl Orphan {
    /// Leaves the claim of a request behind, lapsed.
    pub fn leave(rig: &Rig, clock: &Clock, key: &str) -> Self {
        Self::leave_with(rig, clock, key, SHORT)
    }

    /// The same with a lease of its own.
    pub fn leave_with(rig: &Rig, clock: &Clock, key: &str, lease: Duration) -> Self {
        Self::of(&rig.store, clock, lease, || rig.send(key))
    }

    /// The same for whatever request a site is sent.
    pub fn of(
        store: &FaultyStore,
        clock: &Clock,
        lease: Duration,
        send: impl FnOnce() -> Response,
    ) -> Self {
        // A full store tells the test what it was asked for, and grants nothing.
        store.next(Call::Begin, Fault::Refuse(StoreErrorKind::Full));
        assert_problem(&send(), 503, "store-unavailable");
        let (id, asked) = store.calls(Call::Begin).pop().expect("a begin");
        let (token, fingerprint) = (*asked.token(), *asked.fingerprint());
        let orphan = Self {
            id,
            claim: Claim::new(token, fingerprint, lease, asked.retention()),
            store: store.clone(),
            clock: clock.clone(),
        };
        now(orphan.store.memory().begin(&id, &orphan.claim));
        orphan.lapse();
        orphan
    }

    fn lapse(&self) {
        self.pass(self.claim.lease());
    }

    /// Lets time pass for the store.
    pub fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }

    /// Renews once, and dies again.
    pub fn renew(&self) -> Renewed {
        self.clock.advance(Duration::from_millis(1));
        let renewed = now(self.store.memory().renew(&self.id, &self.claim));
        if renewed == Renewed::Alive {
            self.lapse();
        }
        renewed
    }

    /// Renews, and goes on.
    pub fn revive(&self) {
        self.clock.advance(Duration::from_millis(1));
        let renewed = now(self.store.memory().renew(&self.id, &self.claim));
        assert_eq!(renewed, Renewed::Alive);
    }

    /// Answers 201 and this body, late.
    pub fn complete(&self, body: &'static str) -> Completion {
        let body = Some(Bytes::from(body));
        let answer = StoredResponse::new(StatusCode::CREATED, [], body);
        let (memory, finished) = (self.store.memory(), Finished::Completed(answer));
        now(memory.complete(&self.id, &self.claim, &finished, Duration::from_secs(60)))
    }

    pub fn release(&self) -> Released {
        now(self.store.memory().release(&self.id, &self.claim))
    }

    /// Which attempt the record is of now.
    pub fn attempt(&self) -> Option<AttemptId> {
        self.store.record(&self.id).map(|record| record.attempt)
    }
}

fn now<T, E: std::fmt::Debug>(step: impl Future<Output = Result<T, E>>) -> T {
    step.now_or_never().expect("memory does not wait").unwrap()
}

/// The first look at a lapsed claim, and the time after which the next one is half a lease later.
pub fn look(rig: &Rig, key: &str) {
    rig.assert_in_flight(key);
    std::thread::sleep(SHORT / 2);
}
