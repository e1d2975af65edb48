//! The part of the suite that is about [`Transactions`](crate::store::Transactions).

mod ending;
mod granting;
mod harness;
mod recording;
mod settling;
mod suite;
mod test_transaction;

pub use self::harness::TransactionHarness;
#[doc(hidden)]
pub use self::suite::run_transaction_case;
pub use self::suite::{TransactionCase, run_transactions, transaction_cases};
