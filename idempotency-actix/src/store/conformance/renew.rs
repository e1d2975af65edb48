//! Cases about signs of life. They know no store.

use super::Harness;
use super::test_record::{Observed, TestRecord, answer};
use crate::store::Renewed;

pub(super) async fn renewing_starts_the_lease_anew<H: Harness>(t: TestRecord<'_, H>) {
    let claim = t.claim_for(4, 64);
    t.granted(&claim, 1).await;
    t.pass(3).await;
    t.check("renew in flight", t.renew(&claim).await, Renewed::Alive);
    t.pass(2).await;
    t.check(
        "after 5 units of a lease of 4",
        t.state().await,
        Observed::InFlight,
    );
    t.pass(3).await;
    t.check(
        "5 units after the renewal",
        t.state().await,
        Observed::Unknown,
    );
}

pub(super) async fn renewing_an_unknown_claim_brings_it_back<H: Harness>(t: TestRecord<'_, H>) {
    let (claim, _) = t.unknown().await;
    t.check("renew on unknown", t.renew(&claim).await, Renewed::Alive);
    t.check("after it", t.state().await, Observed::InFlight);
}

pub(super) async fn renewing_by_another_token_is_lost<H: Harness>(t: TestRecord<'_, H>) {
    let (claim, other) = (t.claim_for(4, 64), t.claim());
    t.granted(&claim, 1).await;
    t.pass(3).await;
    t.check("renew in flight", t.renew(&other).await, Renewed::Lost);
    t.pass(2).await;
    t.check(
        "after 5 units of a lease of 4",
        t.state().await,
        Observed::Unknown,
    );
    t.check("renew on unknown", t.renew(&other).await, Renewed::Lost);
    t.check("after it", t.state().await, Observed::Unknown);
}

pub(super) async fn renewing_what_is_absent_is_lost<H: Harness>(t: TestRecord<'_, H>) {
    let claim = t.long_claim();
    t.check("renew before begin", t.renew(&claim).await, Renewed::Lost);
    t.check("after it", t.state().await, Observed::Absent);
    t.granted(&claim, 1).await;
    t.release(&claim).await;
    t.check("renew after release", t.renew(&claim).await, Renewed::Lost);
    t.check("after it", t.state().await, Observed::Absent);
}

pub(super) async fn renewing_a_finished_record_is_lost<H: Harness>(t: TestRecord<'_, H>) {
    let claim = t.long_claim();
    t.granted(&claim, 1).await;
    t.complete_for(&claim, &answer("first"), 4).await;
    t.pass(2).await;
    t.check("renew", t.renew(&claim).await, Renewed::Lost);
    t.check(
        "after it",
        t.state().await,
        Observed::Finished(answer("first")),
    );
    t.pass(3).await;
    t.check(
        "after 5 units of a ttl of 4",
        t.state().await,
        Observed::Absent,
    );
}

pub(super) async fn renewing_goes_by_what_was_stored<H: Harness>(t: TestRecord<'_, H>) {
    let (brief, long) = (t.another(), t.another());
    let (one, two) = (t.claim_for(1, 8), t.long_claim());
    brief.granted(&one, 1).await;
    long.granted(&two, 1).await;
    brief.renew(&t.altered(&one, 64)).await;
    long.renew(&t.altered(&two, 1)).await;
    let fingerprint = brief.record().await.fingerprint;
    t.check("its fingerprint", fingerprint, *one.fingerprint());
    t.pass_lease().await;
    t.check(
        "after the short lease stored",
        brief.state().await,
        Observed::Unknown,
    );
    t.check(
        "within the long lease stored",
        long.state().await,
        Observed::InFlight,
    );
    t.pass(8).await;
    t.check(
        "after the short retention stored",
        brief.state().await,
        Observed::Absent,
    );
}
