//! What the suite must be told of a store. It knows no case.

use std::future::Future;
use std::time::Duration;

use crate::store::Store;

/// How the suite gets at a store.
pub trait Harness: Sync {
    /// What is tested.
    type Store: Store;

    /// Makes a store or a handle to one; each case asks once. It need not be empty.
    fn store(&self) -> impl Future<Output = Self::Store> + Send;

    /// Lets at least this much time pass for the stores of this harness.
    ///
    /// Where the clock can be moved, move it, and share it with no other case that runs at the same
    /// time. Where it cannot, sleep.
    fn pass(&self, time: Duration) -> impl Future<Output = ()> + Send;

    /// The suite's unit of time: leases are one to eight, and what must happen within a time is given
    /// one unit at least.
    ///
    /// On a manual clock anything does. On a real one, a unit is what the slowest answer of the
    /// store on a busy machine stays well below; 300 ms is a fair choice.
    fn unit(&self) -> Duration;

    /// How often each race is run; 200 times by default, enough where a step takes a round trip.
    ///
    /// A store whose steps take nanoseconds leaves gaps as short between two of them: 2,000 rounds
    /// find those, within a second.
    fn rounds(&self) -> usize {
        200
    }
}
