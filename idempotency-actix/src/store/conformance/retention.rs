//! Cases about how long records are kept. They know no store.

use std::time::Duration;

use super::Harness;
use super::test_record::{Observed, TestRecord, answer};
use crate::store::{Claim, Completion, Released, Renewed, Resolved, Store, Verdict};

const TEN_YEARS: Duration = Duration::from_secs(10 * 365 * 86_400);

pub(super) async fn an_answer_is_over_after_its_ttl<H: Harness>(t: TestRecord<'_, H>) {
    let claim = t.long_claim();
    t.granted(&claim, 1).await;
    t.pass(3).await;
    t.complete_for(&claim, &answer("first"), 4).await;
    t.pass(2).await;
    t.check(
        "after half of its ttl",
        t.state().await,
        Observed::Finished(answer("first")),
    );
    t.pass(3).await;
    t.check(
        "after 5 units of a ttl of 4",
        t.state().await,
        Observed::Absent,
    );
    t.granted(&t.long_claim(), 1).await;
}

pub(super) async fn an_answer_outlives_the_retention_of_its_claim<H: Harness>(
    t: TestRecord<'_, H>,
) {
    let claim = t.claim_for(1, 4);
    t.granted(&claim, 1).await;
    t.complete_for(&claim, &answer("first"), 64).await;
    t.pass(6).await;
    t.check(
        "after it",
        t.state().await,
        Observed::Finished(answer("first")),
    );
}

pub(super) async fn the_answer_of_a_verdict_is_over_after_its_ttl<H: Harness>(
    t: TestRecord<'_, H>,
) {
    let (_, attempt) = t.unknown().await;
    let verdict = Verdict::Finished(answer("verdict"), t.units(4));
    t.resolve(&attempt, &verdict).await;
    t.pass(2).await;
    t.check(
        "after half of its ttl",
        t.state().await,
        Observed::Finished(answer("verdict")),
    );
    t.pass(3).await;
    t.check(
        "after 5 units of a ttl of 4",
        t.state().await,
        Observed::Absent,
    );
}

pub(super) async fn an_unknown_claim_is_over_after_its_retention<H: Harness>(t: TestRecord<'_, H>) {
    t.granted(&t.claim_for(1, 8), 1).await;
    t.pass(6).await;
    t.check("after 6 units of 8", t.state().await, Observed::Unknown);
    t.pass(4).await;
    t.check("after 10 units of 8", t.state().await, Observed::Absent);
    t.granted(&t.long_claim(), 1).await;
}

pub(super) async fn a_sign_of_life_starts_the_retention_anew<H: Harness>(t: TestRecord<'_, H>) {
    let (renewed, resent) = (t.another(), t.another());
    let (one, two) = (t.claim_for(1, 8), t.claim_for(1, 8));
    renewed.granted(&one, 1).await;
    resent.granted(&two, 1).await;
    t.pass(6).await;
    t.check("renew", renewed.renew(&one).await, Renewed::Alive);
    resent.granted(&two, 1).await;
    t.pass(6).await;
    for record in [&renewed, &resent] {
        t.check("6 units later", record.state().await, Observed::Unknown);
    }
    t.pass(4).await;
    for record in [&renewed, &resent] {
        t.check("10 units later", record.state().await, Observed::Absent);
    }
}

pub(super) async fn in_flight_outlives_its_retention<H: Harness>(t: TestRecord<'_, H>) {
    let claim = t.claim_for(8, 1);
    t.granted(&claim, 1).await;
    t.pass(4).await;
    t.check("after its retention", t.state().await, Observed::InFlight);
    t.found(&t.long_claim()).await;
    let completion = t.complete(&claim, &answer("first")).await;
    t.check("complete", completion, Completion::Recorded);
}

pub(super) async fn what_is_over_is_absent_to_every_call<H: Harness>(t: TestRecord<'_, H>) {
    let (over, done) = (t.another(), t.another());
    let (claim, answered) = (t.claim_for(1, 4), t.long_claim());
    over.granted(&claim, 1).await;
    done.granted(&answered, 1).await;
    done.complete_for(&answered, &answer("first"), 4).await;
    t.pass(2).await;
    let attempt = over.unknown_attempt().await;
    t.pass(4).await;
    t.check("renew", over.renew(&claim).await, Renewed::Lost);
    t.check("release", over.release(&claim).await, Released::NotOwner);
    for verdict in t.verdicts() {
        let resolved = over.resolve(&attempt, &verdict).await;
        t.check(&format!("{verdict:?}"), resolved, Resolved::Refused);
    }
    for (record, claim) in [(&over, &claim), (&done, &answered)] {
        let completion = record.complete(claim, &answer("late")).await;
        t.check("complete", completion, Completion::RecordedAbsent);
        t.check(
            "after it",
            record.state().await,
            Observed::Finished(answer("late")),
        );
    }
}

pub(super) async fn ten_years_are_not_too_long<H: Harness>(t: TestRecord<'_, H>) {
    let short = t.long_claim();
    let (token, fingerprint) = (*short.token(), *short.fingerprint());
    let claim = Claim::new(token, fingerprint, TEN_YEARS / 10, TEN_YEARS);
    t.granted(&claim, 1).await;
    t.check("renew", t.renew(&claim).await, Renewed::Alive);
    t.pass(2).await;
    t.check("after it", t.state().await, Observed::InFlight);
    let first = answer("first");
    t.answered(t.store.complete(&t.id, &claim, &first, TEN_YEARS).await);
    t.pass(2).await;
    t.check("after all", t.state().await, Observed::Finished(first));
}
