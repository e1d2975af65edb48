//! What the suite must be told of a store's transactions. It knows no case.

use std::future::Future;

use crate::store::Transactions;
use crate::store::conformance::Harness;

/// How the suite gets at what a handler does in a transaction.
///
/// An effect is whatever stands in the application's own tables: a row with that name, say. Each case has names of its own.
pub trait TransactionHarness: Harness<Store: Transactions> {
    /// Writes an effect of that name in the transaction, as a handler would.
    fn write(
        &self,
        transaction: &mut TransactionOf<Self>,
        effect: &str,
    ) -> impl Future<Output = ()>;

    /// Counts the effects of that name that are committed, from outside of any transaction.
    fn effects(&self, effect: &str) -> impl Future<Output = usize>;

    /// Sends a statement that fails, so that the database would commit nothing of the transaction, and passes over the
    /// error.
    fn fail(&self, transaction: &mut TransactionOf<Self>) -> impl Future<Output = ()>;

    /// Commits by a statement of its own, behind the store's back, and begins another transaction by one.
    fn end(&self, transaction: &mut TransactionOf<Self>) -> impl Future<Output = ()>;

    /// Whether the database ends a transaction that is idle for too long; `true` by default.
    fn ends_what_is_idle(&self) -> bool {
        true
    }
}

/// A transaction of the harness's store.
pub(super) type TransactionOf<H> = <<H as Harness>::Store as Transactions>::Transaction;
