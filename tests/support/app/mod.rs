//! The application under test, in one process: its layer covers handlers that count, wait and answer as
//! a test tells them to, over a store that may fail as told.

mod account;
mod counter;
mod faulty_store;
mod gate;
mod mode;
mod rig;
mod site;

pub use account::{Account, authenticate, principal};
pub use counter::Counter;
pub use faulty_store::{Call, DOWN, Fault, FaultyStore};
pub use gate::Gate;
pub use mode::Mode;
pub use rig::{BODY, Rig, Run, Stage, answer, created, wait_at_gate};
pub use site::{Site, builder, charge, covering, marked, plain};
