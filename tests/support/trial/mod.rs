//! The trial of transactions: processes that serve one bank are killed, cut off and stopped under load, and every key must
//! then show one effect and one answer. The suites run it in small numbers, `binaries/trial.rs` in large ones.
//!
//! - [`Place`]: a database, with the bank and its records, [guarded](Guard) by the layer or by nothing;
//! - [`Teller`]: a process that serves it;
//! - the scenarios, each a kind of fault: [`kills`], [`crashes`], [`cuts`], [`duplicates`], [`stops`];
//! - [`Verdict`]: what a scenario came to.

mod clients;
mod crew;
mod place;
mod scenarios;
mod teller;
mod verdict;

pub use place::{Guard, Place};
pub use scenarios::{At, SHORT, crashes, cuts, duplicates, kills, stops};
pub use teller::Teller;
pub use verdict::Verdict;
