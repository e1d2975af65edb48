//! What a store in memory does beside the contract: it forgets in time, counts, and wakes.

mod bounds;

use std::pin::pin;
use std::task::{Context, Waker};

use actix_web::http::StatusCode;
use actix_web::web::Bytes;
use futures_util::FutureExt;

use super::*;
use crate::store::memory::capacity::RECORD;
use crate::store::{Fingerprint, State, StoreErrorKind, StoredResponse, Token};

const SECOND: Duration = Duration::from_secs(1);
const LEASE: Duration = Duration::from_secs(30);
const DAY: Duration = Duration::from_secs(86_400);

fn manual(max_entries: usize, max_bytes: usize) -> (Clock, MemoryStore) {
    let clock = Clock::manual();
    let builder = MemoryStore::builder().clock(clock.clone());
    let store = builder
        .max_entries(max_entries)
        .max_bytes(max_bytes)
        .build();
    (clock, store)
}

fn unbounded() -> (Clock, MemoryStore) {
    manual(usize::MAX, usize::MAX)
}

fn id(n: u64) -> RecordId {
    let digest = blake3::hash(&n.to_le_bytes());
    RecordId::from_bytes(*digest.as_bytes())
}

fn claim() -> Claim {
    let fingerprint = Fingerprint::new(Fingerprint::BYTES, [7; 32]);
    Claim::new(Token::random(), fingerprint, LEASE, DAY)
}

fn answer(size: usize) -> Finished {
    let body = Some(Bytes::from(vec![b'x'; size]));
    Finished::Completed(StoredResponse::new(StatusCode::OK, [], body))
}

fn now<T>(call: impl Future<Output = T>) -> T {
    call.now_or_never()
        .expect("a call of the memory store never waits")
}

fn begin(store: &MemoryStore, n: u64, claim: &Claim) -> Result<Begun, StoreError> {
    now(store.begin(&id(n), claim))
}

fn grant(store: &MemoryStore, n: u64, claim: &Claim) {
    assert!(matches!(begin(store, n, claim), Ok(Begun::Claimed { .. })));
}

fn is_full(begun: Result<Begun, StoreError>) -> bool {
    begun.is_err_and(|error| error.kind() == StoreErrorKind::Full)
}

fn state(store: &MemoryStore, n: u64) -> Option<State> {
    let record = now(store.inspect(&id(n))).expect("the memory store reads");
    record.map(|record| record.state)
}

fn renew(store: &MemoryStore, n: u64, claim: &Claim) {
    assert!(matches!(
        now(store.renew(&id(n), claim)),
        Ok(Renewed::Alive)
    ));
}

fn complete(store: &MemoryStore, n: u64, claim: &Claim, size: usize, ttl: Duration) {
    let done = now(store.complete(&id(n), claim, &answer(size), ttl));
    assert!(!matches!(done, Err(_) | Ok(Completion::Refused)));
}

fn sweep(store: &MemoryStore) {
    for at in 0..SHARDS {
        store.step(at, |shard, now, capacity| {
            shard.sweep(usize::MAX, now, capacity)
        });
    }
}

fn records_and_queued(store: &MemoryStore) -> (usize, usize) {
    let shards = store.0.shards.iter();
    shards.fold((0, 0), |(records, queued), shard| {
        let (r, q) = shard.lock().records_and_queued();
        (records + r, queued + q)
    })
}

fn room(store: &MemoryStore) -> usize {
    let shards = store.0.shards.iter();
    shards.map(|shard| shard.lock().room()).sum()
}

#[test]
fn memory_follows_the_ttl_and_not_the_retention_nor_the_lease() {
    for lease in [LEASE, Duration::from_secs(3600)] {
        let (clock, store) = unbounded();
        for n in 0..100_000 {
            let fingerprint = Fingerprint::new(Fingerprint::BYTES, [7; 32]);
            let claim = Claim::new(Token::random(), fingerprint, lease, DAY);
            grant(&store, n, &claim);
            complete(&store, n, &claim, 10, SECOND);
            clock.advance(Duration::from_millis(1));
            if n % 1000 == 0 {
                let (records, queued) = records_and_queued(&store);
                assert!(records < 2_000, "{records} records of 1,000 a second");
                assert!(queued <= 2 * records + 64 * SHARDS, "{queued} items");
            }
        }
    }
}

#[test]
fn renewed_claims_keep_one_queue_item_each() {
    let (clock, store) = unbounded();
    let claims: Vec<_> = (0..100).map(|_| claim()).collect();
    for (n, claim) in (0..).zip(&claims) {
        grant(&store, n, claim);
    }
    for _ in 0..1000 {
        clock.advance(LEASE / 3);
        for (n, claim) in (0..).zip(&claims) {
            renew(&store, n, claim);
        }
        sweep(&store);
    }
    assert_eq!(records_and_queued(&store), (100, 100));
}

#[test]
fn a_queue_item_of_a_claim_that_is_gone_drops_no_other() {
    let (clock, store) = unbounded();
    let gone = claim();
    grant(&store, 1, &gone);
    assert!(matches!(
        now(store.release(&id(1), &gone)),
        Ok(Released::Released)
    ));
    clock.advance(LEASE / 2);
    grant(&store, 1, &claim());
    clock.advance(LEASE / 2);
    sweep(&store);
    assert!(matches!(state(&store, 1), Some(State::InFlight)));
    clock.advance(DAY);
    sweep(&store);
    assert_eq!(records_and_queued(&store), (0, 0));
}

#[test]
fn what_is_over_is_dropped_by_calls_for_other_records() {
    let (clock, store) = unbounded();
    for n in 0..10_000 {
        let claim = claim();
        grant(&store, n, &claim);
        complete(&store, n, &claim, 100, DAY);
    }
    clock.advance(DAY);
    for n in 0..10_000 {
        grant(&store, 10_000 + n, &claim());
    }
    assert_eq!(store.len(), 10_000);
    assert_eq!(store.bytes(), 10_000 * RECORD);
}

#[test]
fn the_books_balance_after_any_mixture_of_calls() {
    let (clock, store) = manual(300, 100_000);
    let mut dice = 1_u64;
    let mut roll = |sides: u64| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (dice >> 33) % sides
    };
    let claims: Vec<_> = (0..400)
        .map(|n| {
            if n % 4 == 0 {
                claim()
            } else {
                claim().of_caller(n % 4)
            }
        })
        .collect();
    for round in 0..40_000 {
        let n = roll(400);
        let own = &claims[(n + roll(2)) as usize % 400];
        let ttl = SECOND * roll(60) as u32;
        let seen = now(store.inspect(&id(n))).expect("the memory store reads");
        match roll(8) {
            0 | 1 => drop(begin(&store, n, own)),
            2 | 3 => drop(now(store.complete(
                &id(n),
                own,
                &answer(roll(900) as usize),
                ttl,
            ))),
            4 => drop(now(store.release(&id(n), own))),
            5 => drop(now(store.renew(&id(n), own))),
            _ => {
                let verdict = match roll(4) {
                    0 => Verdict::NotExecuted,
                    1 => Verdict::TakeOver(claim()),
                    2 => Verdict::Forget,
                    _ => Verdict::Finished(answer(roll(900) as usize), ttl),
                };
                if let Some(seen) = seen {
                    drop(now(store.resolve(&id(n), &seen.attempt, &verdict)));
                }
            }
        }
        clock.advance(Duration::from_millis(roll(200)));
        if round % 100 == 0 {
            let bytes: usize = store
                .0
                .shards
                .iter()
                .map(|shard| shard.lock().counted_bytes())
                .sum();
            assert_eq!(store.bytes(), bytes);
            assert_eq!(store.len(), records_and_queued(&store).0);
        }
    }
}

#[test]
fn lease_and_ttl_end_to_the_nanosecond() {
    let tick = Duration::from_nanos(1);
    let (clock, store) = unbounded();
    let claim = claim();
    grant(&store, 1, &claim);
    clock.advance(LEASE - tick);
    assert!(matches!(state(&store, 1), Some(State::InFlight)));
    clock.advance(tick);
    assert!(matches!(
        state(&store, 1),
        Some(State::Unknown { lease: LEASE })
    ));
    clock.advance(DAY - LEASE - tick);
    assert!(matches!(
        state(&store, 1),
        Some(State::Unknown { lease: LEASE })
    ));
    complete(&store, 1, &claim, 10, SECOND);
    clock.advance(SECOND - tick);
    assert!(matches!(state(&store, 1), Some(State::Finished(_))));
    clock.advance(tick);
    assert!(state(&store, 1).is_none());
}

#[test]
fn the_generation_of_a_forgotten_answer_is_remembered_for_a_day_or_what_it_had_left() {
    let tick = Duration::from_nanos(1);
    for (ttl, due) in [(SECOND, DAY), (3 * DAY, 3 * DAY - SECOND / 2)] {
        let (clock, store) = unbounded();
        for n in [1, 2] {
            let claim = claim();
            grant(&store, n, &claim);
            complete(&store, n, &claim, 1000, ttl);
        }
        clock.advance(SECOND / 2);
        for n in [1, 2] {
            let seen = now(store.inspect(&id(n))).expect("the memory store reads");
            let attempt = seen.expect("an answer").attempt;
            let resolved = now(store.resolve(&id(n), &attempt, &Verdict::Forget));
            assert!(matches!(resolved, Ok(Resolved::Done)));
        }
        assert_eq!((store.len(), store.bytes()), (2, 2 * RECORD));
        let generation = |n| match begin(&store, n, &claim()) {
            Ok(Begun::Claimed { generation }) => generation,
            other => panic!("{other:?}"),
        };
        clock.advance(due - tick);
        assert_eq!(generation(1), 2);
        clock.advance(tick);
        assert_eq!(generation(2), 1);
    }
}

#[test]
fn time_without_end_does_not_overflow() {
    let (clock, store) = unbounded();
    clock.advance(DAY);
    let fingerprint = Fingerprint::new(Fingerprint::BYTES, [7; 32]);
    let claim = Claim::new(Token::random(), fingerprint, Duration::MAX, Duration::MAX);
    grant(&store, 1, &claim);
    complete(&store, 1, &claim, 10, Duration::MAX);
    clock.advance(DAY * 36_500);
    assert!(matches!(state(&store, 1), Some(State::Finished(_))));
}

#[test]
fn a_clock_that_stands_still_costs_each_claim_the_same() {
    let (_, store) = unbounded();
    for n in 0..3 {
        let kept = claim();
        grant(&store, n, &kept);
    }
    for _ in 0..5_000 {
        let released = claim();
        grant(&store, 3, &released);
        let released = now(store.release(&id(3), &released));
        assert!(matches!(released, Ok(Released::Released)));
        let (_, queued) = records_and_queued(&store);
        assert!(queued <= 2 * 4 + 64 * SHARDS, "{queued} items of 4 records");
    }
}

#[test]
fn a_store_gives_the_room_of_a_busy_hour_back() {
    let (clock, store) = unbounded();
    for n in 0..100_000 {
        let claim = claim();
        grant(&store, n, &claim);
        complete(&store, n, &claim, 10, SECOND);
    }
    assert!(room(&store) > 100_000);
    clock.advance(DAY);
    sweep(&store);
    assert_eq!(store.len(), 0);
    assert!(room(&store) < 10_000, "room for {}", room(&store));
}

#[test]
fn a_clock_that_is_moved_to_the_end_of_time_stops_there() {
    let (clock, store) = unbounded();
    let first = claim();
    grant(&store, 1, &first);
    for _ in 0..3 {
        clock.advance(Duration::MAX);
    }
    assert!(state(&store, 1).is_none());
    let second = claim();
    grant(&store, 2, &second);
    clock.advance(Duration::MAX);
    assert!(matches!(state(&store, 2), Some(State::InFlight)));
    complete(&store, 2, &second, 10, DAY);
    assert!(matches!(state(&store, 2), Some(State::Finished(_))));
}

#[test]
fn an_answer_that_is_kept_holds_no_larger_buffer() {
    let (_, store) = unbounded();
    let large = Bytes::from(vec![b'x'; 1 << 20]);
    let response = StoredResponse::new(StatusCode::OK, [], Some(large.slice(..2000)));
    let finished = Finished::Completed(response);
    let (one, two) = (claim(), claim());
    for (n, claim) in [(1, &one), (2, &two)] {
        grant(&store, n, claim);
    }
    let done = now(store.complete(&id(1), &one, &finished, DAY));
    assert!(matches!(done, Ok(Completion::Recorded)));
    // A verdict about an unknown outcome brings an answer of the application's.
    let unknown = Claim::new(Token::random(), *two.fingerprint(), Duration::ZERO, DAY);
    grant(&store, 3, &unknown);
    let seen = now(store.inspect(&id(3))).expect("the memory store reads");
    let attempt = seen.expect("a record").attempt;
    let resolved = now(store.resolve(&id(3), &attempt, &Verdict::Finished(finished, DAY)));
    assert!(matches!(resolved, Ok(Resolved::Done)));
    assert!(large.is_unique());
}

#[test]
fn a_change_after_the_first_poll_wakes_the_waiter() {
    let (_, store) = unbounded();
    let (one, two) = (claim(), claim());
    grant(&store, 1, &one);
    let mut context = Context::from_waker(Waker::noop());
    let (key, mut waits) = (id(1), Vec::new());
    for _ in 0..2 {
        let mut wait = Box::pin(store.changed(&key));
        assert!(wait.as_mut().poll(&mut context).is_pending());
        waits.push(wait);
    }
    renew(&store, 1, &one);
    assert!(waits[0].as_mut().poll(&mut context).is_pending());
    let released = now(store.release(&key, &one));
    assert!(matches!(released, Ok(Released::Released)));
    for mut wait in waits {
        assert!(wait.as_mut().poll(&mut context).is_ready());
    }

    grant(&store, 1, &two);
    let mut wait = pin!(store.changed(&key));
    assert!(wait.as_mut().poll(&mut context).is_pending());
    complete(&store, 1, &two, 10, DAY);
    assert!(wait.as_mut().poll(&mut context).is_ready());
}

#[test]
fn ids_spread_over_all_shards() {
    let (_, store) = unbounded();
    for n in 0..6_400 {
        grant(&store, n, &claim());
    }
    for shard in &store.0.shards {
        let (records, _) = shard.lock().records_and_queued();
        assert!((40..200).contains(&records), "{records}");
    }
}

#[test]
fn debug_shows_sizes_only() {
    let (_, store) = unbounded();
    grant(&store, 1, &claim());
    assert_eq!(
        format!("{store:?}"),
        "MemoryStore { len: 1, bytes: 256, .. }"
    );
}
