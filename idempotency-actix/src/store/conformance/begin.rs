//! Cases about claims that are asked for. They know no store, and no clock beside the harness's.

use super::Harness;
use super::test_record::{Got, Observed, TestRecord, answer, observed};
use crate::store::{Claim, Completion, RecordId, Renewed};

pub(super) async fn a_claim_on_an_absent_record_is_granted<H: Harness>(t: TestRecord<'_, H>) {
    let claim = t.long_claim();
    t.check("before begin", t.state().await, Observed::Absent);
    t.granted(&claim, 1).await;
    let record = t.record().await;
    t.check("its generation", record.attempt.generation(), 1);
    t.check("its fingerprint", record.fingerprint, *claim.fingerprint());
    t.check("its state", observed(record.state), Observed::InFlight);
}

pub(super) async fn a_claim_sent_twice_is_granted_twice<H: Harness>(t: TestRecord<'_, H>) {
    let claim = t.long_claim();
    t.granted(&claim, 1).await;
    t.granted(&claim, 1).await;
    t.check("after both", t.state().await, Observed::InFlight);
    let completion = t.complete(&claim, &answer("first")).await;
    t.check("complete", completion, Completion::Recorded);
}

pub(super) async fn a_claim_sent_again_after_its_lease_is_in_flight<H: Harness>(
    t: TestRecord<'_, H>,
) {
    let (claim, _) = t.unknown().await;
    t.granted(&claim, 1).await;
    t.check("after both", t.state().await, Observed::InFlight);
}

pub(super) async fn a_claim_sent_again_is_a_sign_of_life<H: Harness>(t: TestRecord<'_, H>) {
    let claim = t.claim_for(4, 64);
    t.granted(&claim, 1).await;
    t.pass(3).await;
    t.granted(&claim, 1).await;
    t.pass(2).await;
    t.check(
        "after 5 units of a lease of 4",
        t.state().await,
        Observed::InFlight,
    );
}

pub(super) async fn a_claim_sent_again_keeps_what_was_stored<H: Harness>(t: TestRecord<'_, H>) {
    let claim = t.claim();
    t.granted(&claim, 1).await;
    t.granted(&t.altered(&claim, 64), 1).await;
    let record = t.record().await;
    t.check("its generation", record.attempt.generation(), 1);
    t.check("its fingerprint", record.fingerprint, *claim.fingerprint());
    t.pass_lease().await;
    t.check("after its lease", t.state().await, Observed::Unknown);
}

pub(super) async fn another_claim_finds_the_one_in_flight<H: Harness>(t: TestRecord<'_, H>) {
    let (first, other) = (t.long_claim(), t.long_claim());
    let (lease, retention) = (first.lease(), first.retention());
    let same_request = Claim::new(*other.token(), *first.fingerprint(), lease, retention);
    t.granted(&first, 1).await;
    let attempt = t.record().await.attempt;
    for claim in [&other, &other, &same_request] {
        let record = t.found(claim).await;
        t.check("the attempt found", record.attempt, attempt);
        t.check(
            "the fingerprint found",
            record.fingerprint,
            *first.fingerprint(),
        );
        t.check(
            "the state found",
            observed(record.state),
            Observed::InFlight,
        );
    }
    t.check("its owner's renewal", t.renew(&first).await, Renewed::Alive);
}

pub(super) async fn a_lapsed_claim_is_unknown_and_never_absent<H: Harness>(t: TestRecord<'_, H>) {
    let (first, attempt) = t.unknown().await;
    for _ in 0..3 {
        let record = t.found(&t.claim()).await;
        t.check("the attempt found", record.attempt, attempt);
        t.check(
            "the fingerprint found",
            record.fingerprint,
            *first.fingerprint(),
        );
        t.check("the state found", observed(record.state), Observed::Unknown);
        t.pass(4).await;
    }
    let completion = t.complete(&first, &answer("late")).await;
    t.check("its owner's complete", completion, Completion::Recorded);
}

pub(super) async fn a_claim_on_a_finished_record_finds_the_answer<H: Harness>(
    t: TestRecord<'_, H>,
) {
    let claim = t.long_claim();
    t.granted(&claim, 1).await;
    t.complete(&claim, &answer("first")).await;
    for retry in [&claim, &t.long_claim(), &claim] {
        let record = t.found(retry).await;
        t.check("the generation found", record.attempt.generation(), 1);
        t.check(
            "the fingerprint found",
            record.fingerprint,
            *claim.fingerprint(),
        );
        t.check(
            "the state found",
            observed(record.state),
            Observed::Finished(answer("first")),
        );
    }
}

pub(super) async fn records_are_apart<H: Harness>(t: TestRecord<'_, H>) {
    let claim = t.long_claim();
    t.granted(&claim, 1).await;
    for octet in 0..32 {
        let mut bytes = *t.id.as_bytes();
        bytes[octet] ^= 1;
        let neighbour = t.on(RecordId::from_bytes(bytes));
        let got = neighbour.begin(&t.long_claim()).await;
        t.check("begin under an id one bit away", got, Got::Granted(1));
        neighbour.complete(&claim, &answer("wrong")).await;
    }
    t.check("the record between", t.state().await, Observed::InFlight);
}
