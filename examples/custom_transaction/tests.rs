//! The store passes both parts of the public suite.

use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use idempotency_actix::store::conformance::{Harness, TransactionHarness};
use tempfile::TempDir;

use crate::store::DieselStore;
use crate::transaction::Transaction;

struct OnDiesel(TempDir);

impl OnDiesel {
    fn new() -> Self {
        Self(TempDir::new().expect("a folder for temporary files"))
    }

    fn path(&self) -> String {
        self.0.path().join("records.db").display().to_string()
    }
}

impl Harness for OnDiesel {
    type Store = DieselStore;

    async fn store(&self) -> DieselStore {
        DieselStore::open(&self.path()).expect("a store")
    }

    async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    fn unit(&self) -> Duration {
        Duration::from_millis(300)
    }

    fn rounds(&self) -> usize {
        20
    }
}

async fn execute(transaction: &mut Transaction, sql: String) -> QueryResult<()> {
    let done = transaction
        .connection
        .spawn_blocking(move |it| it.batch_execute(&sql));
    done.await
}

impl TransactionHarness for OnDiesel {
    async fn write(&self, transaction: &mut Transaction, effect: &str) {
        let sql = format!(
            "CREATE TABLE IF NOT EXISTS effects (name TEXT); INSERT INTO effects VALUES ('{effect}')"
        );
        execute(transaction, sql).await.expect("a row");
    }

    async fn effects(&self, effect: &str) -> usize {
        let mut connection = SqliteConnection::establish(&self.path()).expect("a connection");
        let is_there = connection.batch_execute("SELECT 1 FROM effects").is_ok();
        let sql = format!("(SELECT count(*) FROM effects WHERE name = '{effect}')");
        let count = diesel::select(diesel::dsl::sql::<diesel::sql_types::BigInt>(&sql));
        match is_there {
            true => count
                .get_result::<i64>(&mut connection)
                .expect("a count")
                .try_into()
                .expect("a count"),
            // It comes with the first of them.
            false => 0,
        }
    }

    async fn fail(&self, transaction: &mut Transaction) {
        let sql = "CREATE TEMP TABLE one (id INTEGER PRIMARY KEY); INSERT INTO one VALUES (1); \
                   INSERT OR ROLLBACK INTO one VALUES (1)";
        let done = execute(transaction, sql.to_owned()).await;
        done.expect_err("an error");
    }

    async fn end(&self, transaction: &mut Transaction) {
        let done = execute(transaction, "COMMIT; BEGIN IMMEDIATE".to_owned()).await;
        done.expect("another transaction");
    }

    fn ends_what_is_idle(&self) -> bool {
        false
    }
}

idempotency_actix::conformance_tests!(
    #[actix_web::test]
    OnDiesel::new()
);

idempotency_actix::transaction_conformance_tests!(
    #[actix_web::test]
    OnDiesel::new()
);
