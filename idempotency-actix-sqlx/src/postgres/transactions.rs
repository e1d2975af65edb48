//! [`PgStore`] as a store of transactions: the contract's steps, made of what a transaction does. How it does it is not
//! known here.

use std::sync::Arc;

use idempotency_actix::store::{
    Claim, Committed, Opened, RecordId, Recording, RolledBack, StoreError, TransactionOptions,
    Transactions,
};
use sqlx::postgres::Postgres;

use super::beginning::Begun;
use super::store::PgStore;
use super::transaction::{PgTransaction, Sent, Write};
use crate::new_row::NewRow;
use crate::row::{Parsed, Progress, Row};
use crate::steps::unreadable;

/// One transaction is one attempt: its lock ends with it, so that a retry runs as soon as an owner's connection is gone.
impl Transactions for PgStore {
    type Transaction = PgTransaction;

    async fn open(
        &self,
        id: &RecordId,
        claim: &Claim,
        options: &TransactionOptions,
    ) -> Result<Opened<PgTransaction>, StoreError> {
        let inner = &self.inner;
        inner.ensure_background();
        let records = &inner.records;
        // A replay opens no transaction, and waits for none.
        if let Some(record) = records.inspect(id).await? {
            return Ok(Opened::Found(record));
        }
        let deadline = records.deadline();
        let begun = inner.transactions.begin(deadline, options, id);
        let Begun {
            mut transaction,
            seen,
            has_lock,
            is_up_to_date,
        } = begun.await?;
        let found = match &seen {
            Some(seen) => {
                let row = Row::read(seen, 0).map_err(unreadable::<Postgres>)?;
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
        if !has_lock {
            return Ok(Opened::Busy);
        }
        // All of a serializable transaction goes by one snapshot, which its statement with the lock took before it had it.
        if !is_up_to_date && let Some(record) = records.inspect(id).await? {
            return Ok(Opened::Found(record));
        }
        let (inner, id) = (Arc::clone(inner), *id);
        transaction.tell(move || inner.records.changed(&id));
        Ok(Opened::claimed(transaction, generation))
    }

    async fn open_plain(&self, options: &TransactionOptions) -> Result<PgTransaction, StoreError> {
        let deadline = self.inner.records.deadline();
        let begun = self.inner.transactions.begin_plain(deadline, options);
        Ok(begun.await?)
    }

    async fn commit(
        &self,
        transaction: PgTransaction,
        recording: Option<Recording<'_>>,
    ) -> Committed {
        let records = &self.inner.records;
        let write = recording.map_or(Write::Nothing, |recording| {
            let row = NewRow::recorded(&recording, &records.codec);
            transaction.record(recording.id, &row)
        });
        match transaction.commit(write).await {
            Sent::Done => {
                if let Some(recording) = recording {
                    records.changed(recording.id);
                }
                Committed::Done
            }
            Sent::Taken => Committed::Other,
            Sent::Ended => Committed::Ended,
            Sent::Again(cause) => Committed::Again(StoreError::refused(cause)),
            Sent::Refused(cause) => Committed::Refused(StoreError::refused(cause)),
            Sent::Unclear(cause) => Committed::Unclear(StoreError::unavailable(cause)),
        }
    }

    async fn roll_back(&self, transaction: PgTransaction) -> RolledBack {
        match transaction.roll_back().await {
            true => RolledBack::Done,
            false => RolledBack::Ended,
        }
    }
}
