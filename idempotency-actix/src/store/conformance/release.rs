//! Cases about claims that are given up. They know no store.

use super::Harness;
use super::test_record::{Observed, TestRecord, answer};
use crate::store::{Completion, Released, Renewed};

pub(super) async fn releasing_in_flight_leaves_nothing<H: Harness>(t: TestRecord<'_, H>) {
    let claim = t.long_claim();
    t.granted(&claim, 1).await;
    t.check("release", t.release(&claim).await, Released::Released);
    t.check("after it", t.state().await, Observed::Absent);
    t.granted(&t.long_claim(), 1).await;
}

pub(super) async fn releasing_unknown_leaves_nothing<H: Harness>(t: TestRecord<'_, H>) {
    let (claim, _) = t.unknown().await;
    t.check("release", t.release(&claim).await, Released::Released);
    t.check("after it", t.state().await, Observed::Absent);
    t.granted(&t.long_claim(), 1).await;
}

pub(super) async fn releasing_by_another_token_changes_nothing<H: Harness>(t: TestRecord<'_, H>) {
    let (claim, attempt) = t.unknown().await;
    let other = t.claim();
    t.check(
        "release of unknown",
        t.release(&other).await,
        Released::NotOwner,
    );
    t.check("the attempt after it", t.record().await.attempt, attempt);
    t.renew(&claim).await;
    let attempt = t.record().await.attempt;
    t.check(
        "release in flight",
        t.release(&other).await,
        Released::NotOwner,
    );
    t.check("the attempt after it", t.record().await.attempt, attempt);
    t.check("its owner's renewal", t.renew(&claim).await, Renewed::Alive);
}

pub(super) async fn releasing_what_is_absent_is_not_for_its_owner<H: Harness>(
    t: TestRecord<'_, H>,
) {
    let claim = t.long_claim();
    t.check(
        "release before begin",
        t.release(&claim).await,
        Released::NotOwner,
    );
    t.granted(&claim, 1).await;
    t.release(&claim).await;
    t.check(
        "the second release",
        t.release(&claim).await,
        Released::NotOwner,
    );
    t.check("after it", t.state().await, Observed::Absent);
}

pub(super) async fn releasing_a_finished_record_changes_nothing<H: Harness>(t: TestRecord<'_, H>) {
    let claim = t.long_claim();
    t.granted(&claim, 1).await;
    t.complete(&claim, &answer("first")).await;
    t.check("release", t.release(&claim).await, Released::NotOwner);
    t.check(
        "after it",
        t.state().await,
        Observed::Finished(answer("first")),
    );
}

pub(super) async fn completing_after_a_release_stores_the_answer<H: Harness>(t: TestRecord<'_, H>) {
    let claim = t.long_claim();
    t.granted(&claim, 1).await;
    t.release(&claim).await;
    let completion = t.complete(&claim, &answer("first")).await;
    t.check("complete", completion, Completion::RecordedAbsent);
    t.check(
        "after it",
        t.state().await,
        Observed::Finished(answer("first")),
    );
}
