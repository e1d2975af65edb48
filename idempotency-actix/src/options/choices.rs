//! What a route chooses for an unknown outcome and for a store that fails: the promise, or to go on.

use super::provided::Provided;
use super::recovery::Recover;

/// What happens to a request with a key when the store cannot be asked for the claim.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Deserialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum OnStoreFailure {
    /// It is answered 503, and nothing runs: what keeps the promise.
    #[default]
    Reject,
    /// The handler runs unprotected, with a loud incident: what keeps the service up.
    ///
    /// While it runs the claim is asked for again, and its answer is recorded at the end if the store is
    /// back by then. A retry meanwhile may run a second time, so this is for effects that can be
    /// repeated, or that are made safe by a key [derived](crate::IdempotencyKey::derive) for the service
    /// behind. A record that is there, readable or not, is never run over.
    Run,
}

/// What happens to a retry when nobody knows whether the first request took effect: its process died, or
/// lost touch with the store for longer than the lease.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Deserialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum OnUnknown {
    /// It is answered 500 `outcome-unknown`, and nothing runs: what keeps the promise.
    #[default]
    Reject,
    /// The handler runs again, one [generation](crate::Attempt::generation) higher.
    ///
    /// For effects that can be repeated, or that refuse a lower generation, as a resource behind a
    /// fencing token does. The first retry after the lease is answered 409 like one of a running request;
    /// the claim is taken over once the same attempt has shown no sign of life for half a lease more.
    Rerun,
}

/// What happens to a request with a new key once the layer [drains](crate::Idempotency::drain).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Deserialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum OnDrain {
    /// It is answered 503 `draining`, with `Retry-After`, and nothing runs. Replays are given all the same.
    #[default]
    Refuse,
    /// It runs, as if nothing were: where the server takes new connections for a while, since whoever sends them has
    /// not heard yet that it stops. What begins after the drain has ended may be cut off.
    Serve,
}

/// What of an answer is recorded, for retries to get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Deserialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum KeptAnswer {
    /// All of it: status, headers and body.
    #[default]
    Whole,
    /// Its status and its `Location`; a retry gets them with an empty body, marked as a replay.
    ///
    /// For answers that nobody reads twice, or that a client can fetch again: a record then has the size of its head, whatever
    /// the answer's. What other headers there are describe a body that is not there. An answer is then never too large: one over
    /// [`max_response`](crate::IdempotencyBuilder::max_response) and an event stream are recorded so as well, while a stream that
    /// breaks off is still *not kept*.
    Status,
}

/// What becomes of an unknown outcome, resolved.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Unknown {
    Reject,
    Rerun,
    Recover(Provided<dyn Recover>),
}
