//! Cases about who is granted an operation. They know no store.

use std::time::Instant;

use futures_util::future::join_all;

use super::harness::TransactionHarness;
use super::test_transaction::{Asked, Ended};
use crate::store::conformance::test_record::{Observed, TestRecord, answer};
use crate::store::{Finished, NotKept, Opened, Resolved, RolledBack, Verdict};

const CONTENDERS: usize = 4;

/// More than a store has connections, for which a test's pool is small.
const MANY: usize = 40;

pub(super) async fn an_operation_without_a_record_is_granted<H: TransactionHarness>(
    t: TestRecord<'_, H>,
) {
    let transaction = t.opened(&t.long_claim(), 1).await;
    t.check("the record meanwhile", t.state().await, Observed::Absent);
    t.check_rolled_back(transaction, RolledBack::Done).await;
}

pub(super) async fn a_running_operation_is_busy_at_once<H: TransactionHarness>(
    t: TestRecord<'_, H>,
) {
    let (claim, other) = (t.long_claim(), t.long_claim());
    let mut transaction = t.opened(&claim, 1).await;
    t.write(&mut transaction).await;
    for (who, claim) in [("another claim", &other), ("the same claim", &claim)] {
        let asked = Instant::now();
        t.check(who, t.asked(claim).await, Asked::Busy);
        let is_at_once = asked.elapsed() <= t.units(1);
        t.check("it is told within a unit", is_at_once, true);
    }
    t.check_rolled_back(transaction, RolledBack::Done).await;
    let over = t.asked(&other).await;
    t.check("after it", over, Asked::Granted(1));
}

pub(super) async fn operations_are_apart<H: TransactionHarness>(t: TestRecord<'_, H>) {
    let (one, two) = (t.another(), t.another());
    one.done(&t.long_claim(), &answer("one")).await;
    two.done(&t.long_claim(), &answer("two")).await;
    for (operation, tag) in [(&one, "one"), (&two, "two")] {
        let found = Asked::Found(Observed::Finished(answer(tag)));
        t.check(tag, operation.asked(&t.long_claim()).await, found);
        operation.check_effects(1).await;
    }
}

pub(super) async fn a_claim_of_a_plain_handler_is_found<H: TransactionHarness>(
    t: TestRecord<'_, H>,
) {
    let plain = t.long_claim();
    t.granted(&plain, 1).await;
    for (who, claim) in [("another claim", &t.long_claim()), ("the same", &plain)] {
        let found = Asked::Found(Observed::InFlight);
        t.check(who, t.asked(claim).await, found);
    }
    t.release(&plain).await;
    let released = t.asked(&t.long_claim()).await;
    t.check("after its release", released, Asked::Granted(1));
}

pub(super) async fn an_unknown_outcome_is_found<H: TransactionHarness>(t: TestRecord<'_, H>) {
    t.unknown().await;
    let found = Asked::Found(Observed::Unknown);
    t.check("open", t.asked(&t.long_claim()).await, found);
}

pub(super) async fn an_answer_of_a_plain_handler_is_found<H: TransactionHarness>(
    t: TestRecord<'_, H>,
) {
    let not_kept = Finished::NotKept(NotKept::new(201, None));
    for finished in [answer("plain"), not_kept] {
        let (operation, claim) = (t.another(), t.long_claim());
        operation.granted(&claim, 1).await;
        operation.complete(&claim, &finished).await;
        let found = Asked::Found(Observed::Finished(finished));
        t.check("open", operation.asked(&t.long_claim()).await, found);
    }
}

pub(super) async fn what_is_not_granted_leaves_nothing_open<H: TransactionHarness>(
    t: TestRecord<'_, H>,
) {
    let (done, running, last) = (t.another(), t.another(), t.another());
    done.done(&t.long_claim(), &answer("first")).await;
    let transaction = running.opened(&t.long_claim(), 1).await;
    for _ in 0..MANY {
        let found = Asked::Found(Observed::Finished(answer("first")));
        t.check("of a record", done.asked(&t.long_claim()).await, found);
        let busy = running.asked(&t.long_claim()).await;
        t.check("of a running operation", busy, Asked::Busy);
    }
    t.check_rolled_back(transaction, RolledBack::Done).await;
    last.done(&t.long_claim(), &answer("last")).await;
}

/// Whoever is granted an operation sees what the one before has left.
pub(super) async fn of_concurrent_attempts_one_commits<H: TransactionHarness>(
    t: TestRecord<'_, H>,
) {
    for _ in 0..t.rounds() {
        let operation = t.another();
        let attempts = (0..CONTENDERS).map(|_| attempt(&operation));
        let committed = join_all(attempts).await;
        let count = committed.iter().filter(|committed| **committed).count();
        t.check("attempts of four that committed", count, 1);
        operation.check_effects(1).await;
    }
}

async fn attempt<H: TransactionHarness>(t: &TestRecord<'_, H>) -> bool {
    let claim = t.long_claim();
    loop {
        let Opened::Claimed {
            mut transaction, ..
        } = t.settled(&claim).await
        else {
            return false;
        };
        t.check("beside a grant", t.state().await, Observed::Absent);
        t.write(&mut transaction).await;
        let committed = t.commit(transaction, &claim, &answer("first")).await;
        if Ended::of(&committed) != Ended::Again {
            t.check_ended("commit", &committed, Ended::Done);
            return true;
        }
    }
}

pub(super) async fn a_remembered_generation_is_gone_beyond<H: TransactionHarness>(
    t: TestRecord<'_, H>,
) {
    let second = t.long_claim();
    t.take_over(&second).await;
    t.release(&second).await;
    let claim = t.long_claim();
    t.until_done(async || {
        let transaction = t.opened(&claim, 3).await;
        let claim = claim.clone().with_generation(3);
        t.commit(transaction, &claim, &answer("third")).await
    })
    .await;
    t.check("its generation", t.record().await.attempt.generation(), 3);
}

pub(super) async fn the_generation_of_a_forgotten_answer_is_gone_beyond<H: TransactionHarness>(
    t: TestRecord<'_, H>,
) {
    t.done(&t.long_claim(), &answer("wrong")).await;
    let seen = t.record().await.attempt;
    let resolved = t.resolve(&seen, &Verdict::Forget).await;
    t.check("forget", resolved, Resolved::Done);
    let asked = t.asked(&t.long_claim()).await;
    t.check("after it", asked, Asked::Granted(2));
}
