//! What keeps an operation from a run of its own. It answers nobody.

use super::operation::Operation;
use crate::options::OnDrain;

/// Why nothing new may run.
#[derive(Clone, Copy)]
pub(super) enum Bar {
    /// The caller may have no more operations in flight.
    Quota,
    /// The layer finishes what it has, and takes nothing new.
    Drain,
}

impl Bar {
    /// What keeps the operation from a run of its own now. To be asked while the run is counted already.
    pub(super) fn to(operation: &Operation) -> Option<Self> {
        let drains = operation.options.on_drain == OnDrain::Refuse
            && operation.claims.activity.is_draining();
        match () {
            () if drains => Some(Self::Drain),
            () if !operation.has_seat_left() => Some(Self::Quota),
            () => None,
        }
    }
}
