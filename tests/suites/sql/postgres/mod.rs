//! On PostgreSQL.

// What a step costs.
mod costs;

// The table: how it comes to be, and what goes from it.
mod migration;
mod rows;

// Servers that refuse, are away, or are not as they should be.
mod check;
mod refusals;

// Who waits is woken by other replicas.
mod wakeups;

use idempotency_actix_sqlx::{PgStore, PgStoreBuilder};
use idempotency_actix_tests::postgres::PgServer;

use crate::records::AMPLE;

/// A store in a table of its own, which is there.
async fn store() -> (PgStore, String) {
    let server = PgServer::shared();
    let table = server.fresh_name();
    let store = builder(server, &table).build().expect("options that hold");
    store.migrate().await.expect("a table");
    (store, table)
}

fn builder(server: &PgServer, table: &str) -> PgStoreBuilder {
    PgStore::builder(server.pool(4)).table(table).timeout(AMPLE)
}

/// A server that only one test has, with a store on it.
async fn own(config: &[(&str, &str)]) -> (PgServer, PgStore) {
    let server = PgServer::start(config);
    let store = builder(&server, "records")
        .build()
        .expect("options that hold");
    store.migrate().await.expect("a table");
    (server, store)
}
