//! Runnable programs, one beside this file for each; what they share; and the code blocks of the README,
//! as tests.

pub mod cli;

// A block of the README is about Redis, so that all of them need the feature.
#[cfg(all(doctest, feature = "redis"))]
#[doc = include_str!("../README.md")]
struct Readme;
