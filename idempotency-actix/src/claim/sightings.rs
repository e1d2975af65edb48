//! What this process has seen of attempts of unknown outcome: since when, and how often the store refused what was found
//! out. It decides nothing about them.

use std::collections::HashMap;
use std::mem;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::store::{AttemptId, RecordId};

/// How many attempts are remembered for sure. One that is forgotten has to be seen again, and is taken
/// over later.
const MANY: usize = 32_768;

/// How long an attempt is remembered for sure between two looks: a client may come again the next day.
const LONG: Duration = Duration::from_secs(24 * 60 * 60);

/// So often a store may refuse what was found out about an attempt, until it is the finding's fault.
const TRIES: u32 = 3;

/// The longest that an attempt takes to ripen: a record's lease comes from a store, and may be any.
const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// When this process first saw a lapsed attempt, by its own monotonic clock.
///
/// A look at a store cannot tell a dead owner from one that could not renew for a while: a server
/// that restarts, is promoted, or sets its clock, calls the living dead. Whoever lives renews every
/// third of the lease, and is another attempt to see then.
#[derive(Default)]
pub(crate) struct Sightings(Mutex<Generations>);

/// The older half goes when the younger is full or has been there for long: what is still asked for is young again.
#[derive(Default)]
struct Generations {
    young: HashMap<RecordId, Sighting>,
    old: HashMap<RecordId, Sighting>,
    /// When the younger half was begun.
    begun: Option<Instant>,
}

#[derive(Clone, Copy)]
struct Sighting {
    attempt: AttemptId,
    first: Instant,
    /// How often the store refused what was found out about it.
    refused: u32,
}

impl Sightings {
    /// Notes that the attempt was seen. `None` if it was for at least so long; else when it will have
    /// been.
    pub(crate) fn ripens(
        &self,
        id: &RecordId,
        attempt: &AttemptId,
        after: Duration,
    ) -> Option<Instant> {
        self.ripens_at(Instant::now(), id, attempt, after)
    }

    fn ripens_at(
        &self,
        now: Instant,
        id: &RecordId,
        attempt: &AttemptId,
        after: Duration,
    ) -> Option<Instant> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = seen.young.get(id).or_else(|| seen.old.get(id)).copied();
        let sighting = match known {
            Some(known) if known.attempt == *attempt => known,
            _ => {
                let (attempt, first) = (*attempt, now);
                Sighting {
                    attempt,
                    first,
                    refused: 0,
                }
            }
        };
        let is_stale = now.duration_since(*seen.begun.get_or_insert(now)) > LONG;
        if seen.young.len() >= MANY || is_stale {
            seen.old = mem::take(&mut seen.young);
            seen.begun = Some(now);
        }
        seen.young.insert(*id, sighting);
        let ripe = sighting.first + after.min(FOR_EVER);
        (now < ripe).then_some(ripe)
    }

    /// Notes that the store refused what was found out about an attempt. `true` once it did so often enough for the
    /// finding to be at fault.
    pub(crate) fn is_at_fault(&self, id: &RecordId, attempt: &AttemptId) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sighting = seen.young.get_mut(id).filter(|it| it.attempt == *attempt);
        sighting.is_some_and(|sighting| {
            sighting.refused += 1;
            sighting.refused >= TRIES
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Token;

    const HOUR: Duration = Duration::from_secs(3600);

    fn id(number: usize) -> RecordId {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        RecordId::from_bytes(bytes)
    }

    #[test]
    fn another_sign_of_life_is_another_sighting() {
        let sightings = Sightings::default();
        let owner = Token::random();
        let [one, other] = [1, 2].map(|pulse| AttemptId::new(&owner, 1, pulse));
        let first = sightings.ripens(&id(1), &one, HOUR);
        assert!(first.is_some());
        assert_eq!(sightings.ripens(&id(1), &one, HOUR), first);
        assert_eq!(sightings.ripens(&id(1), &one, Duration::ZERO), None);
        assert!(sightings.ripens(&id(1), &other, HOUR) > first);
    }

    #[test]
    fn memory_is_bounded_and_keeps_the_younger_half() {
        let sightings = Sightings::default();
        let attempt = AttemptId::new(&Token::random(), 1, 1);
        let first = sightings.ripens(&id(0), &attempt, HOUR);
        for number in 1..=MANY {
            sightings.ripens(&id(number), &attempt, HOUR);
        }
        assert_eq!(sightings.ripens(&id(0), &attempt, HOUR), first);
        for number in 0..3 * MANY {
            sightings.ripens(&id(MANY + number), &attempt, HOUR);
        }
        let seen = sightings.0.lock().expect("no panic");
        assert!(seen.young.len() + seen.old.len() <= 2 * MANY);
        assert!(!seen.young.contains_key(&id(0)) && !seen.old.contains_key(&id(0)));
    }

    #[test]
    fn what_nobody_asks_for_any_more_is_forgotten() {
        let sightings = Sightings::default();
        let attempt = AttemptId::new(&Token::random(), 1, 1);
        for number in 0..1000 {
            sightings.ripens(&id(number), &attempt, HOUR);
        }
        let later = |days| Instant::now() + LONG * days + HOUR * days;
        let first = sightings.ripens(&id(0), &attempt, HOUR);
        assert!(first.is_some() && first < Some(later(1)));
        assert_eq!(sightings.ripens_at(later(1), &id(0), &attempt, HOUR), None);
        sightings.ripens_at(later(2), &id(1000), &attempt, HOUR);
        assert_eq!(sightings.ripens_at(later(2), &id(0), &attempt, HOUR), None);
        let seen = sightings.0.lock().expect("no panic");
        assert!(seen.young.capacity() + seen.old.capacity() < 100);
    }

    #[test]
    fn a_lease_without_end_does_not_overflow() {
        let sightings = Sightings::default();
        let attempt = AttemptId::new(&Token::random(), 1, 1);
        assert!(sightings.ripens(&id(1), &attempt, Duration::MAX).is_some());
        assert!(sightings.ripens(&id(1), &attempt, Duration::MAX).is_some());
    }
}
