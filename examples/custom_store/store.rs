//! Records in a file of redb, an embedded database: the state machine of the crate, loaded and saved in a transaction. It
//! does not know what a record is about.

use std::path::Path;
use std::sync::Arc;

use actix_web::rt::task::spawn_blocking;
use actix_web::web::Bytes;
use idempotency_actix::Clock;
use idempotency_actix::store::{
    Change, LoadAndSave, Loaded, RecordCodec, RecordId, Step, StoreError, UnknownOutcome, Wakeups,
};
use redb::{Database, ReadableDatabase, WriteTransaction};

use crate::tables;

/// A store in a file, which one process may open at a time. Clones are handles to the same records.
#[derive(Clone)]
pub(crate) struct RedbStore {
    database: Arc<Database>,
    codec: RecordCodec,
    clock: Clock,
    wakeups: Arc<Wakeups>,
}

impl RedbStore {
    /// Opens the file, or makes it.
    pub(crate) fn open(path: &Path, clock: Clock) -> Result<Self, redb::Error> {
        let database = Database::create(path)?;
        let transaction = database.begin_write()?;
        tables::create(&transaction)?;
        transaction.commit()?;
        Ok(Self {
            database: Arc::new(database),
            codec: RecordCodec::plain(),
            clock,
            wakeups: Arc::default(),
        })
    }

    fn transact<T>(
        &self,
        id: &RecordId,
        take: impl Fn(Loaded<'_>) -> Result<Step<T>, StoreError>,
    ) -> Result<T, StoreError> {
        // What changes nothing, as a replay, does not wait for those who write.
        let found = self.read(id).map_err(StoreError::refused)?;
        let step = take(self.loaded(id, found))?;
        if step.change == Change::Nothing {
            return Ok(step.answer);
        }
        // One transaction writes at a time, so that no other step is between its reading and its writing.
        let transaction = self.database.begin_write().map_err(StoreError::refused)?;
        let found = tables::read(&transaction, id).map_err(StoreError::refused)?;
        let step = take(self.loaded(id, found))?;
        let saved = self.save(&transaction, id, step.change);
        saved.map_err(StoreError::refused)?;
        // An error does not tell whether the commit was carried out.
        transaction.commit().map_err(StoreError::unavailable)?;
        self.wakeups.wake(id);
        Ok(step.answer)
    }

    fn loaded<'a>(&'a self, id: &'a RecordId, octets: Option<Bytes>) -> Loaded<'a> {
        Loaded::new(&self.codec, id, octets, self.clock.time_of_day())
    }

    pub(crate) fn read(&self, id: &RecordId) -> Result<Option<Bytes>, redb::Error> {
        tables::read_committed(&self.database.begin_read()?, id)
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
            let found = tables::read(transaction, &id)?;
            if self.loaded(&id, found).is_absent() {
                tables::write(transaction, &id, Change::Remove)?;
            }
        }
        Ok(())
    }

    fn unknown_outcomes(&self) -> Result<Vec<UnknownOutcome>, redb::Error> {
        let transaction = self.database.begin_read()?;
        let mut outcomes = Vec::new();
        for id in tables::claims(&transaction)? {
            let found = tables::read_committed(&transaction, &id)?;
            outcomes.extend(self.loaded(&id, found).unknown());
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
