//! What the columns hold of generations, durations and fingerprints. It knows no row.

use std::time::Duration;

use idempotency_actix::store::Fingerprint;

/// The scheme and the digest behind it.
pub(crate) fn octets(fingerprint: &Fingerprint) -> Vec<u8> {
    [&[fingerprint.scheme()][..], fingerprint.digest()].concat()
}

pub(crate) fn clamped(generation: u64) -> i64 {
    i64::try_from(generation).unwrap_or(i64::MAX)
}

/// A century: sums of two such times are far from the end of what the column holds.
const MOST: i64 = 100 * 365 * 86_400 * 1_000_000;

/// Microseconds, rounded up: nothing is over before its time.
pub(crate) fn micros(duration: Duration) -> i64 {
    let micros = duration.as_nanos().div_ceil(1_000);
    i64::try_from(micros).unwrap_or(MOST).min(MOST)
}

pub(crate) fn duration(micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rounded_up_and_bounded() {
        assert_eq!(micros(Duration::from_nanos(1)), 1);
        assert_eq!(micros(Duration::from_millis(2)), 2_000);
        assert_eq!(micros(Duration::MAX), MOST);
        assert_eq!(clamped(u64::MAX), i64::MAX);
    }
}
