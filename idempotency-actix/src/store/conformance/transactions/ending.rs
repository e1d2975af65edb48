//! Cases about transactions that end otherwise than by a commit of the store's. They know no store.

use std::thread;

use tokio::runtime::Builder;

use super::harness::{TransactionHarness, TransactionOf};
use super::test_transaction::{Ended, given_up_after};
use crate::store::conformance::test_record::{Observed, TestRecord, answer};
use crate::store::transactions::Isolation;
use crate::store::{Claim, Committed, Recording, RolledBack, TransactionOptions, Transactions};

/// More often than opening has anything to wait for.
const POLLS: usize = 12;

pub(super) async fn a_failed_statement_is_no_success<H: TransactionHarness>(t: TestRecord<'_, H>) {
    for attempt in [Attempt::Recorded, Attempt::Plain] {
        let (operation, claim) = (t.another(), t.long_claim());
        let mut transaction = attempt.open(&operation, &claim).await;
        operation.write(&mut transaction).await;
        t.harness.fail(&mut transaction).await;
        let committed = attempt.commit(&operation, transaction, &claim).await;
        t.check_ended("commit", &committed, Ended::Refused);
        operation.check_nothing_left().await;
    }
}

pub(super) async fn what_the_handler_ended_shows_at_the_commit<H: TransactionHarness>(
    t: TestRecord<'_, H>,
) {
    for attempt in [Attempt::Recorded, Attempt::Plain] {
        let (operation, later, claim) = (t.another(), t.another(), t.long_claim());
        let transaction = attempt.ended(&operation, &later, &claim).await;
        let committed = attempt.commit(&operation, transaction, &claim).await;
        t.check_ended("commit", &committed, Ended::ByHandler);
        check_ended_by_handler(&operation, &later).await;
    }
}

pub(super) async fn what_the_handler_ended_shows_at_the_rollback<H: TransactionHarness>(
    t: TestRecord<'_, H>,
) {
    for attempt in [Attempt::Recorded, Attempt::Plain] {
        let (operation, later, claim) = (t.another(), t.another(), t.long_claim());
        let transaction = attempt.ended(&operation, &later, &claim).await;
        t.check_rolled_back(transaction, RolledBack::Ended).await;
        check_ended_by_handler(&operation, &later).await;
    }
}

/// Its effect is there, its record is not, and what came later is neither.
async fn check_ended_by_handler<H: TransactionHarness>(
    operation: &TestRecord<'_, H>,
    later: &TestRecord<'_, H>,
) {
    operation.check_effects(1).await;
    operation.check("the record", operation.state().await, Observed::Absent);
    later.check_nothing_left().await;
}

/// With a key, or without.
#[derive(Clone, Copy)]
enum Attempt {
    Recorded,
    Plain,
}

impl Attempt {
    async fn open<H: TransactionHarness>(
        self,
        t: &TestRecord<'_, H>,
        claim: &Claim,
    ) -> TransactionOf<H> {
        let options = TransactionOptions::new(t.units(64), Isolation::Default);
        match self {
            Self::Recorded => t.opened(claim, 1).await,
            Self::Plain => t.answered(t.store.open_plain(&options).await),
        }
    }

    async fn commit<H: TransactionHarness>(
        self,
        t: &TestRecord<'_, H>,
        transaction: TransactionOf<H>,
        claim: &Claim,
    ) -> Committed {
        let finished = answer("first");
        let recording = Recording::new(&t.id, claim, &finished, t.units(64));
        let recording = match self {
            Self::Recorded => Some(recording),
            Self::Plain => None,
        };
        t.store.commit(transaction, recording).await
    }

    /// One that its handler has ended, and begun anew.
    async fn ended<H: TransactionHarness>(
        self,
        t: &TestRecord<'_, H>,
        later: &TestRecord<'_, H>,
        claim: &Claim,
    ) -> TransactionOf<H> {
        let mut transaction = self.open(t, claim).await;
        t.write(&mut transaction).await;
        t.harness.end(&mut transaction).await;
        later.write(&mut transaction).await;
        transaction
    }
}

pub(super) async fn a_rollback_leaves_nothing<H: TransactionHarness>(t: TestRecord<'_, H>) {
    let mut transaction = t.opened(&t.long_claim(), 1).await;
    t.write(&mut transaction).await;
    t.check_rolled_back(transaction, RolledBack::Done).await;
    t.check_nothing_left().await;
}

pub(super) async fn a_transaction_that_is_dropped_leaves_nothing<H: TransactionHarness>(
    t: TestRecord<'_, H>,
) {
    let mut transaction = t.opened(&t.long_claim(), 1).await;
    t.write(&mut transaction).await;
    drop(transaction);
    t.check_nothing_left().await;
}

pub(super) async fn a_transaction_that_outlives_its_runtime_leaves_nothing<
    H: TransactionHarness,
>(
    t: TestRecord<'_, H>,
) {
    let run = || {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let transaction = runtime.block_on(async {
            let t = TestRecord::new(t.harness, t.rule).await.on(t.id);
            let mut transaction = t.opened(&t.long_claim(), 1).await;
            t.write(&mut transaction).await;
            transaction
        });
        drop(runtime);
        drop(transaction);
    };
    // A store of its own, since nobody drives what others wait for while this thread does.
    let ended = thread::scope(|scope| scope.spawn(run).join());
    t.check("a panic of the drop", ended.is_err(), false);
    t.check_nothing_left().await;
}

pub(super) async fn an_open_that_is_given_up_on_leaves_nothing<H: TransactionHarness>(
    t: TestRecord<'_, H>,
) {
    for polls in 1..=POLLS {
        let operation = t.another();
        let claim = t.long_claim();
        drop(given_up_after(polls, operation.try_open(&claim, 64)).await);
        operation.check_nothing_left().await;
    }
}

pub(super) async fn a_rollback_that_is_given_up_on_leaves_nothing<H: TransactionHarness>(
    t: TestRecord<'_, H>,
) {
    for polls in 1..=POLLS {
        let operation = t.another();
        let mut transaction = operation.opened(&t.long_claim(), 1).await;
        operation.write(&mut transaction).await;
        given_up_after(polls, t.store.roll_back(transaction)).await;
        operation.check_nothing_left().await;
    }
}
