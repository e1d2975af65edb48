//! A store that fails on demand: in front of a memory store it counts, delays, refuses and lies.
//! It must not know who asks.

use std::collections::{HashMap, VecDeque};
use std::future::{Future, pending};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

use futures_util::FutureExt;
use idempotency_actix::store::{
    AttemptId, Begun, Claim, Completion, Cursor, Fingerprint, Finished, Page, Record, RecordId,
    Released, Renewed, Resolved, Store, StoreError, StoreErrorKind, Verdict,
};
use idempotency_actix::{Clock, MemoryStore};
use tokio::sync::watch;

use super::counter::Counter;
use super::gate::Gate;

/// A method of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    Begin,
    Renew,
    Complete,
    Release,
    Inspect,
    Resolve,
}

const CALLS: usize = 6;

/// What happens to a call instead of what it asked for.
#[derive(Clone)]
pub enum Fault {
    /// Nothing is applied, and the answer is an error.
    Refuse(StoreErrorKind),
    /// It is applied, and the answer is an error.
    LoseReply,
    /// Nothing is applied, and there is no answer.
    Hang,
    /// It is applied, and there is no answer.
    HangApplied,
    /// The calling thread stands still for that long before it is applied.
    Block(Duration),
    /// Nothing but that a queue of faults moves on.
    Spare,
    /// It is applied when the gate lets it pass.
    Hold(Gate),
    /// It is applied, and answered when the gate lets it pass.
    HoldReply(Gate),
    /// A renewal is answered "lost".
    Lost,
    /// A begin finds the record with a fingerprint of that scheme.
    Scheme(u8),
    /// A complete finds nothing: the store lost the claim.
    Vanish,
    /// It is applied, and the store panics.
    Panic,
    /// A verdict with a whole answer is refused, and any other is applied.
    RefuseAnswers,
}

pub const DOWN: Fault = Fault::Refuse(StoreErrorKind::Unavailable);

#[derive(Clone)]
pub struct FaultyStore(Arc<Inner>);

struct Inner {
    memory: MemoryStore,
    next: Mutex<HashMap<Call, VecDeque<Fault>>>,
    always: Mutex<HashMap<Call, Fault>>,
    calls: Mutex<Vec<(Call, RecordId, Claim)>>,
    entered: [Counter; CALLS],
    answered: [Counter; CALLS],
    /// Has a receiver for everyone who wants to be told of a change.
    changes: watch::Sender<()>,
    /// Where `/proc` has the thread that renewed first, on Linux.
    renewing_thread: OnceLock<Option<std::path::PathBuf>>,
}

impl Default for FaultyStore {
    /// On the clock of this machine.
    fn default() -> Self {
        Self::new(MemoryStore::new())
    }
}

impl FaultyStore {
    /// On a clock that the test moves.
    pub fn and_clock() -> (Self, Clock) {
        let clock = Clock::manual();
        let memory = MemoryStore::builder().clock(clock.clone()).build();
        (Self::new(memory), clock)
    }

    pub fn new(memory: MemoryStore) -> Self {
        Self(Arc::new(Inner {
            memory,
            next: Mutex::default(),
            always: Mutex::default(),
            calls: Mutex::default(),
            entered: Default::default(),
            answered: Default::default(),
            changes: watch::Sender::new(()),
            renewing_thread: OnceLock::new(),
        }))
    }

    /// The next call of that kind, or the one after those that have a fault already.
    pub fn next(&self, call: Call, fault: Fault) -> &Self {
        let mut next = self.0.next.lock().unwrap();
        next.entry(call).or_default().push_back(fault);
        self
    }

    /// Every call of that kind, until `heal`.
    pub fn always(&self, call: Call, fault: Fault) -> &Self {
        self.0.always.lock().unwrap().insert(call, fault);
        self
    }

    pub fn heal(&self, call: Call) {
        self.0.always.lock().unwrap().remove(&call);
    }

    /// Rings when a call comes in.
    pub fn entered(&self, call: Call) -> &Counter {
        &self.0.entered[call as usize]
    }

    /// Rings when a call is answered.
    pub fn answered(&self, call: Call) -> &Counter {
        &self.0.answered[call as usize]
    }

    /// The record and claim of every call of that kind, in order.
    pub fn calls(&self, call: Call) -> Vec<(RecordId, Claim)> {
        let calls = self.0.calls.lock().unwrap();
        let calls = calls.iter().filter(|(other, ..)| *other == call);
        calls.map(|(_, id, claim)| (*id, claim.clone())).collect()
    }

    /// How many calls of that kind came.
    pub fn count(&self, call: Call) -> usize {
        self.calls(call).len()
    }

    /// The record that was asked for first.
    pub fn id(&self) -> RecordId {
        self.calls(Call::Begin).first().expect("a begin").0
    }

    /// How many records there are now.
    pub fn records(&self) -> usize {
        self.0.memory.len()
    }

    pub fn record(&self, id: &RecordId) -> Option<Record> {
        let record = self.0.memory.inspect(id).now_or_never();
        record.expect("memory does not wait").unwrap()
    }

    /// Decides about the attempt that the first record is of now.
    pub fn verdict(&self, verdict: &Verdict) -> Resolved {
        let id = self.id();
        let seen = self.record(&id).expect("a record to decide about").attempt;
        let resolved = self.0.memory.resolve(&id, &seen, verdict).now_or_never();
        resolved.expect("memory does not wait").unwrap()
    }

    /// How many want to be told of a change: those who wait, and have their place.
    pub fn listeners(&self) -> usize {
        self.0.changes.receiver_count()
    }

    /// Tells them all.
    pub fn tell(&self) {
        self.0.changes.send_replace(());
    }

    pub fn memory(&self) -> &MemoryStore {
        &self.0.memory
    }

    pub fn renewing_thread(&self) -> Option<std::path::PathBuf> {
        self.0.renewing_thread.get().cloned().flatten()
    }

    /// Tells whether anything still holds the store.
    pub fn watch(&self) -> impl Fn() -> bool + use<> {
        let inner: Weak<Inner> = Arc::downgrade(&self.0);
        move || inner.strong_count() > 0
    }

    fn enter(&self, call: Call, id: &RecordId, claim: &Claim) -> Option<Fault> {
        let mut calls = self.0.calls.lock().unwrap();
        calls.push((call, *id, claim.clone()));
        drop(calls);
        self.fault(call)
    }

    fn fault(&self, call: Call) -> Option<Fault> {
        let mut next = self.0.next.lock().unwrap();
        let fault = next.get_mut(&call).and_then(VecDeque::pop_front);
        drop(next);
        let fault = fault.or_else(|| self.0.always.lock().unwrap().get(&call).cloned());
        self.entered(call).next();
        fault
    }

    async fn answer<T>(
        &self,
        call: Call,
        fault: Option<Fault>,
        applied: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let answer = match fault {
            Some(Fault::Refuse(kind)) => Err(error(kind)),
            Some(Fault::LoseReply) => match applied.await {
                Ok(_) => Err(error(StoreErrorKind::Unavailable)),
                Err(error) => Err(error),
            },
            Some(Fault::Hang) => pending().await,
            Some(Fault::Panic) => {
                drop(applied.await);
                self.answered(call).next();
                panic!("the test says so");
            }
            Some(Fault::HangApplied) => {
                drop(applied.await);
                pending().await
            }
            Some(Fault::Block(time)) => {
                std::thread::sleep(time);
                applied.await
            }
            Some(Fault::Hold(gate)) => {
                gate.pass().await;
                applied.await
            }
            Some(Fault::HoldReply(gate)) => {
                let answer = applied.await;
                gate.pass().await;
                answer
            }
            Some(
                Fault::Spare
                | Fault::Lost
                | Fault::Scheme(_)
                | Fault::Vanish
                | Fault::RefuseAnswers,
            )
            | None => applied.await,
        };
        self.answered(call).next();
        answer
    }
}

fn error(kind: StoreErrorKind) -> StoreError {
    match kind {
        StoreErrorKind::Full => StoreError::full(),
        StoreErrorKind::Unreadable => StoreError::unreadable("of another age"),
        _ => StoreError::unavailable("the test says so"),
    }
}

impl Store for FaultyStore {
    async fn begin(&self, id: &RecordId, claim: &Claim) -> Result<Begun, StoreError> {
        let fault = self.enter(Call::Begin, id, claim);
        let scheme = match fault {
            Some(Fault::Scheme(scheme)) => Some(scheme),
            _ => None,
        };
        let begin = self.0.memory.begin(id, claim);
        let begun = self.answer(Call::Begin, fault, begin).await?;
        Ok(match (begun, scheme) {
            (Begun::Found(record), Some(scheme)) => {
                let fingerprint = Fingerprint::new(scheme, *record.fingerprint.digest());
                Begun::Found(Record::new(record.attempt, fingerprint, record.state))
            }
            (begun, _) => begun,
        })
    }

    async fn renew(&self, id: &RecordId, claim: &Claim) -> Result<Renewed, StoreError> {
        let thread = &self.0.renewing_thread;
        thread.get_or_init(|| std::fs::canonicalize("/proc/thread-self").ok());
        let fault = self.enter(Call::Renew, id, claim);
        if matches!(fault, Some(Fault::Lost)) {
            self.answered(Call::Renew).next();
            return Ok(Renewed::Lost);
        }
        let renew = self.0.memory.renew(id, claim);
        self.answer(Call::Renew, fault, renew).await
    }

    async fn complete(
        &self,
        id: &RecordId,
        claim: &Claim,
        finished: &Finished,
        ttl: Duration,
    ) -> Result<Completion, StoreError> {
        let fault = self.enter(Call::Complete, id, claim);
        if matches!(fault, Some(Fault::Vanish)) {
            self.0.memory.release(id, claim).await?;
        }
        let complete = self.0.memory.complete(id, claim, finished, ttl);
        self.answer(Call::Complete, fault, complete).await
    }

    async fn release(&self, id: &RecordId, claim: &Claim) -> Result<Released, StoreError> {
        let fault = self.enter(Call::Release, id, claim);
        let release = self.0.memory.release(id, claim);
        self.answer(Call::Release, fault, release).await
    }

    async fn inspect(&self, id: &RecordId) -> Result<Option<Record>, StoreError> {
        let fault = self.fault(Call::Inspect);
        let inspect = self.0.memory.inspect(id);
        self.answer(Call::Inspect, fault, inspect).await
    }

    async fn resolve(
        &self,
        id: &RecordId,
        seen: &AttemptId,
        verdict: &Verdict,
    ) -> Result<Resolved, StoreError> {
        let mut fault = self.fault(Call::Resolve);
        let is_answer = matches!(verdict, Verdict::Finished(Finished::Completed(_), _));
        if is_answer && matches!(fault, Some(Fault::RefuseAnswers)) {
            fault = Some(DOWN);
        }
        let resolve = self.0.memory.resolve(id, seen, verdict);
        self.answer(Call::Resolve, fault, resolve).await
    }

    async fn unknown(&self, after: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
        self.0.memory.unknown(after, limit).await
    }

    async fn changed(&self, _: &RecordId) {
        let mut changes = self.0.changes.subscribe();
        let _ = changes.changed().await;
    }
}
