//! The right to run: taken, kept alive, given up, and what could not be finished in time. It knows no HTTP.

mod activity;
mod background;
mod backlog;
mod budget;
mod claims;
mod deadline;
mod guarded;
mod held;
mod late_releases;
mod lease;
mod parked;
mod parked_queue;
mod pending;
mod quota;
mod recording;
mod renewal_schedule;
mod renewals;
mod retries;
mod sightings;
mod waiters;

pub(crate) use self::activity::Transacting;
pub(crate) use self::budget::{Budget, Share};
pub(crate) use self::claims::Claims;
pub(crate) use self::guarded::guarded;
pub(crate) use self::held::HeldClaim;
pub(crate) use self::lease::{Grant, Lease, Moment};
pub(crate) use self::quota::{CallerHash, Seat};
pub(crate) use self::recording::Recorded;
pub(crate) use self::waiters::{Waiters, Waiting};
