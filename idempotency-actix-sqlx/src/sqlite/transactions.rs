//! [`SqliteStore`] as a store of transactions: the contract's steps, made of what a transaction does. How it does it is not
//! known here.

use std::sync::Arc;

use idempotency_actix::store::{
    Claim, Committed, Opened, RecordId, Recording, RolledBack, StoreError, TransactionOptions,
    Transactions,
};
use sqlx::sqlite::Sqlite;
use tokio::time::Instant;

use super::store::SqliteStore;
use super::transaction::{Ended, SqliteTransaction, Write};
use crate::failure::Trouble;
use crate::new_row::NewRow;
use crate::row::{Parsed, Progress, Row};
use crate::steps::{Engine, unreadable};

/// `BEGIN IMMEDIATE` is the claim: whoever writes is alone. What is finished is told by a reader, and waits for nobody.
impl Transactions for SqliteStore {
    type Transaction = SqliteTransaction;

    async fn open(
        &self,
        id: &RecordId,
        claim: &Claim,
        options: &TransactionOptions,
    ) -> Result<Opened<SqliteTransaction>, StoreError> {
        let inner = &self.inner;
        inner.ensure_background();
        let records = &inner.records;
        if let Some(record) = records.inspect(id).await? {
            return Ok(Opened::Found(record));
        }
        let Some(place) = inner.running.enter(id) else {
            return Ok(Opened::Busy);
        };
        // As long as the engine waits, and not as a step that writes: others may run before.
        let deadline = Instant::now() + options.idle / 3;
        let message = || records.table.open(id);
        let begun = SqliteTransaction::begin(&inner.transactions, deadline, message);
        let (mut transaction, seen) = begun.await?;
        let found = match seen {
            Some(seen) => {
                let row = Row::read(&seen, 0).map_err(unreadable::<Sqlite>)?;
                row.parse(id, &records.codec)?
            }
            None => None,
        };
        let generation = match &found {
            Some(Parsed {
                progress: Progress::GivenUp,
                generation,
                ..
            }) => claim.generation().max(generation.saturating_add(1)),
            _ => claim.generation(),
        };
        if let Some(record) = found.and_then(Parsed::record) {
            return Ok(Opened::Found(record));
        }
        let (records, id) = (Arc::clone(records), *id);
        transaction.run_for(place, move || records.changed(&id));
        Ok(Opened::claimed(transaction, generation))
    }

    async fn open_plain(
        &self,
        options: &TransactionOptions,
    ) -> Result<SqliteTransaction, StoreError> {
        let deadline = Instant::now() + options.idle / 3;
        let message = || self.inner.records.table.open_plain();
        let begun = SqliteTransaction::begin(&self.inner.transactions, deadline, message);
        Ok(begun.await?.0)
    }

    async fn commit(
        &self,
        transaction: SqliteTransaction,
        recording: Option<Recording<'_>>,
    ) -> Committed {
        let records = &self.inner.records;
        let write = match recording {
            None => Write::Nothing,
            Some(recording) => {
                let row = NewRow::recorded(&recording, &records.codec);
                match transaction.has_seen_row() {
                    true => Write::Over(records.table.complete_in(recording.id, &row)),
                    false => Write::New(records.table.record(recording.id, &row)),
                }
            }
        };
        let committed = committed(transaction.commit(write).await);
        if matches!(committed, Committed::Done) {
            records.table.log.grew();
            if let Some(recording) = recording {
                records.changed(recording.id);
            }
        }
        committed
    }

    async fn roll_back(&self, transaction: SqliteTransaction) -> RolledBack {
        match transaction.roll_back().await {
            true => RolledBack::Done,
            false => RolledBack::Ended,
        }
    }
}

fn committed(ended: Ended) -> Committed {
    match ended {
        Ended::Committed => Committed::Done,
        Ended::Taken => Committed::Other,
        Ended::ByHandler => Committed::Ended,
        Ended::Again(error) => Committed::Again(StoreError::refused(Sqlite::explain(error))),
        Ended::Refused(Some(error)) => {
            Committed::Refused(StoreError::refused(Sqlite::explain(error)))
        }
        Ended::Refused(None) => Committed::Refused(StoreError::refused(Trouble::RolledBack)),
        Ended::Unclear(error) => {
            Committed::Unclear(StoreError::unavailable(Sqlite::explain(error)))
        }
    }
}
