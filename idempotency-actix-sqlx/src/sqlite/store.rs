//! [`SqliteStore`] and its options. How a step is done on the file is not known here.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "encryption")]
use idempotency_actix::store::Keyring;
use idempotency_actix::store::{
    AttemptId, Begun, Claim, Completion, Cursor, Finished, Page, Record, RecordCodec, RecordId,
    Released, Renewed, Resolved, Running, Store, StoreError, Verdict, Wakeups,
};
use sqlx::SqlitePool;
use sqlx::sqlite::Sqlite;
use tokio::time::Instant;

use super::finding::SqliteFinding;
use super::statements::Statements;
use super::table::SqliteTable;
use super::{check, migration, place};
use crate::background::Background;
use crate::connections::{Connections, Foreign};
use crate::error::SqlConfigError;
use crate::failure::Failure;
use crate::name::{Name, Names};
use crate::options::{Options, SWEEP_PATIENCE};
use crate::records::Records;
use crate::report::SqlReport;
use crate::steps::Engine;
use crate::sweep::{Batch, keep_sweeping, sweep};

/// How many connections read unless told otherwise: each has a thread, and a look takes some microseconds.
const READERS: usize = 4;

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
/// [`readers`](SqliteStoreBuilder::readers), which wait for nobody. The file is turned to WAL. However the pool is set up,
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
    pool: SqlitePool,
    names: Names,
    options: Options,
    background: Background,
}

impl SqliteStore {
    /// A store with the default options. It opens the file when it is first used.
    pub fn new(pool: SqlitePool) -> Self {
        Self::builder(pool).make()
    }

    /// A store with options of choice.
    pub fn builder(pool: SqlitePool) -> SqliteStoreBuilder {
        SqliteStoreBuilder {
            pool,
            names: Names {
                schema: None,
                table: Name::default_table(),
            },
            mistake: None,
            options: Options {
                connections: READERS,
                ..Options::default()
            },
            sets_wal: true,
            codec: RecordCodec::plain(),
        }
    }

    /// Makes the table, its indexes and the view for operators, where they are not there. Where they are, it takes no lock,
    /// and may run at each start.
    ///
    /// The same SQL stands in the crate's folder `migrations/sqlite`, for those who migrate by other means.
    ///
    /// # Errors
    ///
    /// The file cannot be opened or written. Nothing is left by half.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let deadline = Instant::now() + MIGRATION;
        let mut taken = self.inner.records.table.writer.take(deadline).await?;
        let done = migration::migrate(taken.lend(), &self.inner.names).await;
        taken.answered();
        Ok(done?)
    }

    /// Deletes all records whose time is over, by a few at a time, and tells how many they were.
    ///
    /// The store's thread does so by itself ([`sweep_every`](SqliteStoreBuilder::sweep_every)).
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
        let Some(every) = self.options.sweep_every else {
            return;
        };
        self.background.ensure(|| {
            let records = Arc::clone(&self.records);
            async move { keep_sweeping(every, || sweep_batch(&records)).await }
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

/// Options of a [`SqliteStore`]; every one has a default.
#[derive(Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct SqliteStoreBuilder {
    pool: SqlitePool,
    names: Names,
    mistake: Option<SqlConfigError>,
    options: Options,
    sets_wal: bool,
    codec: RecordCodec,
}

impl SqliteStoreBuilder {
    /// The table of the records; `idempotency_records` by default.
    ///
    /// Its indexes are called the same with `_expires` and `_claims` behind it, and the view for operators with `_view`. To change it
    /// forgets every record, so that retries of before run again.
    pub fn table(mut self, table: &str) -> Self {
        match Name::new("table", table) {
            Ok(table) => self.names.table = table,
            Err(mistake) => self.mistake = self.mistake.or(Some(mistake)),
        }
        self
    }

    /// How long a step may take, with the wait for the connection that writes; 1 s by default, or a third of the lease if
    /// that is less.
    ///
    /// Shorter, and a slow disk is answered 503 sooner; longer, and requests pile up behind whoever holds the file. At most
    /// a third of the lease: a layer that has a shorter one is not built.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = Some(timeout);
        self
    }

    /// How many connections read; 4 by default, each with a thread of its own.
    pub fn readers(mut self, readers: usize) -> Self {
        self.options.connections = readers;
        self
    }

    /// Whether the file is turned to WAL; `true` by default.
    ///
    /// `false` leaves its journal as it is, for a file system on which WAL does not work (a network's). Readers and the
    /// writer then wait for each other.
    pub fn wal(mut self, wal: bool) -> Self {
        self.sets_wal = wal;
        self
    }

    /// How often records whose time is over are deleted; every 30 s by default, give or take half of it. `None` leaves it
    /// to [`SqliteStore::sweep`].
    ///
    /// They take room until then, and are absent to every step whether they are there or not.
    pub fn sweep_every(mut self, every: impl Into<Option<Duration>>) -> Self {
        self.options.sweep_every = every.into();
        self
    }

    /// The keys that answers are sealed with; none by default, which keeps them in plain.
    #[cfg(feature = "encryption")]
    #[cfg_attr(docsrs, doc(cfg(feature = "encryption")))]
    pub fn encryption(mut self, keyring: Keyring) -> Self {
        self.codec = RecordCodec::sealed(keyring);
        self
    }

    /// Checks the options and makes the store. It opens the file when it is first used.
    ///
    /// # Errors
    ///
    /// A name that is no plain identifier, a timeout of zero or over 8 hours, no readers, or sweeps more often than every
    /// 10 ms or less than daily.
    pub fn build(self) -> Result<SqliteStore, SqlConfigError> {
        if let Some(mistake) = self.mistake {
            return Err(mistake);
        }
        self.options.check()?;
        Ok(self.make())
    }

    fn make(self) -> SqliteStore {
        // Each connection has a thread of its own, whatever runtime it was made in.
        let writer = place::writer(&self.pool, self.sets_wal);
        let writer = Connections::new(1, Foreign::Use, Sqlite::meaning, writer);
        let readers = match place::is_file(&self.pool.connect_options()) {
            true => {
                let open = place::readers(&self.pool);
                Connections::new(
                    self.options.connections,
                    Foreign::Use,
                    Sqlite::meaning,
                    open,
                )
            }
            // A second connection would be another database, or be locked out by the first.
            false => Arc::clone(&writer),
        };
        let records = Records {
            table: SqliteTable {
                statements: Statements::of(&self.names),
                writer,
                readers,
            },
            codec: self.codec,
            timeout: self.options.step_timeout(),
            wakeups: Arc::<Wakeups>::default(),
        };
        let inner = Inner {
            records: Arc::new(records),
            running: Running::default(),
            pool: self.pool,
            names: self.names,
            options: self.options,
            background: Background::new("idempotency-sqlite"),
        };
        SqliteStore {
            inner: Arc::new(inner),
        }
    }
}
