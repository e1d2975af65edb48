//! The store on PostgreSQL: over several connections and pools, and under every isolation level.

use std::time::Duration;

use idempotency_actix::store::Keyring;
use idempotency_actix::store::conformance::{Harness, TransactionHarness};
use idempotency_actix_sqlx::sqlx::{self, AssertSqlSafe, Executor, raw_sql};
use idempotency_actix_sqlx::{PgStore, PgTransaction};
use idempotency_actix_tests::postgres::PgServer;
use tokio::sync::OnceCell;

use crate::several::{Of, Several};

/// A store in a table that all cases of one kind share, unless they would undo each other's transactions.
struct OnPostgres {
    table: String,
    isolation: &'static str,
    keyring: Option<Keyring>,
    stores: usize,
}

fn on(table: &str) -> OnPostgres {
    OnPostgres {
        table: table.to_owned(),
        isolation: "read committed",
        keyring: None,
        stores: 1,
    }
}

impl OnPostgres {
    /// Each with a pool of its own, as each replica has.
    async fn one(&self) -> PgStore {
        let server = PgServer::shared();
        let isolation = [("default_transaction_isolation", self.isolation)];
        let pool = server.pool_with(6, server.options().options(isolation));
        let builder = PgStore::builder(pool)
            .table(&self.table)
            .timeout(Duration::from_secs(20));
        let builder = match &self.keyring {
            Some(keyring) => builder.encryption(keyring.clone()),
            None => builder,
        };
        let store = builder.build().expect("options that can hold");
        store.migrate().await.expect("a table");
        store
    }
}

impl Harness for OnPostgres {
    type Store = Several<PgStore>;

    async fn store(&self) -> Several<PgStore> {
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

/// The effects are rows of a table.
impl TransactionHarness for OnPostgres {
    async fn write(&self, tx: &mut Of<PgTransaction>, effect: &str) {
        static TABLE: OnceCell<()> = OnceCell::const_new();
        let make = || PgServer::shared().execute("CREATE TABLE effects (name text)");
        TABLE.get_or_init(make).await;
        let insert = format!("INSERT INTO effects VALUES ('{effect}')");
        execute(tx, insert).await.expect("a row");
    }

    async fn effects(&self, effect: &str) -> usize {
        let count = format!("SELECT count(*) FROM effects WHERE name = '{effect}'");
        let count = PgServer::shared().number(&count).await;
        count.try_into().expect("a count")
    }

    async fn fail(&self, tx: &mut Of<PgTransaction>) {
        let done = execute(tx, "SELECT no_such_function()".to_owned()).await;
        done.expect_err("an error");
    }

    async fn end(&self, tx: &mut Of<PgTransaction>) {
        let done = execute(tx, "COMMIT; BEGIN".to_owned()).await;
        done.expect("another transaction");
    }
}

async fn execute(tx: &mut Of<PgTransaction>, sql: String) -> Result<(), sqlx::Error> {
    tx.transaction.execute(raw_sql(AssertSqlSafe(sql))).await?;
    Ok(())
}

mod over_several_pools {
    use super::{OnPostgres, on};

    fn several(table: &str) -> OnPostgres {
        OnPostgres {
            stores: 3,
            ..on(table)
        }
    }

    idempotency_actix::conformance_tests!(
        #[actix_web::test]
        several("several")
    );

    idempotency_actix::transaction_conformance_tests!(
        #[actix_web::test]
        several("several_in_transactions")
    );
}

mod read_committed {
    idempotency_actix::conformance_tests!(
        #[actix_web::test]
        super::on("plain")
    );

    idempotency_actix::transaction_conformance_tests!(
        #[actix_web::test]
        super::on("plain_in_transactions")
    );
}

mod serializable {
    use super::{OnPostgres, on};

    fn strict(table: &str) -> OnPostgres {
        OnPostgres {
            isolation: "serializable",
            ..on(table)
        }
    }

    idempotency_actix::conformance_tests!(
        #[actix_web::test]
        strict("strict")
    );

    idempotency_actix::transaction_conformance_tests!(
        #[actix_web::test]
        strict(&super::PgServer::shared().fresh_name())
    );
}

mod sealed {
    use super::{Keyring, OnPostgres, on};

    idempotency_actix::conformance_tests!(
        #[actix_web::test]
        OnPostgres {
            keyring: Some(Keyring::new(1, [7; 32])),
            ..on("sealed")
        }
    );
}
