//! [`SqliteStore`]: the steps of the contract, and what goes on beside them. How a step is done on the file is not known here.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use idempotency_actix::store::{
    AttemptId, Begun, Claim, Completion, Cursor, Finished, Page, Record, RecordId, Released,
    Renewed, Resolved, Running, Store, StoreError, Verdict,
};
use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnection;
use tokio::time::Instant;

use super::checkpoints::keep_copying;
use super::finding::SqliteFinding;
use super::table::SqliteTable;
use super::transaction::{Beginning, SqliteTransaction};
use super::{check, migration, place};
use crate::background::Background;
use crate::connections::Connections;
use crate::failure::Failure;
use crate::name::Names;
use crate::options::{Options, SWEEP_PATIENCE};
use crate::records::Records;
use crate::report::SqlReport;
use crate::sweep::{Batch, keep_sweeping, sweep};

/// How long a migration may wait, for another one mostly.
const MIGRATION: Duration = Duration::from_secs(60);

/// A [`Store`] on a SQLite file, for the processes of one machine: the durable default where there is one machine.
///
/// Clones are handles to the same connections. It needs SQLite 3.42 or later, which comes with sqlx.
///
/// # Connections
///
/// SQLite has one writer at a time, and who waits for it looks again and again. So the store makes connections of its own,
/// by the options of the pool that it is given: one that writes, for which steps wait in order, and
/// [`readers`](crate::SqliteStoreBuilder::readers), which wait for nobody. The file is turned to WAL, and
/// [its log copied](crate::SqliteStoreBuilder::background_checkpoints) over one more. However the pool is set up,
/// its connections are not used; once it is closed, the store refuses. Other processes, and what the application writes
/// to the same file, still meet the writer by SQLite's own waiting.
///
/// A database in memory has one connection, the store's own, which reads and writes. Only what the `sqlite::memory:` of
/// sqlx opens is the pool's database too. It is for tests: [`check`](Self::check) calls it fatal.
///
/// # Statements
///
/// A replay is a look and writes nothing. A first run is a look and two writes, each a transaction of its own, which with
/// `synchronous` at `FULL` waits for the disk.
///
/// # Time
///
/// The clock of the machine counts. Where somebody sets it forward, claims look older than they are by that much.
///
/// # Waiting
///
/// Who waits for a record is woken by changes through the same store. Of what other processes change, a waiter learns by
/// polling.
///
/// # Examples
///
/// ```
/// use idempotency_actix::{Idempotency, KeyScope};
/// use idempotency_actix_sqlx::SqliteStore;
/// use idempotency_actix_sqlx::sqlx::SqlitePool;
/// use idempotency_actix_sqlx::sqlx::sqlite::SqliteConnectOptions;
///
/// # async fn start(file: &std::path::Path) -> Result<(), Box<dyn std::error::Error>> {
/// let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
/// let pool = SqlitePool::connect_with(options).await?;
/// let store = SqliteStore::new(pool.clone());
/// store.migrate().await?;
/// let idempotency = Idempotency::new(store, KeyScope::everyone());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct SqliteStore {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) records: Arc<Records<SqliteTable>>,
    pub(super) running: Running,
    pub(super) transactions: Beginning,
    /// The one that copies the log, if that is left to the store's thread.
    pub(super) copying: Option<Arc<Connections<SqliteConnection>>>,
    pub(super) pool: SqlitePool,
    pub(super) names: Names,
    pub(super) options: Options,
    pub(super) background: Background,
}

impl SqliteStore {
    /// Makes the table, its indexes and the view for operators, where they are not there. Where they are, it takes no lock,
    /// and may run at each start.
    ///
    /// The same SQL stands in the crate's folder `migrations/sqlite`, for those who migrate by other means.
    ///
    /// # Errors
    ///
    /// The file cannot be opened or written. Nothing is left by half.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let inner = &*self.inner;
        let (names, table) = (&inner.names, &inner.records.table);
        let deadline = Instant::now() + MIGRATION;
        let mut taken = table.writer.take(deadline).await?;
        let is_there = migration::is_there(taken.lend(), names).await;
        taken.answered();
        drop(taken);
        if is_there? {
            return Ok(());
        }
        let message = || table.open_plain();
        let begun = SqliteTransaction::begin(&inner.transactions, deadline, message);
        Ok(migration::migrate(begun.await?.0, names).await?)
    }

    /// Deletes all records whose time is over, by a few at a time, and tells how many they were.
    ///
    /// The store's thread does so by itself ([`sweep_every`](crate::SqliteStoreBuilder::sweep_every)).
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub async fn sweep(&self) -> Result<u64, StoreError> {
        Ok(sweep(&|| sweep_batch(&self.inner.records)).await?)
    }

    /// Reports what the database's configuration means for the promise of one run: for start-up.
    ///
    /// # Errors
    ///
    /// The file cannot be opened.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn start(store: idempotency_actix_sqlx::SqliteStore) -> Result<(), Box<dyn std::error::Error>> {
    /// let report = store.check().await?;
    /// println!("{report}");
    /// if !report.is_safe() {
    ///     return Err("the database is not configured to keep claims".into());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn check(&self) -> Result<SqlReport<SqliteFinding>, StoreError> {
        let inner = &*self.inner;
        let (names, table) = (&inner.names, &inner.records.table);
        let deadline = inner.records.deadline();
        // A file that takes no writes cannot be turned to WAL, and is still looked at.
        let mut taken = match table.writer.take(deadline).await {
            Ok(taken) => taken,
            Err(_) => table.readers.take(deadline).await?,
        };
        let is_file = place::is_file(&inner.pool.connect_options());
        let findings = check::findings(taken.lend(), names, is_file).await?;
        taken.answered();
        let name = place::name(&inner.pool).display().to_string();
        Ok(SqlReport::new(name, findings))
    }
}

async fn sweep_batch(records: &Records<SqliteTable>) -> Result<Batch, Failure> {
    records.table.sweep(Instant::now() + SWEEP_PATIENCE).await
}

impl Inner {
    /// Starts what goes on beside the requests, with the first of them.
    pub(super) fn ensure_background(&self) {
        if self.options.sweep_every.is_none() && self.copying.is_none() {
            return;
        }
        self.background.ensure(|| {
            let records = Arc::clone(&self.records);
            let (every, copying) = (self.options.sweep_every, self.copying.clone());
            async move {
                let sweeping = async {
                    if let Some(every) = every {
                        keep_sweeping(every, || sweep_batch(&records)).await;
                    }
                };
                let copying = async {
                    if let Some(copying) = copying {
                        keep_copying(&records.table.log, &copying).await;
                    }
                };
                tokio::join!(sweeping, copying);
            }
        });
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore")
            .field("file", &place::name(&self.inner.pool))
            .field("table", &self.inner.names.table())
            .finish_non_exhaustive()
    }
}

impl Store for SqliteStore {
    async fn begin(&self, id: &RecordId, claim: &Claim) -> Result<Begun, StoreError> {
        self.inner.ensure_background();
        self.inner.records.begin(id, claim).await
    }

    async fn renew(&self, id: &RecordId, claim: &Claim) -> Result<Renewed, StoreError> {
        self.inner.records.renew(id, claim).await
    }

    async fn complete(
        &self,
        id: &RecordId,
        claim: &Claim,
        finished: &Finished,
        ttl: Duration,
    ) -> Result<Completion, StoreError> {
        self.inner.records.complete(id, claim, finished, ttl).await
    }

    async fn release(&self, id: &RecordId, claim: &Claim) -> Result<Released, StoreError> {
        self.inner.records.release(id, claim).await
    }

    async fn inspect(&self, id: &RecordId) -> Result<Option<Record>, StoreError> {
        self.inner.records.inspect(id).await
    }

    async fn resolve(
        &self,
        id: &RecordId,
        seen: &AttemptId,
        verdict: &Verdict,
    ) -> Result<Resolved, StoreError> {
        self.inner.records.resolve(id, seen, verdict).await
    }

    /// Those whose claims were taken first come first, by an index of claims alone.
    async fn unknown(&self, after: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
        self.inner.records.unknown(after, limit).await
    }

    /// Resolves at the next completion, release or verdict of this record through this store.
    async fn changed(&self, id: &RecordId) {
        self.inner.records.wakeups.changed(id).await;
    }

    /// Asks for a write on the table that meets no row.
    async fn health(&self) -> Result<(), StoreError> {
        let records = &self.inner.records;
        Ok(records.table.health(records.deadline()).await?)
    }

    fn timeout(&self) -> Option<Duration> {
        self.inner.options.timeout
    }
}
