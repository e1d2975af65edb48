//! A record under test: the calls on it, with what is due. It knows no case and no store.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{ETAG, HeaderValue};
use actix_web::web::Bytes;

use super::Harness;
use crate::store::{
    AttemptId, Begun, Claim, Completion, Fingerprint, Finished, Record, RecordId, Released,
    Renewed, Resolved, State, Store, StoreError, StoredResponse, Token, Verdict,
};

/// A case at work on a record of its own. Times are in units of the harness.
pub(super) struct TestRecord<'h, H: Harness> {
    pub(super) harness: &'h H,
    pub(super) rule: &'static str,
    pub(super) store: Arc<H::Store>,
    pub(super) id: RecordId,
}

/// A record's state, in a form that can be compared.
#[derive(Debug, PartialEq)]
pub(super) enum Observed {
    Absent,
    InFlight,
    Unknown,
    Finished(Finished),
}

/// What a claim was answered.
#[derive(Debug, PartialEq)]
pub(super) enum Got {
    Granted(u64),
    Found(Observed),
}

impl<'h, H: Harness> TestRecord<'h, H> {
    pub(super) async fn new(harness: &'h H, rule: &'static str) -> Self {
        Self {
            harness,
            rule,
            store: Arc::new(harness.store().await),
            id: RecordId::from_bytes(random()),
        }
    }

    /// The same case at work on another record.
    pub(super) fn another(&self) -> Self {
        self.on(RecordId::from_bytes(random()))
    }

    pub(super) fn on(&self, id: RecordId) -> Self {
        Self {
            store: Arc::clone(&self.store),
            id,
            ..*self
        }
    }

    pub(super) fn fail(&self, what: impl fmt::Display) -> ! {
        panic!("{}: {what}", self.rule);
    }

    pub(super) fn check<T: fmt::Debug + PartialEq>(&self, what: &str, got: T, due: T) {
        if got != due {
            self.fail(format_args!("{what}: got {got:?}, due was {due:?}"));
        }
    }

    pub(super) fn answered<T>(&self, answer: Result<T, StoreError>) -> T {
        answer.unwrap_or_else(|error| self.fail(format_args!("the store failed: {error:?}")))
    }

    pub(super) fn units(&self, units: u32) -> Duration {
        self.harness.unit() * units
    }

    pub(super) fn rounds(&self) -> usize {
        self.harness.rounds()
    }

    pub(super) async fn pass(&self, units: u32) {
        self.harness.pass(self.units(units)).await;
    }

    /// Until a claim of one unit's lease is unknown.
    pub(super) async fn pass_lease(&self) {
        self.pass(2).await;
    }

    /// A new claim with a lease of one unit, to be kept for long.
    pub(super) fn claim(&self) -> Claim {
        self.claim_for(1, 64)
    }

    pub(super) fn claim_for(&self, lease: u32, retention: u32) -> Claim {
        Claim::new(
            Token::random(),
            fingerprint(),
            self.units(lease),
            self.units(retention),
        )
    }

    /// A new claim of which nothing lapses while the case runs.
    pub(super) fn long_claim(&self) -> Claim {
        self.claim_for(64, 128)
    }

    /// A claim of the same token that says something else in all other fields.
    pub(super) fn altered(&self, claim: &Claim, lease: u32) -> Claim {
        let lease = self.units(lease);
        Claim::new(*claim.token(), fingerprint(), lease, lease * 2).with_generation(9)
    }

    pub(super) fn verdicts(&self) -> [Verdict; 4] {
        [
            Verdict::Finished(answer("verdict"), self.units(64)),
            Verdict::NotExecuted,
            Verdict::TakeOver(self.claim()),
            Verdict::Forget,
        ]
    }

    pub(super) async fn begin(&self, claim: &Claim) -> Got {
        match self.answered(self.store.begin(&self.id, claim).await) {
            Begun::Claimed { generation } => Got::Granted(generation),
            Begun::Found(record) => Got::Found(observed(record.state)),
        }
    }

    /// Begins where nothing else is expected than that it is granted.
    pub(super) async fn granted(&self, claim: &Claim, generation: u64) {
        let got = self.begin(claim).await;
        self.check("begin", got, Got::Granted(generation));
    }

    pub(super) async fn found(&self, claim: &Claim) -> Record {
        match self.answered(self.store.begin(&self.id, claim).await) {
            Begun::Found(record) => record,
            Begun::Claimed { generation } => {
                self.fail(format_args!("begin was granted at {generation}, not found"))
            }
        }
    }

    pub(super) async fn renew(&self, claim: &Claim) -> Renewed {
        self.answered(self.store.renew(&self.id, claim).await)
    }

    pub(super) async fn complete(&self, claim: &Claim, finished: &Finished) -> Completion {
        self.complete_for(claim, finished, 64).await
    }

    pub(super) async fn complete_for(
        &self,
        claim: &Claim,
        finished: &Finished,
        ttl: u32,
    ) -> Completion {
        let ttl = self.units(ttl);
        self.answered(self.store.complete(&self.id, claim, finished, ttl).await)
    }

    pub(super) async fn release(&self, claim: &Claim) -> Released {
        self.answered(self.store.release(&self.id, claim).await)
    }

    pub(super) async fn resolve(&self, seen: &AttemptId, verdict: &Verdict) -> Resolved {
        self.answered(self.store.resolve(&self.id, seen, verdict).await)
    }

    pub(super) async fn state(&self) -> Observed {
        let record = self.answered(self.store.inspect(&self.id).await);
        record.map_or(Observed::Absent, |record| observed(record.state))
    }

    pub(super) async fn record(&self) -> Record {
        let record = self.answered(self.store.inspect(&self.id).await);
        record.unwrap_or_else(|| self.fail("the record is absent"))
    }

    /// Leaves a new claim without a sign of life until its outcome is unknown.
    pub(super) async fn unknown(&self) -> (Claim, AttemptId) {
        let claim = self.claim();
        self.granted(&claim, 1).await;
        self.pass_lease().await;
        (claim, self.unknown_attempt().await)
    }

    pub(super) async fn unknown_attempt(&self) -> AttemptId {
        let record = self.record().await;
        self.check("a lapsed claim", observed(record.state), Observed::Unknown);
        record.attempt
    }

    /// A claim of generation 1 taken over by this one.
    pub(super) async fn take_over(&self, by: &Claim) -> Claim {
        let (first, attempt) = self.unknown().await;
        let verdict = Verdict::TakeOver(by.clone());
        let resolved = self.resolve(&attempt, &verdict).await;
        self.check("a takeover", resolved, Resolved::Done);
        first
    }
}

pub(super) fn observed(state: State) -> Observed {
    match state {
        State::InFlight => Observed::InFlight,
        State::Unknown { .. } => Observed::Unknown,
        State::Finished(finished) => Observed::Finished(finished),
    }
}

/// An answer that is told from others by its tag.
pub(super) fn answer(tag: &'static str) -> Finished {
    Finished::Completed(StoredResponse::new(
        StatusCode::CREATED,
        [(ETAG, HeaderValue::from_static(tag))],
        Some(Bytes::from_static(tag.as_bytes())),
    ))
}

fn fingerprint() -> Fingerprint {
    Fingerprint::new(Fingerprint::BYTES, random())
}

fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[..16].copy_from_slice(Token::random().as_bytes());
    bytes[16..].copy_from_slice(Token::random().as_bytes());
    bytes
}
