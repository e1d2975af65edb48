//! Cases about steps at the same moment: whatever their order, there is one. They know no store.

use std::sync::Arc;

use futures_util::FutureExt;

use super::Harness;
use super::race::{Call, alone, race};
use super::test_record::{Got, Observed, TestRecord, answer};
use crate::store::{
    AttemptId, Begun, Claim, Completion, Released, Renewed, Resolved, Store, Verdict,
};

const CONTENDERS: usize = 4;

pub(super) async fn of_concurrent_claims_one_is_granted<H: Harness>(t: TestRecord<'_, H>) {
    let _alone = alone().await;
    let rounds = records(&t);
    let claims = || (0..CONTENDERS).map(|_| t.long_claim()).collect();
    let claims: Vec<Vec<Claim>> = rounds.iter().map(|_| claims()).collect();
    let calls = |n: usize| {
        let pairs = rounds.iter().zip(&claims);
        pairs
            .map(|(record, claims)| begins(record, &claims[n], 1))
            .collect()
    };
    let won = race(&t, (0..CONTENDERS).map(calls).collect()).await;
    for ((record, claims), won) in rounds.iter().zip(&claims).zip(won) {
        t.check(
            "claims granted of four",
            won.iter().filter(|won| **won).count(),
            1,
        );
        for (claim, won) in claims.iter().zip(won) {
            let alive = record.renew(claim).await == Renewed::Alive;
            t.check("the one that was granted owns the record", alive, won);
        }
    }
}

pub(super) async fn concurrent_copies_of_a_claim_are_all_granted<H: Harness>(t: TestRecord<'_, H>) {
    let _alone = alone().await;
    let rounds = records(&t);
    let claim = t.long_claim();
    let calls = |_| {
        rounds
            .iter()
            .map(|record| begins(record, &claim, 1))
            .collect()
    };
    for won in race(&t, (0..CONTENDERS).map(calls).collect()).await {
        t.check("granted", won, vec![true; CONTENDERS]);
    }
}

pub(super) async fn release_and_completion_have_an_order<H: Harness>(t: TestRecord<'_, H>) {
    let _alone = alone().await;
    let rounds = records(&t);
    let claim = t.long_claim();
    for record in &rounds {
        record.granted(&claim, 1).await;
    }
    let releasing = rounds.iter().map(|record| {
        let (store, id, claim) = (Arc::clone(&record.store), record.id, claim.clone());
        async move { Ok(store.release(&id, &claim).await? == Released::Released) }.boxed()
    });
    let completing = rounds
        .iter()
        .map(|record| completes(record, &claim, Completion::Recorded));
    let won = race(&t, vec![releasing.collect(), completing.collect()]).await;
    for (record, won) in rounds.iter().zip(won) {
        t.check("one of them met the claim", won[0] != won[1], true);
        let state = record.state().await;
        t.check("the record", state, Observed::Finished(answer("owner")));
    }
}

pub(super) async fn of_concurrent_answers_to_what_is_absent_one_is_stored<H: Harness>(
    t: TestRecord<'_, H>,
) {
    let _alone = alone().await;
    let rounds = records(&t);
    let calls = |_| {
        let stored = Completion::RecordedAbsent;
        let records = rounds.iter();
        records
            .map(|record| completes(record, &t.long_claim(), stored))
            .collect()
    };
    for won in race(&t, (0..CONTENDERS).map(calls).collect()).await {
        t.check(
            "answers stored of four",
            won.iter().filter(|won| **won).count(),
            1,
        );
    }
}

pub(super) async fn a_late_answer_or_a_verdict_wins<H: Harness>(t: TestRecord<'_, H>) {
    let _alone = alone().await;
    let rounds = records(&t);
    let claim = t.claim();
    let verdict = Verdict::Finished(answer("verdict"), t.units(64));
    let resolving = all_unknown(&t, &rounds, &claim, || verdict.clone()).await;
    let completing = rounds
        .iter()
        .map(|record| completes(record, &claim, Completion::Recorded));
    let won = race(&t, vec![completing.collect(), resolving]).await;
    for (record, won) in rounds.iter().zip(won) {
        t.check("one of them won", won[0] != won[1], true);
        let wins = if won[0] { "owner" } else { "verdict" };
        let state = record.state().await;
        t.check("the record", state, Observed::Finished(answer(wins)));
    }
}

pub(super) async fn a_renewal_or_a_takeover_wins<H: Harness>(t: TestRecord<'_, H>) {
    let _alone = alone().await;
    let rounds = records(&t);
    let claim = t.claim_for(1, 64);
    let by = t.long_claim();
    let taking = all_unknown(&t, &rounds, &claim, || Verdict::TakeOver(by.clone())).await;
    let renewing = rounds.iter().map(|record| renews(record, &claim));
    let won = race(&t, vec![renewing.collect(), taking]).await;
    for (record, won) in rounds.iter().zip(won) {
        t.check("one of them won", won[0] != won[1], true);
        let generation = if won[0] { 1 } else { 2 };
        let owner = if won[0] { &claim } else { &by };
        t.check(
            "its generation",
            record.record().await.attempt.generation(),
            generation,
        );
        t.check(
            "the winner's renewal",
            record.renew(owner).await,
            Renewed::Alive,
        );
    }
}

pub(super) async fn of_concurrent_takeovers_one_wins<H: Harness>(t: TestRecord<'_, H>) {
    let _alone = alone().await;
    let rounds = records(&t);
    let claim = t.claim();
    let one = all_unknown(&t, &rounds, &claim, || Verdict::TakeOver(t.long_claim())).await;
    let mut calls = vec![one];
    for _ in 1..CONTENDERS {
        let mut more = Vec::new();
        for record in &rounds {
            let attempt = record.unknown_attempt().await;
            more.push(resolves(record, attempt, Verdict::TakeOver(t.long_claim())));
        }
        calls.push(more);
    }
    let won = race(&t, calls).await;
    for (record, won) in rounds.iter().zip(won) {
        t.check(
            "takeovers done of four",
            won.iter().filter(|won| **won).count(),
            1,
        );
        t.check(
            "its generation",
            record.record().await.attempt.generation(),
            2,
        );
    }
}

pub(super) async fn concurrent_claims_over_a_generation_agree<H: Harness>(t: TestRecord<'_, H>) {
    let _alone = alone().await;
    let rounds = records(&t);
    let second = t.long_claim();
    let verdict = || Verdict::TakeOver(second.clone());
    for call in all_unknown(&t, &rounds, &t.claim(), verdict).await {
        t.check("a takeover", t.answered(call.await), true);
    }
    for record in &rounds {
        record.release(&second).await;
    }
    let calls = |_| {
        let records = rounds.iter();
        records
            .map(|record| begins(record, &t.long_claim(), 3))
            .collect()
    };
    let won = race(&t, (0..CONTENDERS).map(calls).collect()).await;
    for (record, won) in rounds.iter().zip(won) {
        t.check(
            "claims granted of four",
            won.iter().filter(|won| **won).count(),
            1,
        );
        let got = record.begin(&t.long_claim()).await;
        t.check("the record", got, Got::Found(Observed::InFlight));
    }
}

pub(super) async fn a_late_answer_is_forgotten_or_refused<H: Harness>(t: TestRecord<'_, H>) {
    let _alone = alone().await;
    let rounds = records(&t);
    let claim = t.claim();
    let forgetting = all_unknown(&t, &rounds, &claim, || Verdict::Forget).await;
    let completing = rounds
        .iter()
        .map(|record| completes(record, &claim, Completion::Recorded));
    let won = race(&t, vec![completing.collect(), forgetting]).await;
    for (record, won) in rounds.iter().zip(won) {
        t.check("one of them won", won[0] != won[1], true);
        let left = match won[0] {
            true => Observed::Finished(answer("owner")),
            false => Observed::Absent,
        };
        t.check("the record", record.state().await, left);
    }
}

pub(super) async fn a_renewed_claim_is_not_forgotten<H: Harness>(t: TestRecord<'_, H>) {
    let _alone = alone().await;
    let rounds = records(&t);
    let claim = t.claim();
    let forgetting = all_unknown(&t, &rounds, &claim, || Verdict::Forget).await;
    let renewing = rounds.iter().map(|record| renews(record, &claim));
    let won = race(&t, vec![renewing.collect(), forgetting]).await;
    for (record, won) in rounds.iter().zip(won) {
        t.check("one of them won", won[0] != won[1], true);
        let is_left = record.renew(&claim).await == Renewed::Alive;
        t.check("the claim is left", is_left, won[0]);
    }
}

/// One record for each round.
fn records<'h, H: Harness>(t: &TestRecord<'h, H>) -> Vec<TestRecord<'h, H>> {
    (0..t.rounds()).map(|_| t.another()).collect()
}

/// Lets a claim lapse on all records, and prepares a verdict on each.
async fn all_unknown<H: Harness>(
    t: &TestRecord<'_, H>,
    records: &[TestRecord<'_, H>],
    claim: &Claim,
    verdict: impl Fn() -> Verdict,
) -> Vec<Call> {
    for record in records {
        record.granted(claim, 1).await;
    }
    t.pass_lease().await;
    let mut calls = Vec::new();
    for record in records {
        let attempt = record.unknown_attempt().await;
        calls.push(resolves(record, attempt, verdict()));
    }
    calls
}

fn begins<H: Harness>(record: &TestRecord<'_, H>, claim: &Claim, due: u64) -> Call {
    let (store, id, claim) = (Arc::clone(&record.store), record.id, claim.clone());
    async move {
        let begun = store.begin(&id, &claim).await?;
        Ok(matches!(begun, Begun::Claimed { generation } if generation == due))
    }
    .boxed()
}

fn renews<H: Harness>(record: &TestRecord<'_, H>, claim: &Claim) -> Call {
    let (store, id, claim) = (Arc::clone(&record.store), record.id, claim.clone());
    async move { Ok(store.renew(&id, &claim).await? == Renewed::Alive) }.boxed()
}

fn completes<H: Harness>(record: &TestRecord<'_, H>, claim: &Claim, due: Completion) -> Call {
    let (store, id, claim) = (Arc::clone(&record.store), record.id, claim.clone());
    let ttl = record.units(64);
    async move { Ok(store.complete(&id, &claim, &answer("owner"), ttl).await? == due) }.boxed()
}

fn resolves<H: Harness>(record: &TestRecord<'_, H>, attempt: AttemptId, verdict: Verdict) -> Call {
    let (store, id) = (Arc::clone(&record.store), record.id);
    async move { Ok(store.resolve(&id, &attempt, &verdict).await? == Resolved::Done) }.boxed()
}
