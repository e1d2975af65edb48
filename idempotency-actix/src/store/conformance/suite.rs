//! The list of the cases, and how they are run. It knows nothing of what a case does.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::test_record::TestRecord;
use super::{
    Harness, begin, complete, forget, generations, inspect, races, release, renew, resolve,
    retention, unknown,
};

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
    crate::__conformance_cases!(list Case)
}

/// Runs all cases, one after the other.
///
/// # Panics
///
/// Panics at the end if any case failed, with the message of each.
pub async fn run<H: Harness>(harness: &H) {
    let cases = cases();
    run_all(cases.iter().map(|case| (case.name, case.run(harness)))).await;
}

/// Runs cases by their names, and fails with the messages of all that did.
pub(super) async fn run_all(
    cases: impl ExactSizeIterator<Item = (&'static str, impl Future<Output = ()>)>,
) {
    let count = cases.len();
    let mut failures = Vec::new();
    for (name, case) in cases {
        if let Err(panic) = AssertUnwindSafe(case).catch_unwind().await {
            failures.push(format!("{name}: {}", message(&*panic)));
        }
    }
    assert!(
        failures.is_empty(),
        "{} of {count} cases failed\n{}",
        failures.len(),
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
/// # use idempotency_actix::{Clock, MemoryStore};
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
        $crate::__conformance_cases!(tests[$test][$harness] run_case);
    };
}

/// Lists the cases under the point of the contract that they check, for the suite and its macro.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_cases {
    ($($with:tt)*) => {
        $crate::__conformance_each! {
            $($with)*

            "contract 1":
            begin::a_claim_on_an_absent_record_is_granted
            begin::a_claim_sent_twice_is_granted_twice
            begin::a_claim_sent_again_after_its_lease_is_in_flight
            begin::another_claim_finds_the_one_in_flight
            begin::a_claim_on_a_finished_record_finds_the_answer
            begin::records_are_apart
            races::of_concurrent_claims_one_is_granted
            races::concurrent_copies_of_a_claim_are_all_granted;

            "contract 2":
            begin::a_claim_sent_again_is_a_sign_of_life
            begin::a_lapsed_claim_is_unknown_and_never_absent
            renew::renewing_starts_the_lease_anew;

            "contract 3":
            renew::renewing_an_unknown_claim_brings_it_back
            renew::renewing_by_another_token_is_lost
            renew::renewing_what_is_absent_is_lost
            renew::renewing_a_finished_record_is_lost
            complete::completing_in_flight_records_the_answer
            complete::completing_unknown_records_the_answer
            complete::completing_twice_changes_nothing
            complete::completing_by_another_token_is_refused
            complete::every_answer_is_found_as_it_was
            complete::an_answer_may_be_known_and_not_kept
            release::releasing_in_flight_leaves_nothing
            release::releasing_unknown_leaves_nothing
            release::releasing_by_another_token_changes_nothing
            release::releasing_what_is_absent_is_not_for_its_owner
            release::releasing_a_finished_record_changes_nothing
            races::release_and_completion_have_an_order;

            "contract 4":
            complete::completing_what_is_absent_stores_the_answer
            release::completing_after_a_release_stores_the_answer
            races::of_concurrent_answers_to_what_is_absent_one_is_stored;

            "contract 5":
            resolve::a_verdict_may_be_an_answer
            resolve::a_verdict_shuts_out_the_attempt
            resolve::a_verdict_may_be_that_nothing_happened
            resolve::a_takeover_is_in_flight_at_the_next_generation
            resolve::a_takeover_shuts_out_the_old_attempt
            resolve::a_takeover_sent_twice_is_done_twice
            resolve::no_verdict_stands_on_a_live_claim
            resolve::no_verdict_stands_on_an_attempt_renewed_since
            resolve::no_verdict_stands_on_another_attempt
            resolve::no_verdict_stands_on_the_attempt_before_a_takeover
            resolve::no_verdict_stands_on_a_finished_record_but_to_forget_it
            resolve::no_verdict_stands_on_what_is_absent
            races::a_late_answer_or_a_verdict_wins
            races::a_renewal_or_a_takeover_wins
            races::of_concurrent_takeovers_one_wins
            forget::forgetting_twice_forgets_once
            forget::an_answer_of_another_attempt_is_not_forgotten
            forget::what_can_be_read_is_not_the_unreadable_attempt
            races::a_late_answer_is_forgotten_or_refused
            races::a_renewed_claim_is_not_forgotten;

            "contract 6":
            retention::an_answer_is_over_after_its_ttl
            retention::an_answer_outlives_the_retention_of_its_claim
            retention::the_answer_of_a_verdict_is_over_after_its_ttl
            retention::an_unknown_claim_is_over_after_its_retention
            retention::a_sign_of_life_starts_the_retention_anew
            retention::in_flight_outlives_its_retention
            retention::what_is_over_is_absent_to_every_call
            retention::ten_years_are_not_too_long;

            "contract 7":
            generations::a_release_above_generation_1_is_remembered
            generations::a_release_of_a_fenced_claim_is_remembered
            generations::not_executed_above_generation_1_is_remembered
            generations::what_is_remembered_is_absent_to_every_call
            generations::an_answer_at_or_below_what_is_remembered_is_refused
            generations::an_answer_above_what_is_remembered_is_stored
            generations::generations_rise_through_takeovers_and_releases
            generations::a_generation_is_remembered_for_the_retention
            forget::forgetting_unknown_leaves_its_generation
            forget::forgetting_an_answer_leaves_its_generation
            forget::forgetting_a_verdict_leaves_its_generation
            forget::forgetting_a_takeover_shuts_out_all_before_it
            forget::a_forgotten_generation_is_remembered_for_the_retention
            races::concurrent_claims_over_a_generation_agree;

            "contract 8":
            begin::a_claim_sent_again_keeps_what_was_stored
            renew::renewing_goes_by_what_was_stored
            complete::completing_keeps_what_was_stored
            inspect::an_unknown_claim_tells_its_own_lease
            inspect::a_claim_tells_its_description;

            "contract 9":
            unknown::a_lapsed_claim_is_listed_and_a_live_one_is_not
            unknown::what_is_decided_or_alive_again_is_not_listed
            unknown::pages_tell_each_once;

            "inspect":
            inspect::inspecting_shows_what_a_claim_finds
            inspect::inspecting_changes_nothing
            inspect::attempts_tell_signs_of_life_apart
            inspect::an_answer_is_told_from_its_claim;

            "health":
            inspect::a_store_that_serves_is_healthy;
        }
    };
}

/// Makes of each case a test, or an entry of `cases`.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_each {
    (tests [$test:meta] [$harness:expr] $run:ident
        $($rule:literal: $($group:ident::$case:ident)+;)+
    ) => {
        $($(
            #[$test]
            async fn $case() {
                $crate::store::conformance::$run(stringify!($case), &$harness).await;
            }
        )+)+
    };
    (list $listed:ident $($rule:literal: $($group:ident::$case:ident)+;)+) => {
        vec![$($(
            $listed {
                name: stringify!($case),
                run: |harness| {
                    Box::pin(async move {
                        $group::$case(TestRecord::new(harness, $rule).await).await;
                    })
                },
            },
        )+)+]
    };
}
