//! Cases about records that an operator forgets. They know no store.

use super::Harness;
use super::test_record::{Got, Observed, TestRecord, answer};
use crate::store::{AttemptId, Claim, Completion, Released, Renewed, Resolved, Verdict};

/// Forgets the record as it is, and finds it absent.
async fn forget<H: Harness>(t: &TestRecord<'_, H>) -> AttemptId {
    let attempt = t.record().await.attempt;
    let resolved = t.resolve(&attempt, &Verdict::Forget).await;
    t.check("forget", resolved, Resolved::Done);
    t.check("after it", t.state().await, Observed::Absent);
    attempt
}

/// What the attempt still sends leaves the record absent, and the next claim is of the next generation.
async fn shuts_out<H: Harness>(t: &TestRecord<'_, H>, attempts: &[Claim], next: u64) {
    for claim in attempts {
        t.check("renew", t.renew(claim).await, Renewed::Lost);
        t.check("release", t.release(claim).await, Released::NotOwner);
        let completion = t.complete(claim, &answer("late")).await;
        t.check("complete", completion, Completion::Refused);
    }
    t.check("after the late calls", t.state().await, Observed::Absent);
    let claim = t.long_claim();
    t.granted(&claim, next).await;
    for late in attempts {
        let completion = t.complete(late, &answer("late")).await;
        t.check("complete over it", completion, Completion::Refused);
    }
    let claim = claim.with_generation(next);
    let completion = t.complete(&claim, &answer("next")).await;
    t.check("its own complete", completion, Completion::Recorded);
    let replay = Got::Found(Observed::Finished(answer("next")));
    t.check("begin", t.begin(&t.long_claim()).await, replay);
}

pub(super) async fn forgetting_unknown_leaves_its_generation<H: Harness>(t: TestRecord<'_, H>) {
    let (claim, _) = t.unknown().await;
    forget(&t).await;
    shuts_out(&t, &[claim], 2).await;
}

pub(super) async fn forgetting_an_answer_leaves_its_generation<H: Harness>(t: TestRecord<'_, H>) {
    let claim = t.long_claim();
    t.granted(&claim, 1).await;
    t.complete(&claim, &answer("wrong")).await;
    forget(&t).await;
    shuts_out(&t, &[claim], 2).await;
}

pub(super) async fn forgetting_a_verdict_leaves_its_generation<H: Harness>(t: TestRecord<'_, H>) {
    let (claim, attempt) = t.unknown().await;
    let verdict = Verdict::Finished(answer("wrong"), t.units(64));
    t.resolve(&attempt, &verdict).await;
    forget(&t).await;
    shuts_out(&t, &[claim], 2).await;
}

pub(super) async fn forgetting_a_takeover_shuts_out_all_before_it<H: Harness>(
    t: TestRecord<'_, H>,
) {
    let second = t.long_claim();
    let first = t.take_over(&second).await;
    let second = second.with_generation(2);
    t.complete(&second, &answer("wrong")).await;
    forget(&t).await;
    shuts_out(&t, &[first, second], 3).await;
}

pub(super) async fn forgetting_twice_forgets_once<H: Harness>(t: TestRecord<'_, H>) {
    t.granted(&t.claim(), 1).await;
    t.pass_lease().await;
    let first = forget(&t).await;
    let resolved = t.resolve(&first, &Verdict::Forget).await;
    t.check("of what is forgotten", resolved, Resolved::Refused);
    let claim = t.long_claim();
    t.granted(&claim, 2).await;
    t.complete(&claim.with_generation(2), &answer("second"))
        .await;
    let resolved = t.resolve(&first, &Verdict::Forget).await;
    t.check("of the attempt before", resolved, Resolved::Refused);
    let stands = Observed::Finished(answer("second"));
    t.check("after it", t.state().await, stands);
    forget(&t).await;
    t.granted(&t.long_claim(), 3).await;
}

pub(super) async fn an_answer_of_another_attempt_is_not_forgotten<H: Harness>(
    t: TestRecord<'_, H>,
) {
    let (one, two) = (t.another(), t.another());
    for record in [&one, &two] {
        let claim = t.long_claim();
        record.granted(&claim, 1).await;
        record.complete(&claim, &answer("first")).await;
    }
    let other = one.record().await.attempt;
    let resolved = two.resolve(&other, &Verdict::Forget).await;
    t.check("forget", resolved, Resolved::Refused);
    let stands = Observed::Finished(answer("first"));
    t.check("after it", two.state().await, stands);
}

pub(super) async fn what_can_be_read_is_not_the_unreadable_attempt<H: Harness>(
    t: TestRecord<'_, H>,
) {
    let (absent, live, lapsed, done) = (t.another(), t.another(), t.another(), t.another());
    lapsed.granted(&t.claim(), 1).await;
    t.pass_lease().await;
    live.granted(&t.long_claim(), 1).await;
    let claim = t.long_claim();
    done.granted(&claim, 1).await;
    done.complete(&claim, &answer("first")).await;
    for (record, state) in [
        (&absent, Observed::Absent),
        (&live, Observed::InFlight),
        (&lapsed, Observed::Unknown),
        (&done, Observed::Finished(answer("first"))),
    ] {
        for verdict in t.verdicts() {
            let resolved = record.resolve(&AttemptId::UNREADABLE, &verdict).await;
            let what = format!("{verdict:?} on {state:?}");
            t.check(&what, resolved, Resolved::Refused);
        }
        t.check("after the verdicts", record.state().await, state);
    }
}

pub(super) async fn a_forgotten_generation_is_remembered_for_the_retention<H: Harness>(
    t: TestRecord<'_, H>,
) {
    let (kept, over, done) = (t.another(), t.another(), t.another());
    kept.granted(&t.claim_for(1, 24), 1).await;
    over.granted(&t.claim_for(1, 8), 1).await;
    t.pass_lease().await;
    let claim = t.long_claim();
    done.granted(&claim, 1).await;
    done.complete_for(&claim, &answer("wrong"), 32).await;
    for record in [&kept, &over, &done] {
        forget(record).await;
    }
    t.pass(10).await;
    kept.granted(&t.claim(), 2).await;
    over.granted(&t.claim(), 1).await;
    done.granted(&t.claim(), 2).await;
}
