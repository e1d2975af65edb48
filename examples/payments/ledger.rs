//! The side effect that must not happen twice.

use std::num::NonZeroU64;
use std::sync::{Mutex, MutexGuard, PoisonError};

use idempotency_actix_examples::cli;
use serde::{Deserialize, Serialize};

use crate::account::AccountId;

/// What a client asks for. What does not parse is refused before the key is claimed.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Order {
    amount_cents: NonZeroU64,
    currency: String,
    pub(crate) source: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    Succeeded,
    Declined,
}

/// One time that a card was asked for money.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Charge {
    pub(crate) id: String,
    #[serde(flatten)]
    order: Order,
    state: State,
    /// What the card's processor would be sent as its own idempotency key.
    reference: String,
    #[serde(skip)]
    account: AccountId,
}

/// Every charge since the start.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<Vec<Charge>>);

impl Ledger {
    pub(crate) fn charge(
        &self,
        account: AccountId,
        order: Order,
        reference: String,
        state: State,
    ) -> Charge {
        let mut charges = self.lock();
        let charge = Charge {
            id: format!("ch_{}", charges.len() + 1),
            order,
            state,
            reference,
            account,
        };
        charges.push(charge.clone());
        cli::say(&format!("ran: {charge:?}"));
        charge
    }

    pub(crate) fn of(&self, account: AccountId) -> Vec<Charge> {
        let charges = self.lock();
        let own = charges.iter().filter(|charge| charge.account == account);
        own.cloned().collect()
    }

    pub(crate) fn find(&self, account: AccountId, id: &str) -> Option<Charge> {
        self.of(account).into_iter().find(|charge| charge.id == id)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Charge>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
