//! [`RedisStore`] and its options. How a step is done on the server is not known here.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use deadpool_redis::redis::{Client, Value, cmd};

use super::failure::Failure;
use super::finding::RedisFinding;
use super::notifications::Notifications;
use super::pool::RedisPool;
use super::records::Records;
use super::report::RedisReport;
use super::script::LOOK;
use super::session::{Ask, Server};
use super::shared_connections::SharedConnections;
use super::swap::Swap;
use crate::error::ConfigError;
#[cfg(feature = "encryption")]
use crate::store::Keyring;
use crate::store::{
    AttemptId, Begun, Claim, Completion, Cursor, Finished, Page, Record, RecordCodec, RecordId,
    Released, Renewed, Resolved, Store, StoreError, Verdict,
};

/// How long an operation may take unless told otherwise.
const TIMEOUT: Duration = Duration::from_secs(1);

/// A third of the longest lease.
const MAX_TIMEOUT: Duration = Duration::from_secs(8 * 60 * 60);

/// A [`Store`] on Redis 7.0 or later, or Valkey 7.2 or later, shared by any number of replicas.
///
/// It takes a pool of `deadpool_redis` (re-exported by this crate) for one server, for Sentinel or
/// for Cluster; credentials, TLS and connection limits are the pool's own configuration. A new minor
/// version of `deadpool_redis` is a breaking release of this crate.
///
/// Clones are handles to the same connections.
///
/// # Connections
///
/// Each worker takes one connection out of the pool and sends everything over it, and so does the
/// thread that renews claims. A connection that breaks is made anew once for all who wait, with
/// growing pauses while that fails. So a pool of a few connections serves any load; only
/// [`wait_replicas`](RedisStoreBuilder::wait_replicas) borrows one for each write, and so does an answer from 1 MB on:
/// a server may refuse it for its length, and then closes the connection that it came over. Give the store a
/// pool of its own: it closes idle connections that others left there when it connects.
///
/// # Commands
///
/// A replay is one command, a first run two: the claim is also the look-up. What is compared before it
/// is changed goes by `SET .. IFEQ` where the server has it (Valkey 8.1, Redis 8.4), and by scripts
/// elsewhere. A server that cannot take a claim because it is out of memory or has become a replica is
/// still asked for an answer to replay.
///
/// # Time
///
/// A lease is measured by the server's clock alone: a claim is written with a long time to live, and
/// what is missing of it is the time since the owner's last sign of life. A claim is never lost by
/// expiry of its lease.
///
/// # Examples
///
/// ```no_run
/// use idempotency_actix::deadpool_redis::{Config, Runtime};
/// use idempotency_actix::{Idempotency, KeyScope, RedisStore};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = Config::from_url("redis://127.0.0.1/").create_pool(Some(Runtime::Tokio1))?;
/// let store = RedisStore::builder(pool).prefix("shop:idem:").build()?;
/// let idempotency = Idempotency::new(store, KeyScope::everyone());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RedisStore {
    records: Arc<Records>,
    /// Only where it was set: the layer has a deadline of its own, which is never over a third of the lease.
    timeout: Option<Duration>,
    notifications: Option<Arc<Notifications>>,
}

impl RedisStore {
    /// A store with the default options.
    pub fn new(pool: impl Into<RedisPool>) -> Self {
        Self::builder(pool).make()
    }

    /// A store with options of choice.
    pub fn builder(pool: impl Into<RedisPool>) -> RedisStoreBuilder {
        RedisStoreBuilder {
            pool: pool.into(),
            prefix: "idem:".into(),
            timeout: None,
            wait_replicas: 0,
            notifications: None,
            codec: RecordCodec::plain(),
        }
    }

    /// Reports what the configuration of the servers means for the promise of one run: for start-up.
    ///
    /// It asks the primaries of a cluster, or the one server that takes claims, for `INFO` and
    /// `CONFIG GET appendfsync`, and writes one key as [`health`](Store::health) does. What they do not tell is a finding
    /// too.
    ///
    /// # Errors
    ///
    /// No server could be reached.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn start(store: idempotency_actix::RedisStore) -> Result<(), Box<dyn std::error::Error>> {
    /// let report = store.check().await?;
    /// println!("{report}");
    /// if !report.is_safe() {
    ///     return Err("the Redis server is not configured to keep claims".into());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn check(&self) -> Result<RedisReport, StoreError> {
        let report = RedisReport::of(&self.records.server).await?;
        Ok(match self.try_key().await {
            Err(failure) if failure.has_code("NOPERM") => report.with(RedisFinding::NotPermitted {
                prefix: self.records.prefix.clone(),
            }),
            // What else stands in the way is a matter of health.
            _ => report,
        })
    }

    /// Writes a key of its own, and runs a script on it: a user without scripts could claim, and never complete.
    async fn try_key(&self) -> Result<(), Failure> {
        let key = format!("{}health", self.records.prefix);
        let mut session = self.records.server.session(key.as_bytes());
        let mut set = cmd("SET");
        set.arg(&key).arg(1).arg("PX").arg(60_000);
        session.send::<()>(Ask::Command(&set)).await?;
        LOOK.run::<Value>(&mut session, &[key.as_bytes()], &[])
            .await?;
        Ok(())
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("pool", &self.records.server.pool)
            .field("prefix", &self.records.prefix)
            .finish_non_exhaustive()
    }
}

impl Store for RedisStore {
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

    /// Scans the keys of every primary, about 5,000 of each in a call at most, by a script. In no order beyond a page's own.
    async fn unknown(&self, after: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
        self.records.unknown(after, limit).await
    }

    /// Resolves at the next completion, release or verdict of this record, told by whichever replica,
    /// and when notifications may have been missed. Without
    /// [`notifications`](RedisStoreBuilder::notifications) it never does.
    async fn changed(&self, id: &RecordId) {
        match &self.notifications {
            Some(notifications) => notifications.changed(id).await,
            None => std::future::pending().await,
        }
    }

    /// Writes a key of its own, `health` behind the prefix, and reads it by a script: a server may answer,
    /// and take no claim.
    async fn health(&self) -> Result<(), StoreError> {
        Ok(self.try_key().await?)
    }

    fn timeout(&self) -> Option<Duration> {
        self.timeout
    }
}

/// Options of a [`RedisStore`]; every one has a default.
#[derive(Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct RedisStoreBuilder {
    pool: RedisPool,
    prefix: String,
    timeout: Option<Duration>,
    wait_replicas: usize,
    notifications: Option<Client>,
    codec: RecordCodec,
}

impl RedisStoreBuilder {
    /// What all keys start with; `idem:` by default.
    ///
    /// Applications that share a server need prefixes of their own. To change it forgets every
    /// record, so that retries of before run again. No braces: they would put all records of a cluster
    /// into one slot.
    pub fn prefix(mut self, prefix: &str) -> Self {
        prefix.clone_into(&mut self.prefix);
        self
    }

    /// How long an operation may take, with whatever it takes to connect; 1 s by default, or a third of the
    /// lease if that is less.
    ///
    /// It also is the response timeout of the connections of one server or of Sentinel; Cluster has
    /// its own in the pool's configuration. Shorter, and a pause of the server is answered 503 sooner; longer,
    /// and requests pile up behind a server that is gone. At most a third of the lease: a layer that has a shorter one
    /// is not built.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// How many replicas must have a claim before its handler runs, and an answer before it counts as
    /// recorded; 0 by default.
    ///
    /// Without it a failover forgets what the replicas did not have yet, and those requests may run a
    /// second time. It protects only if it covers **all** replicas that can be promoted. Each write
    /// then takes a connection of its own from the pool and waits for `WAIT`, so size the pool for the writes
    /// in flight. A claim that too few replicas confirm is answered 503 and released.
    pub fn wait_replicas(mut self, replicas: usize) -> Self {
        self.wait_replicas = replicas;
        self
    }

    /// A client for pub/sub, which a pool cannot give: replicas then tell each other of each change, on
    /// the channel `changed` behind the prefix, and who waits for a record is woken at once.
    ///
    /// Off by default, and who waits polls. In a cluster, any of its servers will do.
    pub fn notifications(mut self, client: Client) -> Self {
        self.notifications = Some(client);
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
    /// A prefix with a brace, or a timeout of zero or over 8 hours.
    pub fn build(self) -> Result<RedisStore, ConfigError> {
        if self.prefix.contains(['{', '}']) {
            return Err(ConfigError::RedisPrefix(self.prefix));
        }
        let is_bad = |timeout: Duration| timeout.is_zero() || timeout > MAX_TIMEOUT;
        if self.timeout.is_some_and(is_bad) {
            return Err(ConfigError::RedisTimeout);
        }
        Ok(self.make())
    }

    fn make(self) -> RedisStore {
        let channel = format!("{}changed", self.prefix);
        let (notifications, channel) = match self.notifications {
            Some(client) => {
                let notifications = Notifications::new(client, channel.clone());
                (Some(Arc::new(notifications)), channel)
            }
            None => (None, String::new()),
        };
        let timeout = self.timeout.unwrap_or(TIMEOUT);
        let server = Server {
            shared: SharedConnections::new(self.pool.clone(), timeout),
            pool: self.pool,
            timeout,
            wait_replicas: self.wait_replicas,
        };
        let records = Arc::new(Records {
            server,
            prefix: self.prefix,
            codec: self.codec,
            swap: Swap::new(channel),
        });
        RedisStore {
            records,
            timeout: self.timeout,
            notifications,
        }
    }
}
