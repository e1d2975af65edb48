//! The store on PostgreSQL: over several connections and pools, and under every isolation level.

use std::time::Duration;

use idempotency_actix::store::Keyring;
use idempotency_actix::store::conformance::Harness;
use idempotency_actix_sqlx::PgStore;
use idempotency_actix_tests::postgres::PgServer;

use crate::several::Several;

/// A store in a table that all cases of one kind share.
struct OnPostgres {
    table: &'static str,
    isolation: &'static str,
    keyring: Option<Keyring>,
    stores: usize,
}

fn on(table: &'static str) -> OnPostgres {
    OnPostgres {
        table,
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
            .table(self.table)
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

mod over_several_pools {
    use super::{OnPostgres, on};

    idempotency_actix::conformance_tests!(
        #[actix_web::test]
        OnPostgres {
            stores: 3,
            ..on("several")
        }
    );
}

mod read_committed {
    idempotency_actix::conformance_tests!(
        #[actix_web::test]
        super::on("plain")
    );
}

mod serializable {
    use super::{OnPostgres, on};

    idempotency_actix::conformance_tests!(
        #[actix_web::test]
        OnPostgres {
            isolation: "serializable",
            ..on("strict")
        }
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
