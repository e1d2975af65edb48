//! Records in a file of redb, an embedded database: the state machine of the crate, loaded and saved in a transaction. It
//! does not know what a record is about.

use std::path::Path;
use std::sync::Arc;

use actix_web::rt::task::spawn_blocking;
use idempotency_actix::Clock;
use idempotency_actix::store::{
    Change, LoadAndSave, Loaded, RecordCodec, RecordId, Step, StoreError, UnknownOutcome, Wakeups,
};
use redb::{Database, WriteTransaction};

use crate::tables;

/// A store in a file, which one process may open at a time. Clones are handles to the same records.
#[derive(Clone)]
pub(crate) struct RedbStore {
    pub(crate) database: Arc<Database>,
    codec: RecordCodec,
    clock: Clock,
    wakeups: Arc<Wakeups>,
}

impl RedbStore {
    /// Opens the file, or makes it.
    pub(crate) fn open(path: &Path, clock: Clock) -> Result<Self, redb::Error> {
        Ok(Self {
            database: Arc::new(Database::create(path)?),
            codec: RecordCodec::plain(),
            clock,
            wakeups: Arc::default(),
        })
    }

    /// redb has one transaction that writes at a time, so that no other step is between reading and writing.
    fn transact<T>(
        &self,
        id: &RecordId,
        take: impl Fn(Loaded<'_>) -> Result<Step<T>, StoreError>,
    ) -> Result<T, StoreError> {
        let transaction = self.database.begin_write().map_err(StoreError::refused)?;
        let loaded = self.load(&transaction, id).map_err(StoreError::refused)?;
        let step = take(loaded)?;
        if step.change != Change::Nothing {
            let saved = self.save(&transaction, id, step.change);
            saved.map_err(StoreError::refused)?;
            // An error does not tell whether the commit was carried out.
            transaction.commit().map_err(StoreError::unavailable)?;
            self.wakeups.wake(id);
        }
        Ok(step.answer)
    }

    fn load<'a>(
        &'a self,
        transaction: &WriteTransaction,
        id: &'a RecordId,
    ) -> Result<Loaded<'a>, redb::Error> {
        let (octets, now) = (tables::read(transaction, id)?, self.clock.time_of_day());
        Ok(Loaded::new(&self.codec, id, octets, now))
    }

    /// Does what a step says, and drops a few records that are over.
    fn save(
        &self,
        transaction: &WriteTransaction,
        id: &RecordId,
        change: Change,
    ) -> Result<(), redb::Error> {
        tables::write(transaction, id, change)?;
        for id in tables::take_ended(transaction, self.clock.time_of_day())? {
            if self.load(transaction, &id)?.is_absent() {
                tables::write(transaction, &id, Change::Remove)?;
            }
        }
        Ok(())
    }

    fn unknown_outcomes(&self) -> Result<Vec<UnknownOutcome>, redb::Error> {
        let transaction = self.database.begin_write()?;
        let mut outcomes = Vec::new();
        for id in tables::claims(&transaction)? {
            outcomes.extend(self.load(&transaction, &id)?.unknown());
        }
        Ok(outcomes)
    }
}

/// Each on a thread that may block, where it is finished also if nobody waits for it any more.
impl LoadAndSave for RedbStore {
    async fn step<T: Send + 'static>(
        &self,
        id: &RecordId,
        take: impl Fn(Loaded<'_>) -> Result<Step<T>, StoreError> + Send + Sync + 'static,
    ) -> Result<T, StoreError> {
        let (store, id) = (self.clone(), *id);
        let step = spawn_blocking(move || store.transact(&id, take));
        step.await.map_err(StoreError::unavailable)?
    }

    async fn outcomes(&self) -> Result<Vec<UnknownOutcome>, StoreError> {
        let store = self.clone();
        let outcomes = spawn_blocking(move || store.unknown_outcomes());
        let outcomes = outcomes.await.map_err(StoreError::refused)?;
        outcomes.map_err(StoreError::refused)
    }

    async fn woken(&self, id: &RecordId) {
        self.wakeups.changed(id).await;
    }
}
