//! The store on a SQLite file: one store, several on one file, sealed, and in memory.

use std::sync::OnceLock;
use std::time::Duration;

use idempotency_actix::store::Keyring;
use idempotency_actix::store::conformance::Harness;
use idempotency_actix_sqlx::SqliteStore;
use idempotency_actix_sqlx::sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use tempfile::TempDir;

use crate::several::Several;

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
    /// Each with connections of its own, as each process has.
    async fn one(&self) -> SqliteStore {
        let options = match self.file {
            ":memory:" => SqliteConnectOptions::new()
                .in_memory(true)
                .filename(":memory:"),
            file => SqliteConnectOptions::new()
                .filename(folder().path().join(file))
                .create_if_missing(true),
        };
        let pool = SqlitePoolOptions::new().connect_lazy_with(options);
        let builder = SqliteStore::builder(pool).timeout(Duration::from_secs(20));
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

mod in_a_file {
    idempotency_actix::conformance_tests!(
        #[actix_web::test]
        super::on("plain.db")
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
