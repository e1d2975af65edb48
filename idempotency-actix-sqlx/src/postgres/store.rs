//! [`PgStore`]: the steps of the contract, and what goes on beside them. How a step is done on the server is not known here.

use std::fmt;
use std::num::NonZero;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use idempotency_actix::store::{
    AttemptId, Begun, Claim, Completion, Cursor, Finished, Page, Record, RecordId, Released,
    Renewed, Resolved, Store, StoreError, Verdict,
};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgConnection, Postgres};
use tokio::time::Instant;

use super::beginning::Beginning;
use super::finding::PgFinding;
use super::listening::keep_listening;
use super::table::{self, PgTable};
use super::{check, migration};
use crate::background::Background;
use crate::connections::{Connections, Foreign};
use crate::failure::Failure;
use crate::name::Names;
use crate::options::{Options, SWEEP_PATIENCE};
use crate::records::Records;
use crate::report::SqlReport;
use crate::steps::Engine;
use crate::sweep::{Batch, keep_sweeping, sweep};

/// Those for renewals, for the store's own thread, and for what is heard.
const BESIDE: usize = 4;

/// How long a migration may wait, for another one mostly.
const MIGRATION: Duration = Duration::from_secs(60);

/// A [`Store`] on PostgreSQL 13 or later, shared by any number of replicas.
///
/// It keeps its records in a table of the application's own database. Clones are handles to the same connections.
///
/// # Connections
///
/// The store makes connections of its own, by the options of the pool that it is given: as many as
/// [`connections`](crate::PgStoreBuilder::connections), as many again for transactions, two for renewals, one for its thread, and
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
    pub(super) pool: PgPool,
    pub(super) names: Names,
    pub(super) housekeeping: Arc<Connections<PgConnection>>,
    pub(super) options: Options,
    pub(super) has_notifications: bool,
    pub(super) channel: Arc<str>,
    pub(super) background: Background,
}

impl PgStore {
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
    /// The store's thread does so by itself ([`sweep_every`](crate::PgStoreBuilder::sweep_every)).
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
    /// run such a handler while others do, and their requests wait for [`timeout`](crate::PgStoreBuilder::timeout), and are
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
pub(super) fn opener(
    pool: &PgPool,
) -> impl Fn() -> Option<PgConnectOptions> + Send + Sync + 'static {
    let pool = pool.clone();
    move || (!pool.is_closed()).then(|| (*pool.connect_options()).clone())
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
