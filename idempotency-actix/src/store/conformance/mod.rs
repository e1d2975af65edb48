//! The suite that every [`Store`](crate::store::Store) must pass: point by point what its contract says.
//!
//! Say how to make the store, how to let time pass for it and how long the suite's unit of time is,
//! in a [`Harness`]. Then either let [`conformance_tests!`](crate::conformance_tests) write one
//! test for each case, or call [`run`] for all of them.
//!
//! Every case uses record ids of its own, drawn at random. So cases can share a server, run at the
//! same time, and leave their records behind: all of them are over after some minutes, but for the
//! generations of answers that were forgotten, which are remembered for a day, and for one that is asked to
//! be kept for ten years.
//!
//! A store of [`Transactions`](crate::store::Transactions) has a part of the suite for itself, by the point of that trait's
//! contract: say in a [`TransactionHarness`] what a handler does, and call
//! [`transaction_conformance_tests!`](crate::transaction_conformance_tests) or [`run_transactions`].
//!
//! Nothing here needs a runtime; a store that needs one finds it in the test that runs the suite. Races
//! are run on threads of their own, inside that runtime where it is tokio's.
//!
//! # Panics
//!
//! A panic is how a case fails. Its message says which point of the [contract](crate::store::Store#contract) is
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
//! use idempotency_actix::{Clock, MemoryStore};
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
mod harness;
mod inspect;
mod race;
mod races;
mod release;
mod renew;
mod resolve;
mod retention;
mod suite;
mod test_record;
mod transactions;
mod unknown;

pub use self::harness::Harness;
#[doc(hidden)]
pub use self::suite::run_case;
pub use self::suite::{Case, cases, run};
#[doc(hidden)]
pub use self::transactions::run_transaction_case;
pub use self::transactions::{
    TransactionCase, TransactionHarness, run_transactions, transaction_cases,
};
