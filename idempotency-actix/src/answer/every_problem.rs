//! One problem of each type, for those that list them. It does not know what for.

use std::time::Duration;

use super::problem::Problem;
use crate::options::{DEFAULT_MAX_BODY, IDEMPOTENCY_KEY};
use crate::request::{InvalidFirstSent, InvalidKey};
use crate::store::NotKept;

/// One of each type, with what stands for what a request would bring.
pub(crate) fn every_problem() -> [Problem; 13] {
    [
        Problem::MissingKey(Some(IDEMPOTENCY_KEY)),
        Problem::InvalidKey(InvalidKey::Malformed),
        Problem::InvalidFirstSent(InvalidFirstSent::Missing),
        Problem::NoScope,
        Problem::InFlight,
        Problem::ResponseNotKept(NotKept::new(201, Some(b"/charges/1".to_vec()))),
        Problem::KeyExpired {
            max_key_age: Duration::from_secs(24 * 60 * 60),
        },
        Problem::BodyTooLarge {
            limit: DEFAULT_MAX_BODY,
        },
        Problem::KeyReused,
        Problem::QuotaExceeded,
        Problem::OutcomeUnknown,
        Problem::StoreUnavailable,
        Problem::Draining,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where a problem stands in the list. One that is new gets a place here, and then there.
    fn place(problem: &Problem) -> usize {
        match problem {
            Problem::MissingKey(_) => 0,
            Problem::InvalidKey(_) => 1,
            Problem::InvalidFirstSent(_) => 2,
            Problem::NoScope => 3,
            Problem::InFlight => 4,
            Problem::ResponseNotKept(_) | Problem::OtherCoding(_) => 5,
            Problem::KeyExpired { .. } => 6,
            Problem::BodyTooLarge { .. } => 7,
            Problem::KeyReused => 8,
            Problem::QuotaExceeded => 9,
            Problem::OutcomeUnknown => 10,
            Problem::StoreUnavailable | Problem::Undecided => 11,
            Problem::Draining => 12,
        }
    }

    #[test]
    fn each_type_is_there_once() {
        let places: Vec<_> = every_problem().iter().map(place).collect();
        assert_eq!(places, Vec::from_iter(0..places.len()));
        let mut names: Vec<_> = every_problem().iter().map(Problem::name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), places.len());
    }
}
