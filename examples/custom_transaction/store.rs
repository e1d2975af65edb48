//! Records that commit in a transaction of Diesel's. It does not know what a handler writes.
//!
//! The table is that of `SqliteStore`, which does what is not about a transaction, in the form that the page `sql` of the guide tells of.

use std::collections::HashSet;
use std::error::Error;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actix_web::rt::task::spawn_blocking;
use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};
use diesel::prelude::*;
use diesel_async::AsyncConnection;
use diesel_async::sync_connection_wrapper::{SpawnBlocking, SyncConnectionWrapper};
use idempotency_actix::store::*;
use idempotency_actix_sqlx::SqliteStore;

pub(crate) type Connection = SyncConnectionWrapper<SqliteConnection, Blocking>;

/// Lets a statement go on whose future is dropped. The client's own waits for it, which panics on a worker of actix.
pub(crate) struct Blocking;

type Spawned<'a, T> =
    Pin<Box<dyn Future<Output = Result<T, Box<dyn Error + Send + Sync>>> + Send + 'a>>;

impl SpawnBlocking for Blocking {
    fn spawn_blocking<'a, T: Send + 'static>(
        &mut self,
        task: impl FnOnce() -> T + Send + 'static,
    ) -> Spawned<'a, T> {
        let task = spawn_blocking(task);
        Box::pin(async { Ok(task.await?) })
    }

    fn get_runtime() -> Self {
        Self
    }
}

diesel::table! {
    idempotency_records (id) {
        id -> Binary, kind -> Integer, token -> Binary, generation -> BigInt, fingerprint -> Binary,
        begun -> BigInt, seen -> BigInt, expires -> BigInt, answer -> Binary,
    }
}
use idempotency_records::dsl as row;

/// A kind of row: it remembers a generation, and is no record.
const GIVEN_UP: i32 = 4;

/// The savepoint is there for as long as the transaction is. The table outlives a commit, and no rollback.
const MARK: &str = "CREATE TEMP TABLE begun (it); SAVEPOINT begun";

#[derive(Clone)]
pub(crate) struct DieselStore {
    pub(crate) records: SqliteStore,
    pub(crate) path: String,
    pub(crate) running: Running,
}

/// The operations that run: a second attempt does not wait for the right to write.
#[derive(Clone, Default)]
pub(crate) struct Running(Arc<Mutex<HashSet<RecordId>>>);

struct Place(Running, RecordId);

impl Running {
    fn enter(&self, id: RecordId) -> Option<Place> {
        let mut ids = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ids.insert(id).then(|| Place(self.clone(), id))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut ids = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        ids.remove(&self.1);
    }
}

/// On a connection of its own, whose end rolls back.
pub(crate) struct Transaction {
    pub(crate) connection: Connection,
    _place: Option<Place>,
}

/// What became of a transaction meanwhile.
enum Fate {
    Open,
    Committed,
    RolledBack,
}

impl Fate {
    fn of(it: &mut SqliteConnection) -> Self {
        match () {
            () if it.batch_execute("RELEASE begun").is_ok() => Self::Open,
            () if it.batch_execute("SELECT 1 FROM begun").is_ok() => Self::Committed,
            () => Self::RolledBack,
        }
    }
}

impl DieselStore {
    async fn begin_transaction(&self, place: Option<Place>) -> QueryResult<Transaction> {
        let unreachable = |error| diesel::result::Error::QueryBuilderError(Box::new(error));
        let mut connection = Connection::establish(&self.path)
            .await
            .map_err(unreachable)?;
        let begun = connection.spawn_blocking(|it| {
            it.batch_execute("PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = ON")?;
            // By the manager, so that what a handler begins is a savepoint.
            AnsiTransactionManager::begin_transaction_sql(it, "BEGIN IMMEDIATE")?;
            it.batch_execute(MARK)
        });
        begun.await?;
        Ok(Transaction {
            connection,
            _place: place,
        })
    }
}

impl Transactions for DieselStore {
    type Transaction = Transaction;

    async fn open(
        &self,
        id: &RecordId,
        claim: &Claim,
        _: &TransactionOptions,
    ) -> Result<Opened<Transaction>, StoreError> {
        if let Some(record) = self.inspect(id).await? {
            return Ok(Opened::Found(record));
        }
        let Some(place) = self.running.enter(*id) else {
            return Ok(Opened::Busy);
        };
        let begun = self.begin_transaction(Some(place)).await;
        let mut transaction = begun.map_err(StoreError::refused)?;
        // Nobody else writes from here on.
        if let Some(record) = self.inspect(id).await? {
            return Ok(Opened::Found(record));
        }
        let given_up = row::idempotency_records.find(id.as_bytes().to_vec());
        let given_up = given_up
            .filter(row::kind.eq(GIVEN_UP))
            .select(row::generation);
        let look = transaction
            .connection
            .spawn_blocking(|it| given_up.first::<i64>(it).optional());
        let remembered = look.await.map_err(StoreError::refused)?.unwrap_or(0);
        let generation = claim.generation().max(remembered.unsigned_abs() + 1);
        Ok(Opened::claimed(transaction, generation))
    }

    async fn open_plain(&self, _: &TransactionOptions) -> Result<Transaction, StoreError> {
        let begun = self.begin_transaction(None).await;
        begun.map_err(StoreError::refused)
    }

    async fn commit(
        &self,
        mut transaction: Transaction,
        recording: Option<Recording<'_>>,
    ) -> Committed {
        let record = recording.map(|it| {
            let (token, fingerprint) = (*it.claim.token(), *it.claim.fingerprint());
            let state = StoredState::Finished(it.finished.clone());
            let answer = StoredRecord::new(token, it.claim.generation(), fingerprint, state);
            (*it.id, answer, it.ttl)
        });
        let commit = transaction.connection.spawn_blocking(move |it| {
            let fate = Fate::of(it);
            if let Fate::Open = fate {
                if let Some((id, answer, ttl)) = record {
                    write(it, &id, &answer, ttl)?;
                }
                AnsiTransactionManager::commit_transaction(it)?;
            }
            Ok(fate)
        });
        match commit.await {
            Ok(Fate::Open) => Committed::Done,
            Ok(Fate::Committed) => Committed::Ended,
            Ok(Fate::RolledBack) => Committed::Refused(StoreError::refused("a statement failed")),
            Err(error) => Committed::Unclear(StoreError::unavailable(error)),
        }
    }

    async fn roll_back(&self, mut transaction: Transaction) -> RolledBack {
        let fate = transaction.connection.spawn_blocking(|it| Ok(Fate::of(it)));
        match fate.await {
            Ok(Fate::Committed) => RolledBack::Ended,
            _ => RolledBack::Done,
        }
    }
}

/// Writes the row of an answer, whose kind is the second octet of its form. Nothing is in its way: who may write has looked.
fn write(
    it: &mut SqliteConnection,
    id: &RecordId,
    answer: &StoredRecord,
    ttl: Duration,
) -> QueryResult<usize> {
    let octets = RecordCodec::plain().encode(id, answer);
    let fingerprint = [
        &[answer.fingerprint.scheme()],
        &answer.fingerprint.digest()[..],
    ]
    .concat();
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let micros = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
    let made = (
        (
            row::id.eq(&id.as_bytes()[..]),
            row::token.eq(&answer.token.as_bytes()[..]),
        ),
        (
            row::kind.eq(i32::from(octets[1])),
            row::generation.eq(answer.generation as i64),
        ),
        (row::fingerprint.eq(fingerprint), row::answer.eq(octets)),
        (
            row::begun.eq(micros(now)),
            row::seen.eq(micros(now)),
            row::expires.eq(micros(now + ttl)),
        ),
    );
    diesel::replace_into(row::idempotency_records)
        .values(made)
        .execute(it)
}

impl Store for DieselStore {
    async fn begin(&self, id: &RecordId, claim: &Claim) -> Result<Begun, StoreError> {
        self.records.begin(id, claim).await
    }
    async fn renew(&self, id: &RecordId, claim: &Claim) -> Result<Renewed, StoreError> {
        self.records.renew(id, claim).await
    }
    async fn complete(
        &self,
        id: &RecordId,
        claim: &Claim,
        finished: &Finished,
        ttl: Duration,
    ) -> Result<Completion, StoreError> {
        self.records.complete(id, claim, finished, ttl).await
    }
    async fn release(&self, id: &RecordId, claim: &Claim) -> Result<Released, StoreError> {
        self.records.release(id, claim).await
    }
    async fn inspect(&self, id: &RecordId) -> Result<Option<Record>, StoreError> {
        self.records.inspect(id).await
    }
    async fn resolve(
        &self,
        id: &RecordId,
        seen: &AttemptId,
        verdict: &Verdict,
    ) -> Result<Resolved, StoreError> {
        self.records.resolve(id, seen, verdict).await
    }
}
