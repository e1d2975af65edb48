//! Cases about what a commit leaves. They know no store.

use std::pin::pin;

use futures_util::future::{Either, select};

use super::harness::TransactionHarness;
use super::test_transaction::{Asked, Ended};
use crate::store::conformance::test_record::{Got, Observed, TestRecord, answer};
use crate::store::transactions::Isolation;
use crate::store::{
    Completion, Finished, NotKept, Recording, RolledBack, Store, TransactionOptions, Transactions,
};

pub(super) async fn effect_and_record_commit_together<H: TransactionHarness>(t: TestRecord<'_, H>) {
    let claim = t.long_claim();
    t.until_done(async || {
        let mut transaction = t.opened(&claim, 1).await;
        t.write(&mut transaction).await;
        t.check("the record before", t.state().await, Observed::Absent);
        t.check_effects(0).await;
        t.commit(transaction, &claim, &answer("first")).await
    })
    .await;
    let record = t.record().await;
    t.check("its request", record.fingerprint, *claim.fingerprint());
    t.check("its generation", record.attempt.generation(), 1);
    t.check_effects(1).await;
    let got = t.begin(&t.long_claim()).await;
    let due = Got::Found(Observed::Finished(answer("first")));
    t.check("a claim of a plain handler", got, due);
}

pub(super) async fn an_answer_may_be_recorded_and_not_kept<H: TransactionHarness>(
    t: TestRecord<'_, H>,
) {
    let location = Some(b"/charges/1".to_vec());
    let not_kept = Finished::NotKept(NotKept::new(201, location));
    t.done(&t.long_claim(), &not_kept).await;
    t.check("after it", t.state().await, Observed::Finished(not_kept));
}

pub(super) async fn a_recorded_answer_is_over_after_its_ttl<H: TransactionHarness>(
    t: TestRecord<'_, H>,
) {
    let (claim, finished) = (t.long_claim(), answer("first"));
    t.until_done(async || {
        let transaction = t.opened(&claim, 1).await;
        let recording = Recording::new(&t.id, &claim, &finished, t.units(4));
        t.store.commit(transaction, Some(recording)).await
    })
    .await;
    t.pass(2).await;
    let found = Observed::Finished(answer("first"));
    t.check("after half of its ttl", t.state().await, found);
    t.pass(3).await;
    let asked = t.asked(&t.long_claim()).await;
    t.check("after 5 units of a ttl of 4", asked, Asked::Granted(1));
}

/// Where the database lets one transaction write at a time, the other attempt comes second, and is refused.
pub(super) async fn a_lost_race_leaves_nothing<H: TransactionHarness>(t: TestRecord<'_, H>) {
    let (claim, other, late) = (t.long_claim(), t.long_claim(), answer("other"));
    let mut transaction = t.opened(&claim, 1).await;
    t.write(&mut transaction).await;
    let mut recorded = pin!(t.store.complete(&t.id, &other, &late, t.units(64)));
    match select(recorded.as_mut(), pin!(t.pass(1))).await {
        Either::Left((completion, _)) => {
            t.check(
                "the other one's answer",
                t.answered(completion),
                Completion::RecordedAbsent,
            );
            let committed = t.commit(transaction, &claim, &answer("first")).await;
            // Run again, it would find the other one's answer.
            if Ended::of(&committed) != Ended::Again {
                t.check_ended("commit", &committed, Ended::Other);
            }
            t.check_effects(0).await;
            let stands = Observed::Finished(answer("other"));
            t.check("after it", t.state().await, stands);
        }
        Either::Right(_) => {
            let committed = t.commit(transaction, &claim, &answer("first")).await;
            t.check_ended("commit", &committed, Ended::Done);
            let completion = t.answered(recorded.await);
            t.check("the other one's answer", completion, Completion::Refused);
            t.check_effects(1).await;
            let stands = Observed::Finished(answer("first"));
            t.check("after it", t.state().await, stands);
        }
    }
}

pub(super) async fn a_plain_transaction_leaves_its_effect_alone<H: TransactionHarness>(
    t: TestRecord<'_, H>,
) {
    let options = TransactionOptions::new(t.units(64), Isolation::Default);
    let written = async || {
        let mut transaction = t.answered(t.store.open_plain(&options).await);
        t.write(&mut transaction).await;
        t.check_effects(0).await;
        transaction
    };
    t.check_rolled_back(written().await, RolledBack::Done).await;
    t.check_effects(0).await;
    t.until_done(async || t.store.commit(written().await, None).await)
        .await;
    t.check_effects(1).await;
    t.check("the record", t.state().await, Observed::Absent);
}
