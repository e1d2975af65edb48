//! Names a piece of work that is not done yet, for whoever gives it up. It does not know what is left to do.

use std::fmt;

use super::lease::Lease;
use crate::store::{Claim, RecordId, Token};

/// An attempt of which something is left to do: its run, its record or its release.
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct Pending {
    id: RecordId,
    token: Token,
    generation: u64,
}

impl Pending {
    pub(super) fn new(id: RecordId, claim: &Claim) -> Self {
        Self {
            id,
            token: *claim.token(),
            generation: claim.generation(),
        }
    }

    pub(super) fn of(lease: &Lease) -> Self {
        Self::new(lease.id, &lease.claim)
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}#{}", self.id, self.generation)
    }
}
