//! What `#[idempotent]` accepts, and what it says when it does not.

#[test]
fn accepted_shapes_compile_and_run() {
    trybuild::TestCases::new().pass("suites/attribute/pass/*.rs");
}

#[test]
fn every_mistake_has_a_message_of_its_own() {
    trybuild::TestCases::new().compile_fail("suites/attribute/fail/*.rs");
}
