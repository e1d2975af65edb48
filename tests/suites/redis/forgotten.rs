//! Records that an operator forgets: answers, claims, and values that cannot be read.

use std::ops::Range;
use std::time::Duration;

use actix_web::rt::System;
use idempotency_actix::RedisStore;
use idempotency_actix::store::{
    AttemptId, Claim, Completion, Finished, NotKept, RecordId, Resolved, Store, StoreErrorKind,
    Verdict,
};
use idempotency_actix_tests::redis::{Harm, Proxy, RedisServer, Reply, Rule};
use idempotency_actix_tests::{assert_problem, fresh_claim};

use crate::site::{Setup, Site, assert_first, assert_refused};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Where a stored value has its generation.
const GENERATION: Range<usize> = 51..59;

/// A site that has answered under one key, and that key's record.
struct Desk {
    site: Site,
    setup: Setup,
    key: String,
    id: RecordId,
}

impl Desk {
    fn new() -> Self {
        let setup = Setup::new();
        let site = setup.on(RedisServer::shared());
        assert_first(&site.send("k"), 1);
        let (key, id) = (site.key(), site.record_id());
        Self {
            site,
            setup,
            key,
            id,
        }
    }

    /// One whose record was changed by a Lua expression over itself, `v`.
    fn rewritten(expression: &str) -> Self {
        let desk = Self::new();
        desk.rewrite(expression);
        desk
    }

    fn rewrite(&self, expression: &str) {
        let script = format!(
            "local v = redis.call('GET', KEYS[1]) \
             return redis.call('SET', KEYS[1], {expression}, 'KEEPTTL')"
        );
        self.command(&["EVAL", &script, "1", &self.key]);
    }

    fn command(&self, args: &[&str]) -> Reply {
        let reply = self.site.redis.command(args);
        assert!(!matches!(reply, Reply::Error(_)), "{reply:?}");
        reply
    }

    fn dump(&self) -> Reply {
        self.command(&["DUMP", &self.key])
    }

    fn left(&self) -> Duration {
        let left = self.command(&["PTTL", &self.key]).int();
        Duration::from_millis(left.try_into().expect("an expiry"))
    }

    fn store(&self) -> RedisStore {
        self.setup.store(self.site.redis)
    }

    fn resolve(&self, attempt: &AttemptId, verdict: &Verdict) -> Result<Resolved, StoreErrorKind> {
        let store = self.store();
        let resolved = async { store.resolve(&self.id, attempt, verdict).await };
        System::new().block_on(resolved).map_err(|it| it.kind())
    }

    fn forget_unreadable(&self) -> Result<Resolved, StoreErrorKind> {
        self.resolve(&AttemptId::UNREADABLE, &Verdict::Forget)
    }

    fn inspect(&self) -> Result<Option<AttemptId>, StoreErrorKind> {
        let store = self.store();
        let record = System::new().block_on(async { store.inspect(&self.id).await });
        let attempt = record.map(|record| record.map(|record| record.attempt));
        attempt.map_err(|it| it.kind())
    }

    /// What a late answer of another attempt at that generation is told.
    fn complete_late(&self, generation: u64) -> Completion {
        let store = self.store();
        let claim = claim().with_generation(generation);
        let completion = async { store.complete(&self.id, &claim, &late(), DAY).await };
        System::new().block_on(completion).expect("an answer")
    }

    /// The next try runs, and its answer is kept as one of that generation.
    fn assert_runs_next(&self, generation: u64) {
        assert_eq!(self.inspect(), Ok(None));
        assert_first(&self.site.send("k"), 2);
        self.site.assert_replays("k", 2);
        let attempt = self.inspect().expect("a record that can be read");
        let kept = attempt.map(|attempt| attempt.generation());
        assert_eq!(kept, Some(generation));
    }
}

fn claim() -> Claim {
    fresh_claim(Duration::from_secs(30), 3 * DAY)
}

fn late() -> Finished {
    Finished::NotKept(NotKept::new(201, None))
}

fn is_about(left: Duration, due: Duration) -> bool {
    left <= due && due <= left + Duration::from_secs(60)
}

/// Forgets an answer that had so much left, and tries again.
fn assert_is_remembered_for(left: Duration, due: Duration) {
    let desk = Desk::new();
    let left = left.as_millis().to_string();
    desk.command(&["PEXPIRE", &desk.key, &left]);
    let attempt = desk.inspect().expect("an answer").expect("a record");
    let forgotten = desk.resolve(&attempt, &Verdict::Forget);
    assert_eq!(forgotten, Ok(Resolved::Done));
    assert!(is_about(desk.left(), due), "{:?}", desk.left());
    assert_eq!(desk.complete_late(1), Completion::Refused);
    desk.assert_runs_next(2);
}

#[test]
fn an_answer_that_was_forgotten_is_remembered_for_a_day_or_what_it_had_left() {
    assert_is_remembered_for(DAY / 24, DAY);
    assert_is_remembered_for(3 * DAY, 3 * DAY);
}

#[test]
fn a_claim_that_was_forgotten_is_remembered_for_its_own_retention() {
    let setup = Setup::new();
    let store = setup.store(RedisServer::shared());
    let id = RecordId::from_bytes([7; 32]);
    let key = format!("{}{{{id}}}", setup.prefix);
    let redis = RedisServer::shared();
    let claim = claim();
    System::new().block_on(async {
        store.begin(&id, &claim).await.expect("a claim");
        // Its lease is over by an hour.
        let left = (3 * DAY - Duration::from_secs(3_630)).as_millis();
        redis.command(&["PEXPIRE", &key, &left.to_string()]);
        let record = store.inspect(&id).await.expect("an answer");
        let attempt = record.expect("a record").attempt;
        let forgotten = store.resolve(&id, &attempt, &Verdict::Forget).await;
        assert_eq!(forgotten.expect("an answer"), Resolved::Done);
        let late = store.complete(&id, &claim, &late(), DAY).await;
        assert_eq!(late.expect("an answer"), Completion::Refused);
    });
    let left = redis.command(&["PTTL", &key]).int();
    let left = Duration::from_millis(left.try_into().expect("an expiry"));
    assert!(is_about(left, 3 * DAY), "{left:?}");
}

/// Makes a value that cannot be read, whose head is whole, forgets it, and tries again.
fn assert_generation_stays(expression: &str) {
    let desk = Desk::rewritten(expression);
    assert_eq!(desk.inspect(), Err(StoreErrorKind::Unreadable));
    assert_refused(&desk.site.send("k"));
    assert_eq!(desk.forget_unreadable(), Ok(Resolved::Done));
    assert!(is_about(desk.left(), DAY), "{:?}", desk.left());
    assert_eq!(desk.complete_late(1), Completion::Refused);
    desk.assert_runs_next(2);
}

#[test]
fn an_unreadable_value_leaves_the_generation_that_its_head_tells() {
    assert_generation_stays("v:sub(1, 1) .. '\\9' .. v:sub(3)");
    assert_generation_stays("v:sub(1, 2) .. '\\1' .. v:sub(4)");
    assert_generation_stays("v:sub(1, 92)");
    assert_generation_stays("v:sub(1, 1) .. '\\1' .. v:sub(3, 92) .. ('\\0'):rep(17)");
}

#[test]
fn the_generation_in_an_unreadable_head_is_the_one_that_is_remembered() {
    let Range { start, end } = GENERATION;
    let desk = Desk::rewritten(&format!(
        "v:sub(1, 1) .. '\\9' .. v:sub(3, {start}) .. ('\\0'):rep(7) .. '\\5' .. v:sub({end} + 1)"
    ));
    assert_eq!(desk.forget_unreadable(), Ok(Resolved::Done));
    assert_eq!(desk.complete_late(5), Completion::Refused);
    desk.assert_runs_next(6);
}

#[test]
fn an_unreadable_value_without_an_expiry_is_remembered_for_a_day() {
    let desk = Desk::rewritten("v:sub(1, 92)");
    desk.command(&["PERSIST", &desk.key]);
    assert_eq!(desk.forget_unreadable(), Ok(Resolved::Done));
    assert!(is_about(desk.left(), DAY), "{:?}", desk.left());
}

/// The same with a value whose head tells nothing.
fn assert_nothing_stays(expression: &str) {
    let desk = Desk::rewritten(expression);
    assert_eq!(desk.inspect(), Err(StoreErrorKind::Unreadable));
    assert_eq!(desk.forget_unreadable(), Ok(Resolved::Done));
    assert_eq!(desk.command(&["EXISTS", &desk.key]).int(), 0);
    desk.assert_runs_next(1);
}

#[test]
fn an_unreadable_value_whose_head_tells_nothing_leaves_nothing() {
    assert_nothing_stays("'somebody else\\'s'");
    assert_nothing_stays("''");
    assert_nothing_stays("v:sub(1, 91)");
    // A newer version may have its generation elsewhere, and another record's is another's.
    assert_nothing_stays("'\\2' .. v:sub(2)");
    assert_nothing_stays("v:sub(1, 3) .. ('\\0'):rep(32) .. v:sub(36)");
}

#[test]
fn an_unreadable_value_is_no_real_attempt_and_bears_no_other_verdict() {
    let desk = Desk::new();
    let attempt = desk.inspect().expect("an answer").expect("a record");
    for expression in ["v:sub(1, 92)", "''"] {
        desk.rewrite(expression);
        let before = (desk.dump(), desk.command(&["PEXPIRETIME", &desk.key]));
        let verdicts = [
            Verdict::Finished(late(), DAY),
            Verdict::NotExecuted,
            Verdict::TakeOver(claim()),
        ];
        for verdict in &verdicts {
            for attempt in [&attempt, &AttemptId::UNREADABLE] {
                let resolved = desk.resolve(attempt, verdict);
                assert_eq!(resolved, Err(StoreErrorKind::Unreadable), "{verdict:?}");
            }
        }
        let resolved = desk.resolve(&attempt, &Verdict::Forget);
        assert_eq!(resolved, Err(StoreErrorKind::Unreadable));
        let after = (desk.dump(), desk.command(&["PEXPIRETIME", &desk.key]));
        assert_eq!(after, before);
    }
}

/// Nothing of a key that is no string is compared, so it is left to its owner.
#[test]
fn a_key_of_another_type_is_not_forgotten() {
    let desk = Desk::new();
    desk.command(&["DEL", &desk.key]);
    desk.command(&["RPUSH", &desk.key, "1"]);
    let before = desk.dump();
    let forgotten = desk.forget_unreadable();
    assert_eq!(forgotten, Err(StoreErrorKind::Unreadable));
    assert_eq!(desk.dump(), before);
}

/// What else came between the look and the change is not what the verdict is about.
#[test]
fn a_value_that_changed_since_it_was_looked_at_is_not_forgotten() {
    for (before, meanwhile) in [
        ("v:sub(1, 92)", "another value"),
        ("'one value'", "another value"),
        ("'one value'", "two value"),
        ("'one value'", ""),
        ("''", "another value"),
    ] {
        let desk = Desk::rewritten(before);
        let (redis, key) = (desk.site.redis, desk.key.clone());
        let proxy = Proxy::to(redis.addr());
        let mut sent = 0;
        let replace = move |command: &[Vec<u8>]| {
            let is_about_it = command.iter().any(|part| part == key.as_bytes());
            sent += usize::from(is_about_it);
            if is_about_it && sent == 2 {
                redis.command(&["SET", &key, meanwhile]);
            }
            false
        };
        // A look at the record, so that the server knows the script.
        assert_eq!(desk.inspect(), Err(StoreErrorKind::Unreadable));
        proxy.arm(Rule::when(replace, Harm::CutBefore));
        let store = desk.setup.store_builder(&proxy.url()).build();
        let store = store.expect("options that can hold");
        let forgotten = System::new().block_on(async {
            let (unreadable, forget) = (AttemptId::UNREADABLE, Verdict::Forget);
            store.resolve(&desk.id, &unreadable, &forget).await
        });
        assert_eq!(forgotten.expect("an answer"), Resolved::Refused);
        let value = desk.command(&["GET", &desk.key]).text();
        assert_eq!(value, meanwhile);
    }
}

#[test]
fn the_late_answer_of_a_forgotten_claim_is_refused_and_not_told() {
    let setup = Setup::impatient();
    let owners = setup.on(RedisServer::shared());
    owners.gate.close();
    let mut owner = owners.start("k");
    let (key, id) = (owners.key(), owners.record_id());
    owners.proxy.refuse_connections();
    owners.proxy.sever();
    let others = setup.on(RedisServer::shared());
    others.redis.command(&["PEXPIRE", &key, "80000000"]);
    assert_problem(&others.send("k"), 500, "outcome-unknown");
    let store = setup.store(others.redis);
    System::new().block_on(async {
        let record = store.inspect(&id).await.expect("an answer");
        let attempt = record.expect("a record").attempt;
        let forgotten = store.resolve(&id, &attempt, &Verdict::Forget).await;
        assert_eq!(forgotten.expect("an answer"), Resolved::Done);
    });
    owners.proxy.accept();
    owners.gate.open();
    // Its own answer is not the one that a retry will get.
    assert_problem(&owner.receive(), 500, "outcome-unknown");
    assert_first(&others.send("k"), 1);
    others.assert_replays("k", 1);
}
