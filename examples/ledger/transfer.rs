//! What a transfer is, and what the books say of all of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How far an account may be below zero.
pub(crate) const CREDIT_CENTS: i64 = 20_000;

/// What both databases understand. Each account begins with nothing, so that all of them add up to zero.
pub(crate) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS accounts (name TEXT PRIMARY KEY, cents BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS transfers (
    reference TEXT NOT NULL, debtor TEXT NOT NULL, creditor TEXT NOT NULL, cents BIGINT NOT NULL
);";

/// What a client asks for.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Transfer {
    /// The client's own name for it. Nothing in the tables keeps it from being there twice.
    pub(crate) reference: String,
    pub(crate) debtor: String,
    pub(crate) creditor: String,
    pub(crate) cents: u32,
}

impl Transfer {
    /// What it adds to which account. In one order for all transfers, so that no two wait for each other.
    pub(crate) fn entries(&self) -> [(&str, i64); 2] {
        let cents = i64::from(self.cents);
        let mut entries = [(&*self.debtor, -cents), (&*self.creditor, cents)];
        entries.sort_unstable();
        entries
    }
}

/// What stands in the tables.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Books {
    /// Of all accounts.
    pub(crate) sum_cents: i64,
    /// How often each transfer was booked, by its reference.
    pub(crate) booked: BTreeMap<String, i64>,
}
