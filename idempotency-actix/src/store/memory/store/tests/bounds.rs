//! The bounds of a store in memory: it refuses, and never evicts.

use super::*;

#[test]
fn a_store_full_of_entries_refuses_new_claims_and_evicts_nothing() {
    let (clock, store) = manual(2, usize::MAX);
    let (one, two) = (claim(), claim());
    grant(&store, 1, &one);
    grant(&store, 2, &two);
    complete(&store, 2, &two, 10, DAY);
    clock.advance(LEASE * 2);
    assert!(is_full(begin(&store, 3, &claim())));
    assert!(now(store.health()).is_err());
    assert!(matches!(
        state(&store, 1),
        Some(State::Unknown { lease: LEASE })
    ));
    assert!(matches!(state(&store, 2), Some(State::Finished(_))));
    assert!(matches!(begin(&store, 1, &one), Ok(Begun::Claimed { .. })));
    assert!(matches!(begin(&store, 2, &claim()), Ok(Begun::Found(_))));
}

#[test]
fn a_store_full_of_bytes_refuses_new_claims_and_admits_every_answer() {
    let (_, store) = manual(usize::MAX, 3 * RECORD);
    let (one, two, lost) = (claim(), claim(), claim());
    grant(&store, 1, &one);
    grant(&store, 2, &two);
    complete(&store, 1, &one, RECORD + 1, DAY);
    assert!(is_full(begin(&store, 3, &claim())));
    complete(&store, 2, &two, 1_000_000, DAY);
    complete(&store, 4, &lost, 1_000_000, DAY);
    assert!(matches!(state(&store, 4), Some(State::Finished(_))));
    assert_eq!(store.bytes(), 4 * RECORD + 1 + 2_000_000);
}

#[test]
fn a_bound_of_zero_refuses_every_claim() {
    let (_, entries) = manual(0, usize::MAX);
    let (_, bytes) = manual(usize::MAX, 0);
    assert!(is_full(begin(&entries, 1, &claim())));
    assert!(is_full(begin(&bytes, 1, &claim())));
    assert!(entries.is_empty() && entries.bytes() == 0);
    assert!(bytes.is_empty() && bytes.bytes() == 0);
}

#[test]
fn a_full_store_admits_claims_as_soon_as_anything_is_over() {
    let (clock, store) = manual(1000, usize::MAX);
    for n in 0..1000 {
        let claim = claim();
        grant(&store, n, &claim);
        let ttl = if n == 500 { LEASE } else { DAY };
        complete(&store, n, &claim, 10, ttl);
    }
    assert!(is_full(begin(&store, 1000, &claim())));
    clock.advance(LEASE);
    grant(&store, 1000, &claim());
    assert!(is_full(begin(&store, 1001, &claim())));
    clock.advance(DAY);
    for n in 1001..2000 {
        grant(&store, n, &claim());
    }
    assert!(now(store.health()).is_ok());
}

#[test]
fn a_full_store_finds_what_is_over_behind_what_is_kept_for_longer() {
    const HOUR: Duration = Duration::from_secs(3600);
    let (clock, store) = manual(2000, usize::MAX);
    for n in 0..2000 {
        let claim = claim();
        grant(&store, n, &claim);
        let ttl = if n < 400 { 36 * HOUR } else { 22 * HOUR };
        complete(&store, n, &claim, 10, ttl);
    }
    clock.advance(23 * HOUR);
    for n in 2000..3600 {
        grant(&store, n, &claim());
    }
    assert!(is_full(begin(&store, 3600, &claim())));
}

#[test]
fn concurrent_claims_never_pass_the_bound() {
    let (_, store) = manual(100, usize::MAX);
    let granted: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let store = &store;
                scope.spawn(move || {
                    let ids = (0..100).map(|n| thread * 1000 + n);
                    ids.filter(|n| begin(store, *n, &claim()).is_ok()).count()
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no thread panics"))
            .sum()
    });
    assert_eq!((granted, store.len()), (100, 100));
}

#[test]
fn a_caller_fills_its_half_and_no_more() {
    let (clock, store) = manual(100, usize::MAX);
    let of = |caller| claim().of_caller(caller);
    for n in 0..50 {
        let claim = of(1);
        grant(&store, n, &claim);
        complete(&store, n, &claim, 10, LEASE * (1 + n as u32 % 2));
    }
    assert!(is_full(begin(&store, 100, &of(1))));
    assert!(now(store.health()).is_ok());
    for n in 50..99 {
        grant(&store, n, &of(2));
    }
    // What is over makes room for its own caller.
    clock.advance(LEASE);
    for n in 100..125 {
        grant(&store, n, &of(1));
    }
    assert!(is_full(begin(&store, 125, &of(1))));
}

#[test]
fn a_caller_fills_half_of_the_octets_and_no_more() {
    let (clock, store) = manual(usize::MAX, 100_000);
    let of = |caller| claim().of_caller(caller);
    let large = of(1);
    grant(&store, 1, &large);
    complete(&store, 1, &large, 50_000, DAY);
    assert!(is_full(begin(&store, 2, &of(1))));
    grant(&store, 3, &of(2));
    // Nobody counts for whom nothing is told.
    grant(&store, 4, &claim());
    clock.advance(DAY * 3);
    sweep(&store);
    assert_eq!((store.len(), store.bytes()), (0, 0));
    assert!(store.0.capacity.callers_are_forgotten());
}
