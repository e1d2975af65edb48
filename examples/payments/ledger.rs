//! The card's processor: the side effect that must not happen twice.
//!
//! Its books are a file, since a real one lives elsewhere: what it has charged stays charged when the service dies.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::num::NonZeroU64;
use std::path::Path;
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    Succeeded,
    Declined,
}

/// One time that a card was asked for money.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Charge {
    pub(crate) id: String,
    account: AccountId,
    order: Order,
    state: State,
    /// What the card's processor would be sent as its own idempotency key.
    reference: String,
}

/// Every charge in the books.
#[derive(Debug)]
pub(crate) struct Ledger(Mutex<Books>);

#[derive(Debug)]
struct Books {
    file: File,
    charges: Vec<Charge>,
    refusals: HashMap<String, u32>,
}

impl Ledger {
    /// Goes on with the books in that file, one line for each charge.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = File::options().append(true).create(true).open(path)?;
        let lines = fs::read_to_string(path)?;
        let charges: Result<_, _> = lines.lines().map(serde_json::from_str).collect();
        Ok(Self(Mutex::new(Books {
            file,
            charges: charges?,
            refusals: HashMap::new(),
        })))
    }

    pub(crate) fn charge(
        &self,
        account: AccountId,
        order: Order,
        reference: String,
        state: State,
    ) -> io::Result<Charge> {
        let mut books = self.lock();
        let charge = Charge {
            id: format!("ch_{}", books.charges.len() + 1),
            account,
            order,
            state,
            reference,
        };
        let line = format!("{}\n", serde_json::to_string(&charge)?);
        books.file.write_all(line.as_bytes())?;
        books.charges.push(charge.clone());
        let Order {
            amount_cents,
            currency,
            source,
            ..
        } = &charge.order;
        let id = &charge.id;
        cli::say(&format!(
            "ran: {id}, {amount_cents} cents of {currency}, {source}"
        ));
        Ok(charge)
    }

    /// Counts one more time that this was asked for while the processor is down.
    pub(crate) fn refusals(&self, reference: &str) -> u32 {
        let mut books = self.lock();
        let count = books.refusals.entry(reference.to_owned()).or_default();
        *count += 1;
        *count
    }

    pub(crate) fn of(&self, account: AccountId) -> Vec<Charge> {
        let books = self.lock();
        let all = books.charges.iter();
        all.filter(|charge| charge.account == account)
            .cloned()
            .collect()
    }

    pub(crate) fn find(&self, account: AccountId, id: &str) -> Option<Charge> {
        self.of(account).into_iter().find(|charge| charge.id == id)
    }

    fn lock(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
