//! Transactions of Diesel's, in which a record commits with what a handler writes. They do not know what that is.

use std::error::Error;
use std::pin::Pin;

use actix_web::rt::task::spawn_blocking;
use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};
use diesel::prelude::*;
use diesel_async::sync_connection_wrapper::{SpawnBlocking, SyncConnectionWrapper};
use idempotency_actix::store::*;

use crate::store::{DieselStore, save};

/// The savepoint is there for as long as the transaction is. The table outlives a commit, and no rollback.
const MARK: &str = "CREATE TEMP TABLE begun (it); SAVEPOINT begun";

/// On a connection of its own, whose end rolls back.
pub(crate) struct Transaction {
    pub(crate) connection: SyncConnectionWrapper<SqliteConnection, Blocking>,
    _place: Option<RunningPlace>,
}

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

impl DieselStore {
    async fn begin_transaction(
        &self,
        place: Option<RunningPlace>,
    ) -> Result<Transaction, StoreError> {
        let store = self.clone();
        let begun = spawn_blocking(move || {
            let mut it = store.connect()?;
            // By the manager, so that what a handler begins is a savepoint.
            AnsiTransactionManager::begin_transaction_sql(&mut it, "BEGIN IMMEDIATE")?;
            it.batch_execute(MARK)?;
            QueryResult::Ok(it)
        });
        let begun = begun.await.map_err(StoreError::refused)?;
        let connection = begun.map_err(StoreError::refused)?;
        Ok(Transaction {
            connection: SyncConnectionWrapper::with_runtime(connection, Blocking),
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
        let Some(place) = self.running.enter(id) else {
            return Ok(Opened::Busy);
        };
        // A replay does not wait for the right to write.
        if let Some(record) = self.inspect(id).await? {
            return Ok(Opened::Found(record));
        }
        let mut transaction = self.begin_transaction(Some(place)).await?;
        // Nobody else writes from here on. The transaction is the claim, which is not saved.
        let (store, id, claim) = (self.clone(), *id, claim.clone());
        let connection = &mut transaction.connection;
        let begun = connection.spawn_blocking(move |it| Ok(store.load(it, &id)?.begin(&claim)));
        match begun.await.map_err(StoreError::refused)??.answer {
            Begun::Claimed { generation } => Ok(Opened::claimed(transaction, generation)),
            Begun::Found(record) => Ok(Opened::Found(record)),
            other => Err(StoreError::refused(format!("{other:?}"))),
        }
    }

    async fn open_plain(&self, _: &TransactionOptions) -> Result<Transaction, StoreError> {
        self.begin_transaction(None).await
    }

    async fn commit(
        &self,
        mut transaction: Transaction,
        recording: Option<Recording<'_>>,
    ) -> Committed {
        let store = self.clone();
        let recording = recording.map(|it| (*it.id, it.claim.clone(), it.finished.clone(), it.ttl));
        let commit = transaction.connection.spawn_blocking(move |it| {
            if let Some(ended) = ended(it) {
                return Ok(ended);
            }
            if let Some((id, claim, finished, ttl)) = recording {
                match store.load(it, &id)?.complete(&claim, &finished, ttl) {
                    Ok(step) if step.answer == Completion::Refused => return Ok(Committed::Other),
                    Ok(step) => save(it, &id, &step.change)?,
                    Err(error) => return Ok(Committed::Refused(error)),
                }
            }
            AnsiTransactionManager::commit_transaction(it)?;
            Ok(Committed::Done)
        });
        let unclear = |error| Committed::Unclear(StoreError::unavailable(error));
        commit.await.unwrap_or_else(unclear)
    }

    async fn roll_back(&self, mut transaction: Transaction) -> RolledBack {
        let ended = transaction.connection.spawn_blocking(|it| Ok(ended(it)));
        match ended.await {
            Ok(Some(Committed::Ended)) => RolledBack::Ended,
            _ => RolledBack::Done,
        }
    }
}

/// How the handler ended the transaction, if it did.
fn ended(it: &mut SqliteConnection) -> Option<Committed> {
    match () {
        () if it.batch_execute("RELEASE begun").is_ok() => None,
        () if it.batch_execute("SELECT 1 FROM begun").is_ok() => Some(Committed::Ended),
        () => Some(Committed::Refused(StoreError::refused(
            "a statement failed",
        ))),
    }
}
