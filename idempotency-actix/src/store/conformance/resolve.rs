//! Cases about verdicts on unknown outcomes. They know no store.

use super::Harness;
use super::test_record::{Got, Observed, TestRecord, answer, observed};
use crate::store::{AttemptId, Completion, Released, Renewed, Resolved, Verdict};

pub(super) async fn a_verdict_may_be_an_answer<H: Harness>(t: TestRecord<'_, H>) {
    let (claim, attempt) = t.unknown().await;
    let verdict = Verdict::Finished(answer("verdict"), t.units(64));
    t.check(
        "resolve",
        t.resolve(&attempt, &verdict).await,
        Resolved::Done,
    );
    let record = t.found(&t.long_claim()).await;
    t.check("its generation", record.attempt.generation(), 1);
    t.check("its fingerprint", record.fingerprint, *claim.fingerprint());
    t.check(
        "its state",
        observed(record.state),
        Observed::Finished(answer("verdict")),
    );
}

pub(super) async fn a_verdict_shuts_out_the_attempt<H: Harness>(t: TestRecord<'_, H>) {
    let (claim, attempt) = t.unknown().await;
    let verdict = Verdict::Finished(answer("verdict"), t.units(64));
    t.resolve(&attempt, &verdict).await;
    let completion = t.complete(&claim, &answer("late")).await;
    t.check("complete", completion, Completion::Refused);
    t.check("renew", t.renew(&claim).await, Renewed::Lost);
    t.check("release", t.release(&claim).await, Released::NotOwner);
    let stands = Observed::Finished(answer("verdict"));
    t.check("begin", t.begin(&claim).await, Got::Found(stands));
}

pub(super) async fn a_verdict_may_be_that_nothing_happened<H: Harness>(t: TestRecord<'_, H>) {
    let (claim, attempt) = t.unknown().await;
    let resolved = t.resolve(&attempt, &Verdict::NotExecuted).await;
    t.check("resolve", resolved, Resolved::Done);
    t.check("after it", t.state().await, Observed::Absent);
    t.check("renew", t.renew(&claim).await, Renewed::Lost);
    t.granted(&t.long_claim(), 1).await;
    let completion = t.complete(&claim, &answer("late")).await;
    t.check(
        "complete over the next claim",
        completion,
        Completion::Refused,
    );
}

pub(super) async fn a_takeover_is_in_flight_at_the_next_generation<H: Harness>(
    t: TestRecord<'_, H>,
) {
    let by = t.claim_for(4, 64);
    t.take_over(&by).await;
    t.pass(2).await;
    let record = t.found(&t.claim()).await;
    t.check("its generation", record.attempt.generation(), 2);
    t.check("its fingerprint", record.fingerprint, *by.fingerprint());
    t.check("its state", observed(record.state), Observed::InFlight);
    t.pass(3).await;
    t.check(
        "after 5 units of its lease of 4",
        t.state().await,
        Observed::Unknown,
    );
    t.granted(&by, 2).await;
    let completion = t.complete(&by, &answer("second")).await;
    t.check("complete", completion, Completion::Recorded);
    let record = t.record().await;
    t.check("the finished generation", record.attempt.generation(), 2);
    t.check(
        "its state",
        observed(record.state),
        Observed::Finished(answer("second")),
    );
}

pub(super) async fn a_takeover_shuts_out_the_old_attempt<H: Harness>(t: TestRecord<'_, H>) {
    let old = t.take_over(&t.long_claim()).await;
    let completion = t.complete(&old, &answer("late")).await;
    t.check("complete", completion, Completion::Refused);
    t.check("renew", t.renew(&old).await, Renewed::Lost);
    t.check("release", t.release(&old).await, Released::NotOwner);
    t.check("begin", t.begin(&old).await, Got::Found(Observed::InFlight));
    t.check("its generation", t.record().await.attempt.generation(), 2);
}

pub(super) async fn a_takeover_sent_twice_is_done_twice<H: Harness>(t: TestRecord<'_, H>) {
    let (_, attempt) = t.unknown().await;
    let verdict = Verdict::TakeOver(t.claim());
    for what in ["the first", "the second", "a third after its lease"] {
        t.check(what, t.resolve(&attempt, &verdict).await, Resolved::Done);
        let record = t.record().await;
        t.check("its generation", record.attempt.generation(), 2);
        t.check("its state", observed(record.state), Observed::InFlight);
        if what == "the second" {
            t.pass_lease().await;
        }
    }
}

/// Tries every verdict, and finds the record as it was.
async fn all_refused<H: Harness>(t: &TestRecord<'_, H>, attempt: &AttemptId, state: Observed) {
    refused(t, attempt, &t.verdicts(), state).await;
}

async fn refused<H: Harness>(
    t: &TestRecord<'_, H>,
    attempt: &AttemptId,
    verdicts: &[Verdict],
    state: Observed,
) {
    for verdict in verdicts {
        let resolved = t.resolve(attempt, verdict).await;
        t.check(&format!("{verdict:?}"), resolved, Resolved::Refused);
    }
    t.check("after the verdicts", t.state().await, state);
}

pub(super) async fn no_verdict_stands_on_a_live_claim<H: Harness>(t: TestRecord<'_, H>) {
    let claim = t.long_claim();
    t.granted(&claim, 1).await;
    let attempt = t.record().await.attempt;
    all_refused(&t, &attempt, Observed::InFlight).await;
    let completion = t.complete(&claim, &answer("first")).await;
    t.check("complete", completion, Completion::Recorded);
}

pub(super) async fn no_verdict_stands_on_an_attempt_renewed_since<H: Harness>(
    t: TestRecord<'_, H>,
) {
    let (claim, first) = t.unknown().await;
    t.check("renew", t.renew(&claim).await, Renewed::Alive);
    t.pass_lease().await;
    all_refused(&t, &first, Observed::Unknown).await;
    let second = t.unknown_attempt().await;
    t.granted(&claim, 1).await;
    t.pass_lease().await;
    all_refused(&t, &second, Observed::Unknown).await;
    let third = t.unknown_attempt().await;
    let resolved = t.resolve(&third, &Verdict::NotExecuted).await;
    t.check("a verdict on what is there now", resolved, Resolved::Done);
}

pub(super) async fn no_verdict_stands_on_another_attempt<H: Harness>(t: TestRecord<'_, H>) {
    let (one, two) = (t.another(), t.another());
    for record in [&one, &two] {
        record.granted(&t.claim(), 1).await;
    }
    t.pass_lease().await;
    let attempt = one.unknown_attempt().await;
    two.unknown_attempt().await;
    all_refused(&two, &attempt, Observed::Unknown).await;
}

pub(super) async fn no_verdict_stands_on_the_attempt_before_a_takeover<H: Harness>(
    t: TestRecord<'_, H>,
) {
    let (_, before) = t.unknown().await;
    t.resolve(&before, &Verdict::TakeOver(t.claim())).await;
    all_refused(&t, &before, Observed::InFlight).await;
    t.pass_lease().await;
    all_refused(&t, &before, Observed::Unknown).await;
    t.check("its generation", t.record().await.attempt.generation(), 2);
}

pub(super) async fn no_verdict_stands_on_a_finished_record_but_to_forget_it<H: Harness>(
    t: TestRecord<'_, H>,
) {
    let (claim, unknown) = t.unknown().await;
    t.complete(&claim, &answer("late")).await;
    all_refused(&t, &unknown, Observed::Finished(answer("late"))).await;
    let finished = t.record().await.attempt;
    let verdicts = t.verdicts();
    let [others @ .., Verdict::Forget] = &verdicts else {
        unreachable!("to forget is the last of the verdicts");
    };
    refused(&t, &finished, others, Observed::Finished(answer("late"))).await;
    let resolved = t.resolve(&finished, &Verdict::Forget).await;
    t.check("forget", resolved, Resolved::Done);
}

pub(super) async fn no_verdict_stands_on_what_is_absent<H: Harness>(t: TestRecord<'_, H>) {
    let (claim, attempt) = t.unknown().await;
    t.release(&claim).await;
    all_refused(&t, &attempt, Observed::Absent).await;
}
