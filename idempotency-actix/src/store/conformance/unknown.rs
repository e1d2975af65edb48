//! Cases about the listing of claims whose owner is gone, where the store has one. They know no store.

use std::collections::BTreeSet;
use std::time::SystemTime;

use actix_web::http::Method;

use super::Harness;
use super::test_record::{TestRecord, answer};
use crate::store::{
    Claim, Cursor, Description, RecordId, Renewed, Resolved, Store, StoreErrorKind, UnknownOutcome,
    Verdict,
};

/// The most pages that a case reads of a store that others fill as well.
const PAGES: usize = 100_000;

fn described(claim: Claim) -> Claim {
    let route = Some("/charges/{id}");
    claim.described(Description::new(Method::POST, route, SystemTime::now()))
}

/// All that is listed, whoever it belongs to; `None` where the store lists nothing.
async fn listed<H: Harness>(t: &TestRecord<'_, H>, limit: usize) -> Option<Vec<UnknownOutcome>> {
    let (mut all, mut after) = (Vec::new(), None::<Cursor>);
    for _ in 0..PAGES {
        let page = match t.store.unknown(after.as_ref(), limit).await {
            Err(error) if error.kind() == StoreErrorKind::Unsupported => return None,
            page => t.answered(page),
        };
        all.extend(page.outcomes);
        after = page.next;
        if after.is_none() {
            return Some(all);
        }
    }
    t.fail("the listing has no end")
}

/// How often each of these is listed.
async fn times<H: Harness>(t: &TestRecord<'_, H>, of: &[RecordId]) -> Option<Vec<usize>> {
    let listed = listed(t, 2).await?;
    let times = |id: &RecordId| listed.iter().filter(|it| it.id == *id).count();
    Some(of.iter().map(times).collect())
}

pub(super) async fn a_lapsed_claim_is_listed_and_a_live_one_is_not<H: Harness>(
    t: TestRecord<'_, H>,
) {
    let (live, bare, done) = (t.another(), t.another(), t.another());
    t.granted(&described(t.claim()), 1).await;
    // Of nobody's operation.
    bare.granted(&t.claim(), 1).await;
    let finished = described(t.claim());
    done.granted(&finished, 1).await;
    done.complete(&finished, &answer("first")).await;
    t.pass_lease().await;
    live.granted(&described(t.long_claim()), 1).await;
    let ids = [t.id, live.id, bare.id, done.id];
    let Some(times) = times(&t, &ids).await else {
        return;
    };
    t.check(
        "lapsed, live, not described, finished",
        times,
        vec![1, 0, 0, 0],
    );
    let all = listed(&t, 100).await.unwrap_or_default();
    let Some(outcome) = all.into_iter().find(|it| it.id == t.id) else {
        t.fail("a lapsed claim is not listed");
    };
    let record = t.record().await;
    t.check("the attempt", outcome.attempt, record.attempt);
    t.check(
        "the description",
        Some(outcome.description.clone()),
        record.description,
    );
    let is_past = outcome.since() <= SystemTime::now() + t.units(1);
    t.check("it is unknown since a time that is past", is_past, true);
}

pub(super) async fn what_is_decided_or_alive_again_is_not_listed<H: Harness>(t: TestRecord<'_, H>) {
    let verdicts = t.verdicts();
    let decided = [t.another(), t.another(), t.another(), t.another()];
    for record in &decided {
        record.granted(&described(t.claim_for(1, 128)), 1).await;
    }
    let claim = described(t.claim_for(8, 128));
    t.granted(&claim, 1).await;
    t.pass(9).await;
    let ids: Vec<_> = decided.iter().map(|it| it.id).chain([t.id]).collect();
    let Some(before) = times(&t, &ids).await else {
        return;
    };
    t.check("before", before, vec![1; 5]);
    for (record, verdict) in decided.iter().zip(verdicts) {
        let verdict = match verdict {
            Verdict::TakeOver(_) => Verdict::TakeOver(described(t.long_claim())),
            other => other,
        };
        let seen = record.unknown_attempt().await;
        let resolved = record.resolve(&seen, &verdict).await;
        record.check("a verdict", resolved, Resolved::Done);
    }
    t.check("renew", t.renew(&claim).await, Renewed::Alive);
    t.check("after", times(&t, &ids).await, Some(vec![0; 5]));
}

pub(super) async fn pages_tell_each_once<H: Harness>(t: TestRecord<'_, H>) {
    let mut ids = BTreeSet::new();
    for _ in 0..7 {
        let record = t.another();
        record.granted(&described(t.claim()), 1).await;
        ids.insert(record.id);
    }
    t.pass_lease().await;
    for limit in [1, 3, 100] {
        let Some(all) = listed(&t, limit).await else {
            return;
        };
        let own: Vec<_> = all.iter().filter(|it| ids.contains(&it.id)).collect();
        t.check(&format!("in pages of {limit}"), own.len(), 7);
        let told: BTreeSet<_> = own.iter().map(|it| it.id).collect();
        t.check("the ids", &told, &ids);
    }
}
