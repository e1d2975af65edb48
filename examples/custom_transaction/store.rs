//! Records in a table of Diesel's: the state machine of the crate, loaded and saved in a transaction. It does not know what
//! else a transaction writes.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use actix_web::rt::task::spawn_blocking;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::result::Error::QueryBuilderError;
use idempotency_actix::store::*;

diesel::table! {
    records (id) { id -> Binary, octets -> Binary, expires -> BigInt, }
}

const TABLE: &str = "CREATE TABLE IF NOT EXISTS records
    (id BLOB PRIMARY KEY, octets BLOB NOT NULL, expires BIGINT NOT NULL) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS ends ON records (expires)";

#[derive(Clone)]
pub(crate) struct DieselStore {
    path: Arc<str>,
    codec: RecordCodec,
    pub(crate) running: Running,
}

impl DieselStore {
    /// Opens the database, or makes it.
    pub(crate) fn open(path: &str) -> QueryResult<Self> {
        let store = Self {
            path: path.into(),
            codec: RecordCodec::plain(),
            running: Running::default(),
        };
        store.connect()?.batch_execute(TABLE)?;
        Ok(store)
    }

    pub(crate) fn connect(&self) -> QueryResult<SqliteConnection> {
        let connected = SqliteConnection::establish(&self.path);
        let mut it = connected.map_err(|error| QueryBuilderError(Box::new(error)))?;
        it.batch_execute("PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = ON")?;
        Ok(it)
    }

    pub(crate) fn load<'a>(
        &'a self,
        it: &mut SqliteConnection,
        id: &'a RecordId,
    ) -> QueryResult<Loaded<'a>> {
        let row = records::table.find(&id.as_bytes()[..]);
        let octets = row.select(records::octets).first::<Vec<u8>>(it);
        let octets = octets.optional()?.map(Into::into);
        Ok(Loaded::new(&self.codec, id, octets, SystemTime::now()))
    }
}

/// Does what a step says, and drops what is over.
pub(crate) fn save(it: &mut SqliteConnection, id: &RecordId, change: &Change) -> QueryResult<()> {
    let id = &id.as_bytes()[..];
    match change {
        Change::Nothing => return Ok(()),
        Change::Save(saved) => {
            let expires = records::expires.eq(seconds(saved.expires));
            diesel::replace_into(records::table)
                .values((
                    records::id.eq(id),
                    records::octets.eq(&saved.octets),
                    expires,
                ))
                .execute(it)?
        }
        Change::Remove => diesel::delete(records::table.find(id)).execute(it)?,
    };
    it.batch_execute("DELETE FROM records WHERE expires < unixepoch()")
}

fn seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

impl LoadAndSave for DieselStore {
    async fn step<T: Send + 'static>(
        &self,
        id: &RecordId,
        take: impl Fn(Loaded<'_>) -> Result<Step<T>, StoreError> + Send + Sync + 'static,
    ) -> Result<T, StoreError> {
        let (store, id) = (self.clone(), *id);
        let step = spawn_blocking(move || {
            let mut it = store.connect()?;
            let step = take(store.load(&mut it, &id)?);
            // What changes nothing does not wait for the right to write. The rest is looked at again under it.
            if !matches!(&step, Ok(step) if step.change != Change::Nothing) {
                return QueryResult::Ok(step);
            }
            it.immediate_transaction(|it| {
                let step = take(store.load(it, &id)?);
                if let Ok(step) = &step {
                    save(it, &id, &step.change)?;
                }
                Ok(step)
            })
        });
        let step = step.await.map_err(StoreError::unavailable)?;
        Ok(step.map_err(StoreError::unavailable)??.answer)
    }
}
