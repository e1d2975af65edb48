//! A database that outlives the processes that serve on it.

use std::collections::HashMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;

use actix_web::rt::System;
use idempotency_actix_sqlx::sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use idempotency_actix_sqlx::sqlx::{AssertSqlSafe, PgConnection, Row, SqlitePool, raw_sql};
use idempotency_actix_sqlx::{PgStore, SqliteStore};
use tempfile::TempDir;

use super::teller::Teller;
use crate::postgres::{PgServer, Wire};
use crate::request::Request;

/// A lease, a third of which is enough for a step on any busy machine.
const AMPLE: Duration = Duration::from_secs(60);

/// What stands between a retry and a second effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// The layer.
    Layer,
    /// Nothing: a transaction by hand, which shows that a scenario finds what is wrong.
    Nothing,
}

/// A database with a bank's charges and its records.
#[derive(Debug)]
pub struct Place<'a> {
    program: PathBuf,
    guard: Guard,
    lease: Duration,
    database: Database<'a>,
}

#[derive(Debug)]
enum Database<'a> {
    Server {
        server: &'a PgServer,
        /// What processes connect to.
        port: u16,
        table: String,
    },
    File(TempDir),
}

impl<'a> Place<'a> {
    /// Tables of its own on that server, served by that program.
    pub fn on(server: &'a PgServer, program: impl AsRef<Path>, guard: Guard) -> Self {
        let table = server.fresh_name();
        now(async {
            let store = PgStore::builder(server.pool(2)).table(&table).build();
            let store = store.expect("options that hold");
            store.migrate().await.expect("a table");
            server
                .execute(&format!(
                    "CREATE TABLE {table}_charges (id bigserial, note text, run text)"
                ))
                .await;
        });
        let port = server.addr().port();
        Self {
            program: program.as_ref().to_owned(),
            guard,
            lease: AMPLE,
            database: Database::Server {
                server,
                port,
                table,
            },
        }
    }

    /// A file of its own.
    pub fn file(program: impl AsRef<Path>, guard: Guard) -> Self {
        let folder = TempDir::with_prefix("sqlite-").expect("a folder");
        let options = SqliteConnectOptions::new().filename(file(&folder));
        now(async {
            let pool = SqlitePoolOptions::new().connect_lazy_with(options.create_if_missing(true));
            let store = SqliteStore::builder(pool.clone()).table("records").build();
            let store = store.expect("options that hold");
            store.migrate().await.expect("a table");
            let charges = "CREATE TABLE records_charges (note TEXT, run TEXT)";
            raw_sql(charges).execute(&pool).await.expect("a table");
        });
        Self {
            program: program.as_ref().to_owned(),
            guard,
            lease: AMPLE,
            database: Database::File(folder),
        }
    }

    /// Has processes connect through a wire to the server.
    pub fn behind(mut self, wire: &Wire) -> Self {
        if let Database::Server { port, .. } = &mut self.database {
            *port = wire.port();
        }
        self
    }

    /// Has owners lose their transaction when they do nothing for so long, on a server.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Starts a process that serves.
    pub fn teller(&self) -> Teller {
        let lease = self.lease.as_secs().to_string();
        match &self.database {
            Database::Server { port, table, .. } => {
                Teller::start(&self.program, [&port.to_string(), table, &lease])
            }
            Database::File(folder) => {
                let file = file(folder).display().to_string();
                Teller::start(&self.program, [&file, "records", &lease])
            }
        }
    }

    /// A charge under that key.
    pub fn request(&self, key: &str) -> Request {
        let bare = match self.guard {
            Guard::Layer => "",
            Guard::Nothing => "/bare",
        };
        let database = match self.database {
            Database::Server { .. } => "postgres",
            Database::File(_) => "sqlite",
        };
        Request::post(&format!("{bare}/{database}")).key(key)
    }

    /// How many effects and records there are.
    pub fn count(&self) -> (i64, i64) {
        let records = match &self.database {
            Database::Server { table, .. } => table,
            Database::File(_) => "records",
        };
        let [effects, records] = [format!("{records}_charges"), records.to_owned()];
        let count = |of| self.number(format!("SELECT count(*) FROM {of}"));
        (count(effects), count(records))
    }

    pub(super) fn guard(&self) -> Guard {
        self.guard
    }

    /// The server, where it is one.
    pub fn server(&self) -> Option<&'a PgServer> {
        match self.database {
            Database::Server { server, .. } => Some(server),
            Database::File(_) => None,
        }
    }

    /// The runs that are committed, by key.
    pub(super) fn effects(&self) -> HashMap<String, Vec<String>> {
        let pairs: Vec<(String, String)> = match &self.database {
            Database::Server { server, table, .. } => now(async {
                let mut connection: PgConnection = server.connection().await;
                let sql = format!("SELECT note, run FROM {table}_charges");
                let rows = raw_sql(AssertSqlSafe(sql)).fetch_all(&mut connection).await;
                let rows = rows.expect("effects");
                rows.iter().map(|row| (row.get(0), row.get(1))).collect()
            }),
            Database::File(folder) => now(async {
                let sql = "SELECT note, run FROM records_charges";
                let rows = raw_sql(sql)
                    .fetch_all(&open(folder))
                    .await
                    .expect("effects");
                rows.iter().map(|row| (row.get(0), row.get(1))).collect()
            }),
        };
        let mut effects = HashMap::<_, Vec<_>>::new();
        for (note, run) in pairs {
            effects.entry(note).or_default().push(run);
        }
        effects
    }

    /// How many connections of those who serve are in a transaction.
    pub(super) fn open_transactions(&self) -> i64 {
        match &self.database {
            Database::Server { table, .. } => self.number(format!(
                "SELECT count(*) FROM pg_stat_activity \
                 WHERE application_name = '{table}' AND state LIKE 'idle in transaction%'"
            )),
            Database::File(_) => 0,
        }
    }

    fn number(&self, sql: String) -> i64 {
        match &self.database {
            Database::Server { server, .. } => now(server.number(&sql)),
            Database::File(folder) => now(async {
                let row = raw_sql(AssertSqlSafe(sql)).fetch_one(&open(folder)).await;
                row.expect("a number").get(0)
            }),
        }
    }
}

fn file(folder: &TempDir) -> PathBuf {
    folder.path().join("bank.db")
}

fn open(folder: &TempDir) -> SqlitePool {
    let options = SqliteConnectOptions::new().filename(file(folder));
    SqlitePoolOptions::new().connect_lazy_with(options)
}

fn now<T>(future: impl Future<Output = T>) -> T {
    System::new().block_on(future)
}
