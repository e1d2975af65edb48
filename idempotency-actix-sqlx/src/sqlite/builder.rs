//! The options of a [`SqliteStore`], and what is made of them: its connections and its statements.

use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "encryption")]
use idempotency_actix::store::Keyring;
use idempotency_actix::store::{RecordCodec, Running, Wakeups};
use sqlx::SqlitePool;
use sqlx::sqlite::Sqlite;

use super::statements::Statements;
use super::store::{Inner, SqliteStore};
use super::table::SqliteTable;
use super::transaction::Beginning;
use super::{checkpoints, place};
use crate::background::Background;
use crate::connections::{Connections, Foreign};
use crate::error::SqlConfigError;
use crate::name::{Name, Names};
use crate::options::Options;
use crate::records::Records;
use crate::steps::Engine;

/// How many connections read unless told otherwise: each has a thread, and a look takes some microseconds.
const READERS: usize = 4;

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
            has_checkpoints: true,
            codec: RecordCodec::plain(),
        }
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
    has_checkpoints: bool,
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

    /// Whether the store's thread copies the log of a file in WAL mode into the file; `true` by default.
    ///
    /// SQLite by itself does so in the commit that brings the log to 1,000 pages, and the request of that commit waits for the
    /// disk, for tens of milliseconds. The store's thread does it beside the requests, after each 800 commits. The
    /// store's own commits do it from 8,000 pages on, where there is little left to copy, and the log starts over: it
    /// takes 32 MiB with pages of 4 KiB. `false` leaves all of it to SQLite and to the pool's options (`wal_autocheckpoint`), as where
    /// another program copies the log for replicas.
    pub fn background_checkpoints(mut self, background_checkpoints: bool) -> Self {
        self.has_checkpoints = background_checkpoints;
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
        let is_file = place::is_file(&self.pool.connect_options());
        let has_checkpoints = is_file && self.has_checkpoints;
        let pages = has_checkpoints.then_some(checkpoints::MOST);
        let writer = place::writer(&self.pool, self.sets_wal, pages);
        // Each connection has a thread of its own, whatever runtime it was made in.
        let writer = Connections::new(1, Foreign::Use, Sqlite::meaning, writer);
        let reading = |most| {
            let open = place::readers(&self.pool);
            Connections::new(most, Foreign::Use, Sqlite::meaning, open)
        };
        let readers = match is_file {
            true => reading(self.options.connections),
            // A second connection would be another database, or be locked out by the first.
            false => Arc::clone(&writer),
        };
        let copying = has_checkpoints.then(|| reading(1));
        let records = Records {
            table: SqliteTable {
                statements: Statements::of(&self.names),
                writer,
                readers,
                log: Arc::default(),
            },
            codec: self.codec,
            timeout: self.options.step_timeout(),
            wakeups: Arc::<Wakeups>::default(),
        };
        let inner = Inner {
            transactions: Beginning::on(Arc::clone(&records.table.writer)),
            records: Arc::new(records),
            running: Running::default(),
            copying,
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
