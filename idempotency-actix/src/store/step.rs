//! What a step answers and what it writes. It knows no step and no store.

use std::time::SystemTime;

/// What a step of [`Loaded`](super::Loaded) answers, and what becomes of what is stored.
#[derive(Clone, Debug)]
#[must_use = "what is not saved has not happened"]
#[non_exhaustive]
pub struct Step<T> {
    /// The answer. It is true once the change is as durable as the store makes it.
    pub answer: T,
    /// What is to be written, in the transaction that read what was loaded.
    pub change: Change,
}

/// What becomes of what is stored under an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change<S = Saved> {
    /// It stays as it is, and nothing is written.
    Nothing,
    /// This takes its place.
    Save(S),
    /// Nothing is left of it.
    Remove,
}

/// What to write under an id, and what a store may put into an index beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Saved {
    /// The octets to [load](super::Loaded::new) again.
    pub octets: Vec<u8>,
    /// From when on it counts as absent and may be dropped: an earlier sweep would let a retry run again, and a later one
    /// changes nothing.
    pub expires: SystemTime,
    /// From when on [`Store::unknown`](super::Store::unknown) lists it, if no step changes it before; `None` for what is
    /// never listed.
    pub unknown_from: Option<SystemTime>,
}
