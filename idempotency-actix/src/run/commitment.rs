//! Whether a request outlives its connection. It does not know what is run.

use std::sync::atomic::{AtomicU8, Ordering};

/// Whether a request goes on without its connection.
#[derive(Default)]
pub(crate) struct Commitment(AtomicU8);

impl Commitment {
    /// It may be dropped with its connection.
    const FREE: u8 = 0;
    /// It is finished whatever becomes of the connection.
    const COMMITTED: u8 = 1;
    /// The connection is gone, and it goes on.
    const ALONE: u8 = 2;

    /// From now on the request is finished.
    pub(crate) fn commit(&self) {
        self.change(Self::FREE, Self::COMMITTED);
    }

    /// From now on it may be dropped again; `false` if it is alone already.
    pub(crate) fn withdraw(&self) -> bool {
        self.change(Self::COMMITTED, Self::FREE)
    }

    pub(super) fn go_on_alone(&self) -> bool {
        self.change(Self::COMMITTED, Self::ALONE)
    }

    fn change(&self, from: u8, to: u8) -> bool {
        let relaxed = Ordering::Relaxed;
        self.0.compare_exchange(from, to, relaxed, relaxed).is_ok()
    }
}
