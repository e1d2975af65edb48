//! Records in a file of redb, an embedded database: the state machine of the crate, loaded and saved in a transaction. It
//! does not know what a record is about.

use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use actix_web::rt::task::spawn_blocking;
use actix_web::web::Bytes;
use idempotency_actix::Clock;
use idempotency_actix::store::{
    Change, LoadAndSave, Loaded, RecordCodec, RecordId, Step, StoreError, UnknownOutcome, Wakeups,
};
use redb::{Database, Error, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};

const RECORDS: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("records");

/// The minute in which a record is over, as it was saved. A later save may have moved its end, and left this behind.
const ENDS: TableDefinition<'_, (u64, &[u8; 32]), ()> = TableDefinition::new("ends");

/// How many ends a step looks at. It adds one at most, so that none is left for long.
const FEW: usize = 4;

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
    pub(crate) fn open(path: &Path, clock: Clock) -> Result<Self, Error> {
        let database = Arc::new(Database::create(path)?);
        let transaction = database.begin_write()?;
        // It is read before anything is written.
        transaction.open_table(RECORDS)?;
        transaction.commit()?;
        Ok(Self {
            database,
            codec: RecordCodec::plain(),
            clock,
            wakeups: Arc::default(),
        })
    }

    pub(crate) fn read(&self, id: &RecordId) -> Result<Option<Bytes>, Error> {
        let records = self.database.begin_read()?.open_table(RECORDS)?;
        Ok(records
            .get(id.as_bytes())?
            .map(|it| Bytes::copy_from_slice(it.value())))
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
        let found = self.read(id).map_err(StoreError::refused)?;
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

    /// Does what a step says, and drops a few records that are over.
    fn save(&self, it: &WriteTransaction, id: &RecordId, change: Change) -> Result<(), Error> {
        let mut records = it.open_table(RECORDS)?;
        let mut ends = it.open_table(ENDS)?;
        match change {
            Change::Nothing => {}
            Change::Save(saved) => {
                records.insert(id.as_bytes(), &saved.octets[..])?;
                ends.insert((minute(saved.expires), id.as_bytes()), ())?;
            }
            Change::Remove => {
                records.remove(id.as_bytes())?;
            }
        }
        let past = ..(minute(self.clock.time_of_day()), &[0; 32]);
        for end in ends.extract_from_if(past, |_, ()| true)?.take(FEW) {
            let id = RecordId::from_bytes(*end?.0.value().1);
            let found = records.get(id.as_bytes())?;
            let found = found.map(|it| Bytes::copy_from_slice(it.value()));
            if self.loaded(&id, found).is_absent() {
                records.remove(id.as_bytes())?;
            }
        }
        Ok(())
    }

    /// By a look at every record; where they are many, a table of claims is worth its room.
    fn unknown_outcomes(&self) -> Result<Vec<UnknownOutcome>, Error> {
        let mut outcomes = Vec::new();
        for record in self.database.begin_read()?.open_table(RECORDS)?.iter()? {
            let (id, octets) = record?;
            let id = RecordId::from_bytes(*id.value());
            let octets = Bytes::copy_from_slice(octets.value());
            outcomes.extend(self.loaded(&id, Some(octets)).unknown());
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

fn minute(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs() / 60)
}
