//! Names a piece of work that is not done yet, for whoever gives it up. It does not know what is left to do.

use std::fmt;
use std::hash::{Hash, Hasher};

use super::lease::Lease;
use crate::store::{Claim, Description, RecordId, Token};
use crate::telemetry::method_name;

/// An attempt of which something is left to do: its run, its record or its release.
pub(crate) struct Pending {
    id: RecordId,
    token: Token,
    generation: u64,
    description: Option<Description>,
}

impl Pending {
    pub(super) fn new(id: RecordId, claim: &Claim) -> Self {
        Self {
            id,
            token: *claim.token(),
            generation: claim.generation(),
            description: claim.description().cloned(),
        }
    }

    pub(super) fn of(lease: &Lease) -> Self {
        Self::new(lease.id, &lease.claim)
    }
}

/// By attempt.
impl PartialEq for Pending {
    fn eq(&self, other: &Self) -> bool {
        (&self.id, &self.token) == (&other.id, &other.token)
    }
}

impl Eq for Pending {}

impl Hash for Pending {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.token.hash(hasher);
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}#{}", self.id, self.generation)?;
        let Some(description) = &self.description else {
            return Ok(());
        };
        let (method, route) = (description.method(), description.route());
        write!(
            f,
            " of {} {}",
            method_name(method),
            route.unwrap_or("no route")
        )
    }
}
