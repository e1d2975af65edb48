//! The options of a [`PgStore`], and what is made of them: its connections and its statements.

use std::ops::RangeInclusive;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

#[cfg(feature = "encryption")]
use idempotency_actix::store::Keyring;
use idempotency_actix::store::{RecordCodec, Wakeups};
use sqlx::postgres::{PgConnectOptions, Postgres};
use sqlx::{ConnectOptions, PgPool};

use super::beginning::Beginning;
use super::statements::Statements;
use super::store::{Inner, PgStore, opener};
use super::table::PgTable;
use super::telling::Telling;
use crate::background::Background;
use crate::connections::{Connections, Foreign};
use crate::error::SqlConfigError;
use crate::name::{Name, Names};
use crate::options::Options;
use crate::records::Records;
use crate::steps::Engine;

/// Of less than a millisecond the server would make none at all.
const STATEMENT_TIMEOUTS: RangeInclusive<Duration> =
    Duration::from_millis(1)..=Duration::from_secs(8 * 60 * 60);

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
                    names: self.names.clone(),
                    statements: OnceLock::new(),
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

/// The message with a commit has the answer in its text, which is not for a warning of the client library's.
fn without_slow_statements(options: PgConnectOptions) -> PgConnectOptions {
    let level = "off".parse().expect("a level of logs");
    options.log_slow_statements(level, Duration::MAX)
}
