//! The list of the cases about transactions, and how they are run. It knows nothing of what a case does.

use std::fmt;

use futures_util::future::LocalBoxFuture;

use super::harness::TransactionHarness;
use super::{ending, granting, recording, settling};
use crate::store::conformance::suite::run_all;
use crate::store::conformance::test_record::TestRecord;

/// One case about transactions, for a test runner that is given its tests at run time.
pub struct TransactionCase<H> {
    name: &'static str,
    run: for<'a> fn(&'a H) -> LocalBoxFuture<'a, ()>,
}

impl<H: TransactionHarness> TransactionCase<H> {
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

impl<H> fmt::Debug for TransactionCase<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TransactionCase").field(&self.name).finish()
    }
}

/// Lists the cases about transactions, in the order of the contract.
pub fn transaction_cases<H: TransactionHarness>() -> Vec<TransactionCase<H>> {
    crate::__transaction_conformance_cases!(list TransactionCase)
}

/// Runs all cases about transactions, one after the other.
///
/// # Panics
///
/// Panics at the end if any case failed, with the message of each.
pub async fn run_transactions<H: TransactionHarness>(harness: &H) {
    let cases = transaction_cases();
    run_all(cases.iter().map(|case| (case.name, case.run(harness)))).await;
}

/// What a test of [`transaction_conformance_tests!`](crate::transaction_conformance_tests) calls.
#[doc(hidden)]
pub async fn run_transaction_case<H: TransactionHarness>(name: &str, harness: &H) {
    let case = transaction_cases()
        .into_iter()
        .find(|case| case.name == name);
    let case = case.expect("the names of the tests are those of the cases");
    case.run(harness).await;
}

/// Writes one test for each case about [`Transactions`](crate::store::Transactions) of the suite in
/// [`store::conformance`](crate::store::conformance).
///
/// It takes what [`conformance_tests!`](crate::conformance_tests) takes, with an expression for the
/// [`TransactionHarness`](crate::store::conformance::TransactionHarness).
#[macro_export]
#[cfg_attr(docsrs, doc(cfg(feature = "conformance")))]
macro_rules! transaction_conformance_tests {
    (#[$test:meta] $harness:expr $(,)?) => {
        $crate::__transaction_conformance_cases!(tests[$test][$harness] run_transaction_case);
    };
}

/// Lists the cases under the point of the contract that they check, for the suite and its macro.
#[doc(hidden)]
#[macro_export]
macro_rules! __transaction_conformance_cases {
    ($($with:tt)*) => {
        $crate::__conformance_each! {
            $($with)*

            "contract of transactions 1":
            granting::an_operation_without_a_record_is_granted
            granting::a_running_operation_is_busy_at_once
            granting::operations_are_apart
            granting::a_claim_of_a_plain_handler_is_found
            granting::an_unknown_outcome_is_found
            granting::an_answer_of_a_plain_handler_is_found
            granting::what_is_not_granted_leaves_nothing_open;

            "contract of transactions 2":
            granting::of_concurrent_attempts_one_commits;

            "contract of transactions 3":
            recording::effect_and_record_commit_together
            recording::an_answer_may_be_recorded_and_not_kept
            recording::a_recorded_answer_is_over_after_its_ttl
            recording::a_lost_race_leaves_nothing
            recording::a_plain_transaction_leaves_its_effect_alone;

            "contract of transactions 4":
            settling::a_committed_attempt_is_found_by_its_own_claim
            settling::an_attempt_that_left_nothing_is_granted_again
            settling::a_commit_that_was_given_up_on_is_settled;

            "contract of transactions 5":
            ending::a_failed_statement_is_no_success
            ending::what_the_handler_ended_shows_at_the_commit
            ending::what_the_handler_ended_shows_at_the_rollback;

            "contract of transactions 6":
            ending::a_rollback_leaves_nothing
            ending::a_transaction_that_is_dropped_leaves_nothing
            ending::a_transaction_that_outlives_its_runtime_leaves_nothing
            ending::an_open_that_is_given_up_on_leaves_nothing
            ending::a_rollback_that_is_given_up_on_leaves_nothing;

            "contract of transactions 7":
            settling::an_owner_that_stands_still_loses_the_operation;

            "contract of transactions 8":
            granting::a_remembered_generation_is_gone_beyond
            granting::the_generation_of_a_forgotten_answer_is_gone_beyond;
        }
    };
}
