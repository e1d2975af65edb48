//! Runs calls at the same moment, on threads. It does not know what they race for.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use futures_util::future::{BoxFuture, join_all};
use tokio::runtime::{Builder, Handle};
use tokio::sync::{Mutex, MutexGuard, oneshot};

use super::Harness;
use super::test_record::TestRecord;
use crate::store::StoreError;

/// A call, and whether it won.
pub(super) type Call = BoxFuture<'static, Result<bool, StoreError>>;

/// Waits until no other case of this process runs a race, for as long as the answer is held:
/// contenders that have to share their cores with those of another case never meet.
pub(super) async fn alone() -> MutexGuard<'static, ()> {
    static TRACK: Mutex<()> = Mutex::const_new(());
    TRACK.lock().await
}

/// Runs the calls of every contender on a thread of its own, all contenders' first calls at once,
/// then all second ones. Returns who won, round by round.
pub(super) async fn race<H: Harness>(
    t: &TestRecord<'_, H>,
    calls: Vec<Vec<Call>>,
) -> Vec<Vec<bool>> {
    let gate = Arc::new(Gate {
        contenders: calls.len(),
        arrivals: AtomicUsize::new(0),
    });
    let runs = calls.into_iter().map(|calls| run(Arc::clone(&gate), calls));
    let mut rounds = Vec::new();
    for contender in join_all(runs).await {
        let contender = contender.unwrap_or_else(|_| t.fail("the store panicked"));
        rounds.resize_with(contender.len(), Vec::new);
        for (round, won) in rounds.iter_mut().zip(contender) {
            round.push(t.answered(won));
        }
    }
    rounds
}

fn run(gate: Arc<Gate>, calls: Vec<Call>) -> oneshot::Receiver<Vec<Result<bool, StoreError>>> {
    let (done, result) = oneshot::channel();
    let runtime = Handle::try_current();
    thread::spawn(move || {
        let _opener = Opener(&gate);
        let all = async {
            let mut won = Vec::new();
            for (round, call) in calls.into_iter().enumerate() {
                gate.wait(round);
                won.push(call.await);
            }
            won
        };
        let won = match runtime {
            Ok(runtime) => runtime.block_on(all),
            Err(_) => Builder::new_current_thread()
                .build()
                .expect("a runtime without drivers needs nothing from the system")
                .block_on(all),
        };
        // Nobody listens where another contender has failed the case.
        let _ = done.send(won);
    });
    result
}

/// Lets contenders through when all have come. They spin, since a thread that is woken comes too late
/// to meet the others.
struct Gate {
    contenders: usize,
    arrivals: AtomicUsize,
}

impl Gate {
    fn wait(&self, round: usize) {
        self.arrivals.fetch_add(1, Ordering::AcqRel);
        while self.arrivals.load(Ordering::Acquire) < self.contenders * (round + 1) {
            thread::yield_now();
        }
    }
}

/// Opens the gate for good when a contender leaves, so that a panic holds up nobody.
struct Opener<'a>(&'a Gate);

impl Drop for Opener<'_> {
    fn drop(&mut self) {
        self.0
            .arrivals
            .fetch_or(1 << (usize::BITS - 1), Ordering::AcqRel);
    }
}
