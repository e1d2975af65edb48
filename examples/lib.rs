//! Runnable programs, one beside this file for each; what they share; and the code blocks of the README and of the
//! guide's pages about SQL, as tests.

pub mod cli;
pub mod folder;

// One of them is about SQL, so that all of them need the feature.
#[cfg(all(doctest, feature = "sql"))]
#[doc = include_str!("../README.md")]
struct Readme;

// Their crate cannot depend on the one that they are about.
#[cfg(all(doctest, feature = "sql"))]
#[doc = include_str!("../idempotency-actix/guide/transactions.md")]
#[doc = include_str!("../idempotency-actix/guide/sql.md")]
struct Guide;
