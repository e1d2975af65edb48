//! Runnable programs, one beside this file for each; and the code blocks of the README, as tests.

// A block of the README is about Redis, so that all of them need the feature.
#[cfg(all(doctest, feature = "redis"))]
#[doc = include_str!("../README.md")]
struct Readme;
