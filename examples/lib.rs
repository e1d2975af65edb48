//! Runnable programs, one beside this file for each; and the code blocks of the README, as tests.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
