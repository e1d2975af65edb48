//! [`PgStore`] and its options. How a step is done on the server is not known here.

use std::fmt;
use std::num::NonZero;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

#[cfg(feature = "encryption")]
use idempotency_actix::store::Keyring;
use idempotency_actix::store::{
    AttemptId, Begun, Claim, Completion, Cursor, Finished, Page, Record, RecordCodec, RecordId,
    Released, Renewed, Resolved, Store, StoreError, Verdict, Wakeups,
};
use sqlx::postgres::{PgConnectOptions, PgConnection, Postgres};
use sqlx::{ConnectOptions, PgPool};
use tokio::time::Instant;

use super::finding::PgFinding;
use super::listening::keep_listening;
use super::prepared::Prepared;
use super::statements::Statements;
use super::table::{self, PgTable};
use super::telling::Telling;
use super::transaction::Beginning;
use super::{check, migration};
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

/// Those for renewals, for the store's own thread, and for what is heard.
const BESIDE: usize = 4;

/// How long a migration may wait, for another one mostly.
const MIGRATION: Duration = Duration::from_secs(60);

/// Of less than a millisecond the server would make none at all.
const STATEMENT_TIMEOUTS: RangeInclusive<Duration> =
    Duration::from_millis(1)..=Duration::from_secs(8 * 60 * 60);

/// A [`Store`] on PostgreSQL 13 or later, shared by any number of replicas.
///
/// It keeps its records in a table of the application's own database. Clones are handles to the same connections.
///
/// # Connections
///
/// The store makes connections of its own, by the options of the pool that it is given: as many as
/// [`connections`](PgStoreBuilder::connections), as many again for transactions, two for renewals, one for its thread, and
/// one that listens. None of the pool's is used, so that handlers which wait for one do not hold up claims, and claims do
/// not hold up handlers. Hooks of the pool (`after_connect`) are not run on them: what the store needs belongs into the
/// connect options. Once the pool is closed, the store refuses.
///
/// # Statements
///
/// Each step is one statement and one round trip; a verdict is two. A replay is one, and writes nothing. A first run is
/// two: the claim, which also is the look-up, and the answer. A renewal is a HOT update, which touches no index. Each is
/// right under every isolation level; one that was undone for another's sake (40001, 40P01) is sent again, within the
/// timeout.
///
/// # Time
///
/// The server's clock counts, and no other. After a failover to a server whose clock is ahead, claims look older than they
/// are by that much.
///
/// # What is over
///
/// Rows whose time is over are absent to every step. They are deleted by a thread of the store's, a few at a time, and
/// not on the way of a request.
///
/// # Examples
///
/// ```no_run
/// use idempotency_actix::{Idempotency, KeyScope};
/// use idempotency_actix_sqlx::PgStore;
/// use idempotency_actix_sqlx::sqlx::PgPool;
///
/// # async fn start() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = PgPool::connect("postgres://shop@db.internal/shop").await?;
/// let store = PgStore::new(pool.clone());
/// store.migrate().await?;
/// let idempotency = Idempotency::new(store, KeyScope::everyone());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct PgStore {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) records: Records<PgTable>,
    pub(super) transactions: Beginning,
    pool: PgPool,
    pub(super) names: Names,
    housekeeping: Arc<Connections<PgConnection>>,
    options: Options,
    has_notifications: bool,
    channel: Arc<str>,
    background: Background,
}

impl PgStore {
    /// A store with the default options. It connects when it is first used.
    pub fn new(pool: PgPool) -> Self {
        Self::builder(pool).make()
    }

    /// A store with options of choice.
    pub fn builder(pool: PgPool) -> PgStoreBuilder {
        let pooled = pool.options().get_max_connections();
        PgStoreBuilder {
            pool,
            names: Names {
                schema: None,
                table: Name::default_table(),
            },
            mistake: None,
            options: Options {
                connections: usize::try_from(pooled).unwrap_or(1).max(1),
                ..Options::default()
            },
            statement_timeout: None,
            has_notifications: true,
            codec: RecordCodec::plain(),
        }
    }

    /// Makes the table, its indexes and the view for operators, where they are not there. Where they are, it takes no lock,
    /// and may run at each start; of several replicas that start at once, one makes them.
    ///
    /// The same SQL stands in the crate's folder `migrations/postgres`, for those who migrate by other means.
    ///
    /// # Errors
    ///
    /// The role may not create, or the server cannot be reached. Nothing is left by half.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let deadline = Instant::now() + MIGRATION;
        let mut taken = self.inner.housekeeping.take(deadline).await?;
        let done = migration::migrate(taken.lend(), &self.inner.names).await;
        if done.is_ok() {
            taken.answered();
        }
        Ok(done?)
    }

    /// Deletes all records whose time is over, by a few at a time, and tells how many they were.
    ///
    /// The store's thread does so by itself ([`sweep_every`](PgStoreBuilder::sweep_every)).
    ///
    /// # Errors
    ///
    /// The server cannot be reached, or refuses.
    pub async fn sweep(&self) -> Result<u64, StoreError> {
        Ok(sweep(&|| self.inner.sweep_batch()).await?)
    }

    /// Reports what the server's configuration means for the promise of one run: for start-up.
    ///
    /// It takes the server for one with as many workers as the machine runs threads at a time, which is the default of
    /// actix-web. Where yours has another number, ask [`check_for`](Self::check_for).
    ///
    /// # Errors
    ///
    /// The server could not be reached, or did not answer.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn start(store: idempotency_actix_sqlx::PgStore) -> Result<(), Box<dyn std::error::Error>> {
    /// let report = store.check().await?;
    /// println!("{report}");
    /// if !report.is_safe() {
    ///     return Err("the database is not configured to keep claims".into());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn check(&self) -> Result<SqlReport<PgFinding>, StoreError> {
        let workers = thread::available_parallelism().map_or(1, NonZero::get);
        self.check_for(workers).await
    }

    /// The same for a server with that many workers ([`HttpServer::workers`](actix_web::HttpServer::workers)).
    ///
    /// A handler in a transaction holds a connection until it has answered. With fewer than workers, some workers cannot
    /// run such a handler while others do, and their requests wait for [`timeout`](PgStoreBuilder::timeout), and are
    /// answered 503 then.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
    pub async fn check_for(&self, workers: usize) -> Result<SqlReport<PgFinding>, StoreError> {
        let inner = &*self.inner;
        // Made for this alone, since it takes two at once.
        let connections =
            Connections::new(2, Foreign::Replace, Postgres::meaning, opener(&inner.pool));
        let deadline = inner.records.deadline();
        let mut taken = connections.take(deadline).await?;
        let mut other = connections.take(deadline).await?;
        let needed = inner.most_connections();
        let findings = check::findings(taken.lend(), other.lend(), &inner.names, needed).await;
        taken.close();
        other.close();
        let mut findings = findings?;
        let connections = inner.options.connections;
        if connections < workers {
            findings.push(PgFinding::FewerThanWorkers {
                connections,
                workers,
            });
        }
        let options = inner.pool.connect_options();
        let database = options.get_database().unwrap_or("the default database");
        let place = format!("{}:{}/{database}", options.get_host(), options.get_port());
        Ok(SqlReport::new(place, findings))
    }
}

impl Inner {
    /// With those for transactions, which are as many as those for the steps of requests.
    fn most_connections(&self) -> usize {
        2 * self.options.connections + BESIDE
    }

    async fn sweep_batch(&self) -> Result<Batch, Failure> {
        let deadline = Instant::now() + SWEEP_PATIENCE;
        let sql = &self.records.table.statements.sweep;
        table::sweep(&self.housekeeping, sql, deadline).await
    }

    /// Starts what goes on beside the requests, with the first of them.
    pub(super) fn ensure_background(&self) {
        self.background.ensure(|| {
            let housekeeping = Arc::clone(&self.housekeeping);
            let sql = Arc::clone(&self.records.table.statements.sweep);
            let every = self.options.sweep_every;
            let telling = self.records.table.telling.clone();
            let told = (Arc::clone(&housekeeping), Arc::clone(&self.channel));
            let heard = (Arc::clone(&self.channel), Arc::clone(&self.records.wakeups));
            let open = opener(&self.pool);
            let has_notifications = self.has_notifications;
            async move {
                let sweeping = async {
                    if let Some(every) = every {
                        let batch = || {
                            let deadline = Instant::now() + SWEEP_PATIENCE;
                            table::sweep(&housekeeping, &sql, deadline)
                        };
                        keep_sweeping(every, batch).await;
                    }
                };
                let listening = async {
                    if has_notifications {
                        keep_listening(open, heard.0, heard.1).await;
                    }
                };
                tokio::join!(sweeping, telling.keep_telling(told.0, told.1), listening);
            }
        });
    }
}

/// The options of the pool as they are now, since applications change them (a password that expires).
fn opener(pool: &PgPool) -> impl Fn() -> Option<PgConnectOptions> + Send + Sync + 'static {
    let pool = pool.clone();
    move || (!pool.is_closed()).then(|| (*pool.connect_options()).clone())
}

/// The message with a commit has the answer in its text, which is not for a warning of the client library's.
fn without_slow_statements(options: PgConnectOptions) -> PgConnectOptions {
    let level = "off".parse().expect("a level of logs");
    options.log_slow_statements(level, Duration::MAX)
}

impl fmt::Debug for PgStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgStore")
            .field("table", &self.inner.names.table())
            .field("connections", &self.inner.records.table.connections)
            .finish_non_exhaustive()
    }
}

impl Store for PgStore {
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

    /// Resolves at the next completion, release or verdict of this record, told by whichever replica, and when
    /// notifications may have been missed.
    async fn changed(&self, id: &RecordId) {
        self.inner.ensure_background();
        self.inner.records.wakeups.changed(id).await;
    }

    /// Asks the server for a write on the table that meets no row: a standby answers reads, and takes no claim.
    async fn health(&self) -> Result<(), StoreError> {
        let records = &self.inner.records;
        Ok(records.table.health(records.deadline()).await?)
    }

    fn timeout(&self) -> Option<Duration> {
        self.inner.options.timeout
    }
}

/// Options of a [`PgStore`]; every one has a default.
#[derive(Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct PgStoreBuilder {
    pool: PgPool,
    names: Names,
    mistake: Option<SqlConfigError>,
    options: Options,
    statement_timeout: Option<Duration>,
    has_notifications: bool,
    codec: RecordCodec,
}

impl PgStoreBuilder {
    /// The schema that the table is in; by default whichever comes first in the role's `search_path`.
    ///
    /// It must exist. To name it keeps the records where they are when somebody changes a `search_path`.
    pub fn schema(mut self, schema: &str) -> Self {
        match Name::new("schema", schema) {
            Ok(schema) => self.names.schema = Some(schema),
            Err(mistake) => self.mistake = self.mistake.or(Some(mistake)),
        }
        self
    }

    /// The table of the records; `idempotency_records` by default.
    ///
    /// Its indexes are called the same with `_expires` and `_claims` behind it, and the view for operators with `_view`. Applications that
    /// share a schema need tables of their own. To change it forgets every record, so that retries of before run again.
    pub fn table(mut self, table: &str) -> Self {
        match Name::new("table", table) {
            Ok(table) => self.names.table = table,
            Err(mistake) => self.mistake = self.mistake.or(Some(mistake)),
        }
        self
    }

    /// How long a step may take, with whatever it takes to get a connection; 1 s by default, or a third of the lease if
    /// that is less.
    ///
    /// Shorter, and a pause of the server is answered 503 sooner; longer, and requests pile up behind a server that is
    /// gone. At most a third of the lease: a layer that has a shorter one is not built.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = Some(timeout);
        self
    }

    /// How many connections requests use at most; as many as the pool may have by default, which is 10 of sqlx's.
    ///
    /// A step holds one for a round trip. When all are in use, further ones wait within the timeout, and are answered 503
    /// then. Handlers in transactions have as many of their own, and hold one each. Four more are opened beside them: two
    /// for renewals, one for the store's thread, one that listens.
    pub fn connections(mut self, connections: usize) -> Self {
        self.options.connections = connections;
        self
    }

    /// How long a statement in a handler's transaction may take, the one that records its answer as well; not set by
    /// default, which leaves it to the configuration of the server, the database or the role (no limit unless one is set).
    ///
    /// PostgreSQL cancels a statement that takes longer (57014): it fails, and the transaction commits nothing. The lease
    /// bounds how long a transaction is idle, and not a statement that waits for a row's lock or reads for hours, during
    /// which retries are told 409. A limit chosen here would break reports and imports that are meant to be long, so that
    /// none is. It is set for the transaction alone: other statements of the application are not concerned. In whole
    /// milliseconds.
    pub fn statement_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.statement_timeout = timeout.into();
        self
    }

    /// How often records whose time is over are deleted; every 30 s by default, give or take half of it. `None` leaves it
    /// to [`PgStore::sweep`].
    ///
    /// They take room until then, and are absent to every step whether they are there or not.
    pub fn sweep_every(mut self, every: impl Into<Option<Duration>>) -> Self {
        self.options.sweep_every = every.into();
        self
    }

    /// Whether replicas tell each other of each change by `NOTIFY`, so that who waits for a record is woken at once; `true`
    /// by default.
    ///
    /// It takes one more connection, and one short statement for the changes of a few milliseconds, after their commits.
    /// Without it, who waits for another replica's record polls. Switch it off behind a pooler in transaction mode, which
    /// cannot listen.
    pub fn notifications(mut self, notifications: bool) -> Self {
        self.has_notifications = notifications;
        self
    }

    /// The keys that answers are sealed with; none by default, which keeps them in plain.
    #[cfg(feature = "encryption")]
    #[cfg_attr(docsrs, doc(cfg(feature = "encryption")))]
    pub fn encryption(mut self, keyring: Keyring) -> Self {
        self.codec = RecordCodec::sealed(keyring);
        self
    }

    /// Checks the options and makes the store. It connects when it is first used.
    ///
    /// # Errors
    ///
    /// A name that is no plain identifier, a timeout of zero or over 8 hours, no connections, a statement timeout under 1 ms
    /// or over 8 hours, or sweeps more often than
    /// every 10 ms or less than daily.
    pub fn build(self) -> Result<PgStore, SqlConfigError> {
        if let Some(mistake) = self.mistake {
            return Err(mistake);
        }
        self.options.check()?;
        match self.statement_timeout {
            Some(limit) if !STATEMENT_TIMEOUTS.contains(&limit) => {
                Err(SqlConfigError::StatementTimeout(limit))
            }
            _ => Ok(self.make()),
        }
    }

    fn make(self) -> PgStore {
        let options = self.options;
        let connections =
            |most, foreign| Connections::new(most, foreign, Postgres::meaning, opener(&self.pool));
        let table = PgTable {
            statements: Statements::of(&self.names),
            connections: connections(options.connections, Foreign::Use),
            renewals: connections(2, Foreign::Replace),
            telling: match self.has_notifications {
                true => Telling::on(),
                false => Telling::default(),
            },
        };
        let channel = format!("{}:changed", self.names.table().replace('"', ""));
        let inner = Inner {
            records: Records {
                table,
                codec: self.codec,
                timeout: options.step_timeout(),
                wakeups: Arc::<Wakeups>::default(),
            },
            transactions: {
                let open = opener(&self.pool);
                let open = move || open().map(without_slow_statements);
                let most = options.connections;
                Beginning {
                    connections: Connections::new(most, Foreign::Use, Postgres::meaning, open),
                    statement_timeout: self.statement_timeout,
                    prepared: Arc::new(Prepared::of(self.names.table())),
                }
            },
            housekeeping: connections(1, Foreign::Replace),
            pool: self.pool,
            names: self.names,
            options,
            has_notifications: self.has_notifications,
            channel: channel.into(),
            background: Background::new("idempotency-pg"),
        };
        PgStore {
            inner: Arc::new(inner),
        }
    }
}
