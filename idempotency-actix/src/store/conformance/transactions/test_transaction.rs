//! Transactions of a record under test, with what is due. It knows no case and no store.

use std::future::Future;
use std::pin::pin;
use std::task::Poll;
use std::time::Instant;

use futures_util::future::poll_fn;

use super::harness::{TransactionHarness, TransactionOf};
use crate::store::conformance::test_record::{Observed, TestRecord, observed};
use crate::store::transactions::Isolation;
use crate::store::{
    Claim, Committed, Finished, Opened, Recording, RolledBack, StoreError, TransactionOptions,
    Transactions,
};

/// How often an attempt is run that is undone.
const RUNS: usize = 20;

/// What an attempt was answered.
#[derive(Debug, PartialEq)]
pub(super) enum Asked {
    Granted(u64),
    Found(Observed),
    Busy,
}

/// What a commit came to, without the error.
#[derive(Debug, PartialEq)]
pub(super) enum Ended {
    Done,
    Other,
    Again,
    Refused,
    ByHandler,
    Unclear,
}

impl Ended {
    pub(super) fn of(committed: &Committed) -> Self {
        match committed {
            Committed::Done => Self::Done,
            Committed::Other => Self::Other,
            Committed::Again(_) => Self::Again,
            Committed::Refused(_) => Self::Refused,
            Committed::Ended => Self::ByHandler,
            Committed::Unclear(_) => Self::Unclear,
        }
    }
}

impl<H: TransactionHarness> TestRecord<'_, H> {
    /// What the effects of this operation are called.
    pub(super) fn effect(&self) -> String {
        let octets = self.id.as_bytes().iter();
        octets.map(|octet| format!("{octet:02x}")).collect()
    }

    pub(super) async fn write(&self, transaction: &mut TransactionOf<H>) {
        self.harness.write(transaction, &self.effect()).await;
    }

    /// Checks how many effects of this operation are committed.
    pub(super) async fn check_effects(&self, due: usize) {
        let count = self.harness.effects(&self.effect()).await;
        self.check("effects that are committed", count, due);
    }

    /// Checks that the attempt left nothing, and that another one is granted what it did not keep.
    pub(super) async fn check_nothing_left(&self) {
        self.check_effects(0).await;
        self.check("the record", self.state().await, Observed::Absent);
        let next = self.long_claim();
        let transaction = self.granted_at_last(&next).await;
        self.check_rolled_back(transaction, RolledBack::Done).await;
    }

    pub(super) async fn try_open(
        &self,
        claim: &Claim,
        idle: u32,
    ) -> Result<Opened<TransactionOf<H>>, StoreError> {
        let options = TransactionOptions::new(self.units(idle), Isolation::Default);
        self.store.open(&self.id, claim, &options).await
    }

    /// Asks, and lets go of what is granted.
    pub(super) async fn asked(&self, claim: &Claim) -> Asked {
        match self.answered(self.try_open(claim, 64).await) {
            Opened::Claimed { generation, .. } => Asked::Granted(generation),
            Opened::Found(record) => Asked::Found(observed(record.state)),
            Opened::Busy => Asked::Busy,
        }
    }

    /// Opens a transaction where nothing else is expected.
    pub(super) async fn opened(&self, claim: &Claim, due: u64) -> TransactionOf<H> {
        let (got, transaction) = match self.answered(self.try_open(claim, 64).await) {
            Opened::Claimed {
                transaction,
                generation,
            } => (Asked::Granted(generation), Some(transaction)),
            Opened::Found(record) => (Asked::Found(observed(record.state)), None),
            Opened::Busy => (Asked::Busy, None),
        };
        self.check("open", got, Asked::Granted(due));
        transaction.expect("what was granted")
    }

    /// The same, as soon as whoever had the operation has let go of it.
    pub(super) async fn granted_at_last(&self, claim: &Claim) -> TransactionOf<H> {
        match self.settled(claim).await {
            Opened::Claimed { transaction, .. } => transaction,
            Opened::Found(record) => self.fail(format_args!(
                "open found {:?}, where nothing was recorded",
                observed(record.state)
            )),
            Opened::Busy => unreachable!("it was asked until it was not busy"),
        }
    }

    /// Opens until the operation is not busy, as the engine does after a commit whose answer was lost. What a database
    /// that lets one write at a time refuses meanwhile is asked again.
    pub(super) async fn settled(&self, claim: &Claim) -> Opened<TransactionOf<H>> {
        let until = Instant::now() + self.units(64);
        loop {
            let answer = self.try_open(claim, 64).await;
            match answer {
                Ok(Opened::Busy) | Err(_) if Instant::now() < until => {
                    tokio::task::yield_now().await;
                }
                Ok(Opened::Busy) => self.fail("the operation is busy after its attempt was over"),
                answer => return self.answered(answer),
            }
        }
    }

    pub(super) async fn commit(
        &self,
        transaction: TransactionOf<H>,
        claim: &Claim,
        finished: &Finished,
    ) -> Committed {
        let recording = Recording::new(&self.id, claim, finished, self.units(64));
        self.store.commit(transaction, Some(recording)).await
    }

    pub(super) fn check_ended(&self, what: &str, got: &Committed, due: Ended) {
        if Ended::of(got) != due {
            self.fail(format_args!("{what}: got {got:?}, due was {due:?}"));
        }
    }

    pub(super) async fn check_rolled_back(&self, transaction: TransactionOf<H>, due: RolledBack) {
        let got = self.store.roll_back(transaction).await;
        self.check("roll_back", got, due);
    }

    /// Runs attempts until one is not undone for another's sake, as the engine does. That one must have committed.
    pub(super) async fn until_done(&self, attempt: impl AsyncFn() -> Committed) {
        for _ in 0..RUNS {
            let committed = attempt().await;
            if Ended::of(&committed) != Ended::Again {
                return self.check_ended("commit", &committed, Ended::Done);
            }
        }
        self.fail(format_args!(
            "{RUNS} attempts were undone for another's sake"
        ));
    }

    /// An attempt that writes one effect and commits with that answer.
    pub(super) async fn done(&self, claim: &Claim, finished: &Finished) {
        self.until_done(async || {
            let mut transaction = self.opened(claim, claim.generation()).await;
            self.write(&mut transaction).await;
            self.commit(transaction, claim, finished).await
        })
        .await;
    }
}

/// Polls that often, and drops what is not done then.
pub(super) async fn given_up_after<T>(polls: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending if left <= 1 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}
