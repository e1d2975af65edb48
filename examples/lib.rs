//! Runnable programs, one beside this file for each; what they share; and the code blocks of the README,
//! as tests.

pub mod cli;
pub mod folder;

// Some blocks of the README are about Redis or SQL, so that all of them need the features.
#[cfg(all(doctest, feature = "redis", feature = "sql"))]
#[doc = include_str!("../README.md")]
struct Readme;
