//! The store on a SQLite file: one store, several on one file, sealed, and in memory.

use std::sync::OnceLock;
use std::time::Duration;

use idempotency_actix::store::Keyring;
use idempotency_actix::store::conformance::{Harness, TransactionHarness};
use idempotency_actix_sqlx::sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use idempotency_actix_sqlx::sqlx::{self, AssertSqlSafe, Executor, Row, raw_sql};
use idempotency_actix_sqlx::{SqliteStore, SqliteTransaction};
use tempfile::TempDir;

use crate::several::{Of, Several};

/// A store in a file, which all cases of one kind share.
struct OnSqlite {
    file: &'static str,
    keyring: Option<Keyring>,
    stores: usize,
}

fn on(file: &'static str) -> OnSqlite {
    OnSqlite {
        file,
        keyring: None,
        stores: 1,
    }
}

fn folder() -> &'static TempDir {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    FOLDER.get_or_init(|| TempDir::with_prefix("sqlite-").expect("a folder for temporary files"))
}

impl OnSqlite {
    fn pool(&self) -> SqlitePool {
        let options = match self.file {
            ":memory:" => SqliteConnectOptions::new()
                .in_memory(true)
                .filename(":memory:"),
            file => SqliteConnectOptions::new()
                .filename(folder().path().join(file))
                .create_if_missing(true),
        };
        SqlitePoolOptions::new().connect_lazy_with(options)
    }

    /// Each with connections of its own, as each process has.
    async fn one(&self) -> SqliteStore {
        let builder = SqliteStore::builder(self.pool()).timeout(Duration::from_secs(20));
        let builder = match &self.keyring {
            Some(keyring) => builder.encryption(keyring.clone()),
            None => builder,
        };
        let store = builder.build().expect("options that can hold");
        store.migrate().await.expect("a table");
        store
    }
}

impl Harness for OnSqlite {
    type Store = Several<SqliteStore>;

    async fn store(&self) -> Several<SqliteStore> {
        let mut stores = Vec::new();
        for _ in 0..self.stores {
            stores.push(self.one().await);
        }
        Several::new(stores)
    }

    async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    fn unit(&self) -> Duration {
        Duration::from_millis(300)
    }

    fn rounds(&self) -> usize {
        50
    }
}

/// The effects are rows of a table in the same file.
impl TransactionHarness for OnSqlite {
    async fn write(&self, tx: &mut Of<SqliteTransaction>, effect: &str) {
        let table = "CREATE TABLE IF NOT EXISTS effects (name TEXT)";
        execute(tx, table.to_owned()).await.expect("a table");
        let insert = format!("INSERT INTO effects VALUES ('{effect}')");
        execute(tx, insert).await.expect("a row");
    }

    async fn effects(&self, effect: &str) -> usize {
        let pool = self.pool();
        let count = format!("SELECT count(*) FROM effects WHERE name = '{effect}'");
        let count = raw_sql(AssertSqlSafe(count)).fetch_one(&pool).await;
        pool.close().await;
        match count {
            Ok(row) => row.get::<i64, _>(0).try_into().expect("a count"),
            // It comes with the first of them.
            Err(error) if error.to_string().contains("no such table") => 0,
            Err(error) => panic!("{error}"),
        }
    }

    async fn fail(&self, tx: &mut Of<SqliteTransaction>) {
        let sql = "CREATE TEMP TABLE one (id INTEGER PRIMARY KEY); INSERT INTO one VALUES (1); \
                   INSERT OR ROLLBACK INTO one VALUES (1)";
        let done = execute(tx, sql.to_owned()).await;
        done.expect_err("an error");
    }

    async fn end(&self, tx: &mut Of<SqliteTransaction>) {
        let done = execute(tx, "COMMIT; BEGIN IMMEDIATE".to_owned()).await;
        done.expect("another transaction");
    }

    fn ends_what_is_idle(&self) -> bool {
        false
    }
}

async fn execute(tx: &mut Of<SqliteTransaction>, sql: String) -> Result<(), sqlx::Error> {
    tx.transaction.execute(raw_sql(AssertSqlSafe(sql))).await?;
    Ok(())
}

mod in_a_file {
    idempotency_actix::conformance_tests!(
        #[actix_web::test]
        super::on("plain.db")
    );

    idempotency_actix::transaction_conformance_tests!(
        #[actix_web::test]
        super::on("transactions.db")
    );
}

mod several_on_one_file {
    use super::{OnSqlite, on};

    idempotency_actix::conformance_tests!(
        #[actix_web::test]
        OnSqlite {
            stores: 3,
            ..on("several.db")
        }
    );
}

mod sealed {
    use super::{Keyring, OnSqlite, on};

    idempotency_actix::conformance_tests!(
        #[actix_web::test]
        OnSqlite {
            keyring: Some(Keyring::new(1, [7; 32])),
            ..on("sealed.db")
        }
    );
}

mod in_memory {
    idempotency_actix::conformance_tests!(
        #[actix_web::test]
        super::on(":memory:")
    );
}
