//! Cases about generations that outlive their claims. They know no store.

use super::Harness;
use super::test_record::{Observed, TestRecord, answer};
use crate::store::{Completion, Released, Renewed, Resolved, Verdict};

pub(super) async fn a_release_above_generation_1_is_remembered<H: Harness>(t: TestRecord<'_, H>) {
    let second = t.long_claim();
    t.take_over(&second).await;
    t.check("release", t.release(&second).await, Released::Released);
    t.check("after it", t.state().await, Observed::Absent);
    let third = t.long_claim();
    t.granted(&third, 3).await;
    t.granted(&third, 3).await;
    t.check("its generation", t.record().await.attempt.generation(), 3);
}

pub(super) async fn a_release_of_a_fenced_claim_is_remembered<H: Harness>(t: TestRecord<'_, H>) {
    let first = t.long_claim().fenced();
    t.granted(&first, 1).await;
    t.check("release", t.release(&first).await, Released::Released);
    t.check("after it", t.state().await, Observed::Absent);
    let late = t.complete(&first, &answer("late")).await;
    t.check("complete", late, Completion::Refused);
    t.granted(&t.long_claim(), 2).await;
}

pub(super) async fn not_executed_above_generation_1_is_remembered<H: Harness>(
    t: TestRecord<'_, H>,
) {
    t.take_over(&t.claim()).await;
    t.pass_lease().await;
    let attempt = t.unknown_attempt().await;
    let resolved = t.resolve(&attempt, &Verdict::NotExecuted).await;
    t.check("resolve", resolved, Resolved::Done);
    t.check("after it", t.state().await, Observed::Absent);
    t.granted(&t.long_claim(), 3).await;
}

pub(super) async fn what_is_remembered_is_absent_to_every_call<H: Harness>(t: TestRecord<'_, H>) {
    let second = t.claim();
    t.take_over(&second).await;
    t.pass_lease().await;
    let attempt = t.unknown_attempt().await;
    t.release(&second).await;
    t.check("renew", t.renew(&second).await, Renewed::Lost);
    t.check("release", t.release(&second).await, Released::NotOwner);
    for verdict in t.verdicts() {
        let resolved = t.resolve(&attempt, &verdict).await;
        t.check(&format!("{verdict:?}"), resolved, Resolved::Refused);
    }
    t.check("after all", t.state().await, Observed::Absent);
    t.granted(&second, 3).await;
}

pub(super) async fn an_answer_at_or_below_what_is_remembered_is_refused<H: Harness>(
    t: TestRecord<'_, H>,
) {
    let second = t.long_claim();
    let first = t.take_over(&second).await;
    let second = second.with_generation(2);
    t.release(&second).await;
    for (what, claim) in [("generation 1", &first), ("generation 2", &second)] {
        let completion = t.complete(claim, &answer("late")).await;
        t.check(what, completion, Completion::Refused);
        t.check("after it", t.state().await, Observed::Absent);
    }
    t.granted(&t.long_claim(), 3).await;
}

pub(super) async fn an_answer_above_what_is_remembered_is_stored<H: Harness>(t: TestRecord<'_, H>) {
    let second = t.long_claim();
    t.take_over(&second).await;
    t.release(&second).await;
    let third = t.long_claim().with_generation(3);
    let completion = t.complete(&third, &answer("third")).await;
    t.check("complete", completion, Completion::RecordedAbsent);
    t.check(
        "after it",
        t.state().await,
        Observed::Finished(answer("third")),
    );
    let record = t.record().await;
    t.check("its generation", record.attempt.generation(), 3);
    t.check("its fingerprint", record.fingerprint, *third.fingerprint());
    let completion = t.complete(&third, &answer("again")).await;
    t.check("the second complete", completion, Completion::Recorded);
}

pub(super) async fn generations_rise_through_takeovers_and_releases<H: Harness>(
    t: TestRecord<'_, H>,
) {
    let second = t.claim();
    t.take_over(&second).await;
    t.release(&second).await;
    t.granted(&t.claim(), 3).await;
    t.pass_lease().await;
    let attempt = t.unknown_attempt().await;
    let fourth = t.claim();
    t.resolve(&attempt, &Verdict::TakeOver(fourth.clone()))
        .await;
    t.check("the takeover", t.record().await.attempt.generation(), 4);
    t.release(&fourth).await;
    let fifth = t.claim();
    t.granted(&fifth, 5).await;
    t.complete(&fifth, &answer("fifth")).await;
    t.check("the answer", t.record().await.attempt.generation(), 5);
}

pub(super) async fn a_generation_is_remembered_for_the_retention<H: Harness>(t: TestRecord<'_, H>) {
    let (kept, over) = (t.another(), t.another());
    let attempts = [t.claim_for(8, 24), t.claim_for(2, 8)];
    let firsts = [t.claim(), t.claim()];
    for (record, first) in [&kept, &over].into_iter().zip(&firsts) {
        record.granted(first, 1).await;
    }
    t.pass_lease().await;
    for (record, second) in [&kept, &over].into_iter().zip(&attempts) {
        let attempt = record.unknown_attempt().await;
        record
            .resolve(&attempt, &Verdict::TakeOver(second.clone()))
            .await;
        record.release(second).await;
    }
    t.pass(10).await;
    kept.granted(&t.claim(), 3).await;
    over.granted(&t.claim(), 1).await;
}
