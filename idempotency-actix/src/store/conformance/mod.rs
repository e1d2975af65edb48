//! The suite that every [`Store`] must pass: point by point what its contract says.
//!
//! Say how to make the store, how to let time pass for it and how long the suite's unit of time is,
//! in a [`Harness`]. Then either let [`conformance_tests!`](crate::conformance_tests) write one
//! test for each case, or call [`run`] for all of them.
//!
//! Every case uses record ids of its own, drawn at random. So cases can share a server, run at the
//! same time, and leave their records behind: all of them are over after some minutes, but for the
//! generations of answers that were forgotten, which are remembered for a day, and for one that is asked to be kept for ten years.
//!
//! Nothing here needs a runtime; a store that needs one finds it in the test that runs the suite. Races
//! are run on threads of their own, inside that runtime where it is tokio's.
//!
//! # Panics
//!
//! A panic is how a case fails. Its message says which point of the [contract](Store#contract) is
//! broken, what the store answered and what was due.
//!
//! # Examples
//!
//! The memory store, on a clock that stands still until it is moved:
//!
//! ```
//! use std::time::Duration;
//!
//! use idempotency_actix::store::conformance::{self, Harness};
//! use idempotency_actix::store::{Clock, MemoryStore};
//!
//! struct InMemory {
//!     clock: Clock,
//! }
//!
//! impl Harness for InMemory {
//!     type Store = MemoryStore;
//!
//!     async fn store(&self) -> MemoryStore {
//!         MemoryStore::builder().clock(self.clock.clone()).build()
//!     }
//!
//!     async fn pass(&self, time: Duration) {
//!         self.clock.advance(time);
//!     }
//!
//!     fn unit(&self) -> Duration {
//!         Duration::from_secs(10)
//!     }
//! }
//!
//! # actix_web::rt::System::new().block_on(async {
//! conformance::run(&InMemory { clock: Clock::manual() }).await;
//! # });
//! ```

mod begin;
mod complete;
mod forget;
mod generations;
mod inspect;
mod list;
mod race;
mod races;
mod release;
mod renew;
mod resolve;
mod retention;
mod trial;

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use self::trial::Trial;
use super::Store;

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

/// One case of the suite, for a test runner that is given its tests at run time.
pub struct Case<H> {
    name: &'static str,
    run: for<'a> fn(&'a H) -> BoxFuture<'a, ()>,
}

impl<H: Harness> Case<H> {
    /// What is true of a store that passes, as an identifier.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Runs the case.
    ///
    /// # Panics
    ///
    /// Panics if the store breaks the contract or answers with an error.
    pub async fn run(&self, harness: &H) {
        (self.run)(harness).await;
    }
}

impl<H> fmt::Debug for Case<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Case").field(&self.name).finish()
    }
}

/// Lists the cases of the suite, in the order of the contract.
pub fn cases<H: Harness>() -> Vec<Case<H>> {
    crate::__conformance_cases!(list)
}

/// Runs all cases, one after the other.
///
/// # Panics
///
/// Panics at the end if any case failed, with the message of each.
pub async fn run<H: Harness>(harness: &H) {
    let cases = cases();
    let mut failures = Vec::new();
    for case in &cases {
        let done = AssertUnwindSafe(case.run(harness)).catch_unwind().await;
        if let Err(panic) = done {
            failures.push(format!("{}: {}", case.name, message(&*panic)));
        }
    }
    assert!(
        failures.is_empty(),
        "{} of {} cases failed\n{}",
        failures.len(),
        cases.len(),
        failures.join("\n"),
    );
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    let fixed = || panic.downcast_ref::<&str>().copied();
    owned.or_else(fixed).unwrap_or("a panic without a message")
}

/// What a test of [`conformance_tests!`](crate::conformance_tests) calls.
#[doc(hidden)]
pub async fn run_case<H: Harness>(name: &str, harness: &H) {
    let case = cases().into_iter().find(|case| case.name == name);
    let case = case.expect("the names of the tests are those of the cases");
    case.run(harness).await;
}

/// Writes one test for each case of the suite in [`store::conformance`](crate::store::conformance).
///
/// It takes the attribute that makes a test of an `async fn`, and an expression for the
/// [`Harness`](crate::store::conformance::Harness), evaluated in each test anew (it may await). The
/// tests are named after what they show.
///
/// ```
/// # use std::time::Duration;
/// # use idempotency_actix::store::conformance::Harness;
/// # use idempotency_actix::store::{Clock, MemoryStore};
/// struct InMemory(Clock);
///
/// impl Harness for InMemory {
///     // ...
/// #     type Store = MemoryStore;
/// #     async fn store(&self) -> MemoryStore {
/// #         MemoryStore::builder().clock(self.0.clone()).build()
/// #     }
/// #     async fn pass(&self, time: Duration) {
/// #         self.0.advance(time);
/// #     }
/// #     fn unit(&self) -> Duration {
/// #         Duration::from_secs(10)
/// #     }
/// }
///
/// idempotency_actix::conformance_tests!(#[actix_web::test] InMemory(Clock::manual()));
/// # fn main() {}
/// ```
#[macro_export]
#[cfg_attr(docsrs, doc(cfg(feature = "conformance")))]
macro_rules! conformance_tests {
    (#[$test:meta] $harness:expr $(,)?) => {
        $crate::__conformance_cases!(tests[$test][$harness]);
    };
}
