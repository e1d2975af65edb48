//! A transaction that is open, and whose it is. It does not know how it was admitted, nor what its answer makes of it.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpResponse;
use tokio::time::timeout;

use super::context::Context;
use super::finish::Passed;
use crate::answer::Problem;
use crate::claim::{Claims, Lease, Transacting};
use crate::options::Options;
use crate::store::{Finished, Recording, RolledBack, Slot, State};
use crate::telemetry::{Outcome, Told};

/// A transaction that is open. Dropping it rolls back, and wakes whoever waits for its end.
pub(crate) struct Open {
    pub(super) slot: Rc<dyn Slot>,
    pub(super) options: Rc<Options>,
    /// `None` where the request has no key.
    pub(super) operation: Option<Named>,
}

/// Whose transaction it is.
pub(super) struct Named {
    pub(super) claims: Rc<Claims>,
    pub(super) context: Arc<Context>,
    pub(super) lease: Arc<Lease>,
    pub(super) _counted: Transacting,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.slot.close();
        if let Some(named) = &self.operation {
            named.lease.seat.give_up();
            named.claims.waiters.wake(&named.lease.id);
        }
    }
}

impl Open {
    /// Whether the handler has given the transaction back.
    pub(crate) fn is_home(&self) -> bool {
        self.slot.is_home()
    }

    /// Rolls back for another transaction's sake. `false` if the handler had ended the transaction by itself, so that
    /// it must not run again.
    pub(crate) async fn undo(&self) -> bool {
        self.roll_back().await == RolledBack::Done
    }

    pub(super) async fn roll_back(&self) -> RolledBack {
        let limit = self.options.store_timeout();
        // Past it the transaction is dropped, which rolls it back as well.
        let rolled_back = timeout(limit, self.slot.roll_back()).await;
        rolled_back.unwrap_or(RolledBack::Done)
    }

    /// Tells of the outcome of a request with a key.
    pub(super) fn tell(&self, outcome: Outcome) {
        if let Some(named) = &self.operation {
            named.context.tell(&self.options, Told::new(outcome));
        }
    }

    /// Tells of an answer that its client gets instead of the handler's.
    pub(super) fn instead(&self, mut answer: HttpResponse) -> Passed {
        if let Some(named) = &self.operation {
            named.context.tell_of(&self.options, &mut answer);
        }
        Passed::Instead(Box::new(answer))
    }

    pub(super) fn told(&self, state: State) -> HttpResponse {
        match &self.operation {
            Some(named) => named.context.of_record(state, &self.options),
            None => Problem::OutcomeUnknown.response(&self.options.problem_base),
        }
    }
}

impl Named {
    pub(super) fn recording<'a>(&'a self, finished: &'a Finished, ttl: Duration) -> Recording<'a> {
        Recording::new(&self.lease.id, &self.lease.claim, finished, ttl)
    }
}
