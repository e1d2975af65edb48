//! Cases about commits of which nobody knows, and owners that stand still. They know no store.

use super::harness::TransactionHarness;
use super::test_transaction::{Ended, given_up_after};
use crate::store::conformance::test_record::{Observed, TestRecord, answer, observed};
use crate::store::{Opened, RolledBack};

/// More often than a commit has anything to wait for.
const POLLS: usize = 12;

pub(super) async fn a_committed_attempt_is_found_by_its_own_claim<H: TransactionHarness>(
    t: TestRecord<'_, H>,
) {
    let claim = t.long_claim();
    t.done(&claim, &answer("first")).await;
    match t.answered(t.try_open(&claim, 64).await) {
        Opened::Found(record) => {
            let is_own = record.attempt.is_of(claim.token());
            t.check("it is told by its token", is_own, true);
            let found = Observed::Finished(answer("first"));
            t.check("open", observed(record.state), found);
        }
        Opened::Claimed { .. } => t.fail("a committed attempt was granted again"),
        Opened::Busy => t.fail("a committed attempt is busy"),
    }
}

pub(super) async fn an_attempt_that_left_nothing_is_granted_again<H: TransactionHarness>(
    t: TestRecord<'_, H>,
) {
    let claim = t.long_claim();
    let mut transaction = t.opened(&claim, 1).await;
    t.write(&mut transaction).await;
    t.check_rolled_back(transaction, RolledBack::Done).await;
    t.done(&claim, &answer("second")).await;
    t.check_effects(1).await;
}

pub(super) async fn a_commit_that_was_given_up_on_is_settled<H: TransactionHarness>(
    t: TestRecord<'_, H>,
) {
    for polls in 1..=POLLS {
        let (operation, claim, finished) = (t.another(), t.long_claim(), answer("first"));
        let mut transaction = operation.opened(&claim, 1).await;
        operation.write(&mut transaction).await;
        let commit = operation.commit(transaction, &claim, &finished);
        let committed = given_up_after(polls, commit).await;
        match operation.settled(&claim).await {
            Opened::Found(record) => {
                let is_own = record.attempt.is_of(claim.token());
                t.check("the record is its own", is_own, true);
                operation.check_effects(1).await;
            }
            Opened::Claimed { transaction, .. } => {
                t.check("a commit was told", committed.is_some(), false);
                operation.check_effects(0).await;
                t.check_rolled_back(transaction, RolledBack::Done).await;
                operation.check_effects(0).await;
            }
            Opened::Busy => unreachable!("it was asked until it was not busy"),
        }
    }
}

pub(super) async fn an_owner_that_stands_still_loses_the_operation<H: TransactionHarness>(
    t: TestRecord<'_, H>,
) {
    if !t.harness.ends_what_is_idle() {
        return;
    }
    let (claim, other) = (t.long_claim(), t.long_claim());
    let Opened::Claimed {
        mut transaction, ..
    } = t.answered(t.try_open(&claim, 1).await)
    else {
        t.fail("open was not granted");
    };
    t.write(&mut transaction).await;
    t.pass(3).await;
    t.done(&other, &answer("other")).await;
    let committed = t.commit(transaction, &claim, &answer("late")).await;
    let is_done = Ended::of(&committed) == Ended::Done;
    t.check("a late commit is done", is_done, false);
    t.check_effects(1).await;
    let stands = Observed::Finished(answer("other"));
    t.check("after it", t.state().await, stands);
}
