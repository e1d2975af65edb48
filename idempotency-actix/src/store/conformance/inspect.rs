//! Cases about what a reader sees, and that reading changes nothing. They know no store.

use std::time::{Duration, SystemTime};

use actix_web::http::Method;

use super::Harness;
use super::test_record::{Observed, TestRecord, answer, observed};
use crate::store::{Description, Record, Renewed, Resolved, State, Store, Verdict};

pub(super) async fn inspecting_shows_what_a_claim_finds<H: Harness>(t: TestRecord<'_, H>) {
    let (live, lapsed, done) = (t.another(), t.another(), t.another());
    lapsed.granted(&t.claim(), 1).await;
    t.pass_lease().await;
    live.granted(&t.long_claim(), 1).await;
    let claim = t.long_claim();
    done.granted(&claim, 1).await;
    done.complete(&claim, &answer("first")).await;
    for (record, state) in [
        (&live, Observed::InFlight),
        (&lapsed, Observed::Unknown),
        (&done, Observed::Finished(answer("first"))),
    ] {
        let (inspected, found) = (record.record().await, record.found(&t.long_claim()).await);
        t.check("the attempt", inspected.attempt, found.attempt);
        t.check("the fingerprint", inspected.fingerprint, found.fingerprint);
        t.check("the state found", &observed(found.state), &state);
        t.check("the state", observed(inspected.state), state);
    }
}

pub(super) async fn inspecting_changes_nothing<H: Harness>(t: TestRecord<'_, H>) {
    let (held, done) = (t.another(), t.another());
    let (claim, answered) = (t.claim_for(4, 12), t.long_claim());
    t.check("what was never begun", held.state().await, Observed::Absent);
    held.granted(&claim, 1).await;
    done.granted(&answered, 1).await;
    done.complete_for(&answered, &answer("first"), 4).await;
    t.pass(2).await;
    t.check("in flight", held.state().await, Observed::InFlight);
    t.check(
        "finished",
        done.state().await,
        Observed::Finished(answer("first")),
    );
    t.pass(3).await;
    t.check(
        "after 5 units of a lease of 4",
        held.state().await,
        Observed::Unknown,
    );
    t.check(
        "after 5 units of a ttl of 4",
        done.state().await,
        Observed::Absent,
    );
    t.pass(5).await;
    t.check(
        "after 10 units of a retention of 12",
        held.state().await,
        Observed::Unknown,
    );
    t.pass(4).await;
    t.check(
        "after 14 units of a retention of 12",
        held.state().await,
        Observed::Absent,
    );
}

pub(super) async fn attempts_tell_signs_of_life_apart<H: Harness>(t: TestRecord<'_, H>) {
    let (claim, unknown) = t.unknown().await;
    t.check("the attempt seen again", t.record().await.attempt, unknown);
    t.check("renew", t.renew(&claim).await, Renewed::Alive);
    let renewed = t.record().await.attempt;
    t.check("it is the same after a renewal", renewed == unknown, false);
    t.pass_lease().await;
    let lapsed = t.record().await.attempt;
    t.check(
        "it is the same after a renewal and a lease",
        lapsed == unknown,
        false,
    );
    t.granted(&claim, 1).await;
    let resent = t.record().await.attempt;
    t.check(
        "it is the same after a second begin",
        resent == lapsed,
        false,
    );
}

pub(super) async fn an_unknown_claim_tells_its_own_lease<H: Harness>(t: TestRecord<'_, H>) {
    // A renewal says another lease, and the store goes by what it has.
    let claim = t.claim_for(2, 64);
    t.granted(&claim, 1).await;
    t.check(
        "renew",
        t.renew(&t.altered(&claim, 8)).await,
        Renewed::Alive,
    );
    t.pass(3).await;
    tells_lease(&t, 2).await;
    let attempt = t.unknown_attempt().await;
    let verdict = Verdict::TakeOver(t.claim_for(1, 64));
    let resolved = t.resolve(&attempt, &verdict).await;
    t.check("a takeover", resolved, Resolved::Done);
    t.pass_lease().await;
    tells_lease(&t, 1).await;
}

pub(super) async fn a_claim_tells_its_description<H: Harness>(t: TestRecord<'_, H>) {
    let route = Some("/accounts/{id:[^/]+}/é");
    let whole = Description::new(Method::PATCH, route, SystemTime::now()).with_label("order 7");
    let bare = Description::new(Method::POST, None, SystemTime::now());
    for description in [Some(whole), Some(bare), None] {
        let t = t.another();
        let claim = match &description {
            Some(description) => t.claim().described(description.clone()),
            None => t.claim(),
        };
        t.granted(&claim, 1).await;
        tells_description(&t, "in flight", description.as_ref()).await;
        t.pass_lease().await;
        tells_description(&t, "unknown", description.as_ref()).await;
    }
}

async fn tells_description<H: Harness>(
    t: &TestRecord<'_, H>,
    when: &str,
    due: Option<&Description>,
) {
    fn texts(it: &Description) -> (&Method, Option<&str>, Option<&str>) {
        (it.method(), it.route(), it.label())
    }
    for Record { description, .. } in [t.record().await, t.found(&t.claim()).await] {
        t.check(when, description.as_ref().map(texts), due.map(texts));
    }
}

/// To every reader, and rounded up to the store's unit of time, of a millisecond at most.
async fn tells_lease<H: Harness>(t: &TestRecord<'_, H>, lease: u32) {
    let due = t.units(lease);
    for Record { state, .. } in [t.record().await, t.found(&t.claim_for(4, 64)).await] {
        let State::Unknown { lease } = state else {
            t.fail(format_args!("a lapsed claim is {state:?}"));
        };
        let is_own = (due..due + Duration::from_millis(1)).contains(&lease);
        t.check(&format!("{lease:?} is the lease {due:?}"), is_own, true);
    }
}

pub(super) async fn an_answer_is_told_from_its_claim<H: Harness>(t: TestRecord<'_, H>) {
    let claim = t.long_claim();
    t.granted(&claim, 1).await;
    let live = t.record().await.attempt;
    t.complete(&claim, &answer("first")).await;
    let done = t.record().await.attempt;
    t.check("it is the same when it is finished", done == live, false);
    t.check("the attempt seen again", t.record().await.attempt, done);
}

pub(super) async fn a_store_that_serves_is_healthy<H: Harness>(t: TestRecord<'_, H>) {
    t.answered(t.store.health().await);
}
