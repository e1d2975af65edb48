//! Replicas over HTTP: layers with stores of their own over the same records.

use std::future::Future;
use std::time::Duration;

use actix_web::rt::System;
use idempotency_actix::store::Store;
use idempotency_actix_sqlx::sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use idempotency_actix_sqlx::{PgStore, SqliteStore};
use idempotency_actix_tests::app::{Mode, Rig, wait_at_gate};
use idempotency_actix_tests::postgres::PgServer;
use tempfile::TempDir;

use crate::records::AMPLE;

pub(crate) fn now<T>(future: impl Future<Output = T>) -> T {
    System::new().block_on(future)
}

fn rig<S: Store + Clone>(mode: Mode, store: S) -> Rig<S> {
    let options = |layer: idempotency_actix::IdempotencyBuilder| {
        layer.lease(3 * AMPLE).wait(Duration::from_secs(30))
    };
    Rig::new(mode, store, options, wait_at_gate)
}

/// A retry at another replica waits for the first request, gets its answer, and so does each one after.
fn one_run_and_one_answer<S: Store + Clone>(here: &Rig<S>, there: &Rig<S>) {
    let mut first = here.start("k");
    let mut waiter = there.ask("k");
    here.gate.open();
    let (first, waited) = (first.receive(), waiter.receive());
    assert_eq!((first.status, first.is_replay()), (201, false), "{first:?}");
    assert!(waited.is_replay(), "{waited:?}");
    assert_eq!(waited.body, first.body);
    for replica in [here, there] {
        replica.assert_replayed("k", 201, "run 1");
    }
    assert_eq!(here.runs.count() + there.runs.count(), 1);
}

#[test]
fn replicas_on_postgres_run_once_and_replay_one_answer() {
    let server = PgServer::shared();
    for mode in [Mode::Marked, Mode::AllRoutes] {
        let table = server.fresh_name();
        let store = || {
            // Pools want a runtime around them.
            now(async {
                let store = PgStore::builder(server.pool(4))
                    .table(&table)
                    .timeout(AMPLE);
                let store = store.build().expect("options that hold");
                store.migrate().await.expect("a table");
                store
            })
        };
        one_run_and_one_answer(&rig(mode, store()), &rig(mode, store()));
    }
}

#[test]
fn processes_on_a_sqlite_file_run_once_and_replay_one_answer() {
    for mode in [Mode::Marked, Mode::AllRoutes] {
        let folder = TempDir::with_prefix("sqlite-").expect("a folder for temporary files");
        let options = SqliteConnectOptions::new()
            .filename(folder.path().join("records.db"))
            .create_if_missing(true);
        let store = || {
            now(async {
                let pool = SqlitePoolOptions::new().connect_lazy_with(options.clone());
                let store = SqliteStore::builder(pool).timeout(AMPLE).build();
                let store = store.expect("options that hold");
                store.migrate().await.expect("a table");
                store
            })
        };
        one_run_and_one_answer(&rig(mode, store()), &rig(mode, store()));
    }
}
