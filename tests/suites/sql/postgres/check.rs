//! What the store says of real servers.

use idempotency_actix_sqlx::{PgFinding, PgStore, SqlSeverity};
use idempotency_actix_tests::postgres::{PgBouncer, PgServer};

use super::own;
use crate::records::AMPLE;

fn findings(report: &idempotency_actix_sqlx::SqlReport<PgFinding>) -> Vec<PgFinding> {
    report.findings().to_vec()
}

#[actix_web::test]
async fn a_server_as_it_is_installed_is_safe() {
    let (_server, store) = own(&[("fsync", "on")]).await;
    let report = store.check_for(1).await.expect("a report");
    assert_eq!(findings(&report), []);
    assert!(report.is_safe());
    assert!(
        report
            .to_string()
            .ends_with("nothing found that endangers a claim")
    );
}

#[actix_web::test]
async fn what_a_crash_would_lose_is_found() {
    let unsafe_settings = [
        ("fsync", "off"),
        ("full_page_writes", "off"),
        ("synchronous_commit", "off"),
    ];
    let (server, store) = own(&unsafe_settings).await;
    server.execute("ALTER TABLE records SET UNLOGGED").await;
    let report = store.check_for(1).await.expect("a report");
    assert_eq!(
        findings(&report),
        [
            PgFinding::Unlogged,
            PgFinding::FsyncOff,
            PgFinding::FullPageWritesOff,
            PgFinding::SynchronousCommitOff,
        ]
    );
    assert_eq!(report.worst(), Some(SqlSeverity::Warning));
    assert_eq!(report.to_string().lines().count(), 4);
}

#[actix_web::test]
async fn a_table_that_is_not_there_or_not_ours_is_fatal() {
    let server = PgServer::shared();
    let table = server.fresh_name();
    let pool = || server.pool(2);
    let store = PgStore::builder(pool()).table(&table).build();
    let store = store.expect("options that hold");
    let report = store.check_for(1).await.expect("a report");
    assert!(findings(&report).contains(&PgFinding::NoTable), "{report}");
    assert_eq!(report.worst(), Some(SqlSeverity::Fatal));
    store.migrate().await.expect("a table");
    let role = format!("{table}_role");
    let grant = format!("CREATE ROLE {role} LOGIN; GRANT SELECT ON {table} TO {role}");
    server.execute(&grant).await;
    let pool = server.pool_with(2, server.options().username(&role));
    let store = PgStore::builder(pool).table(&table).build();
    let report = store
        .expect("options that hold")
        .check_for(1)
        .await
        .expect("a report");
    let missing = "INSERT, UPDATE, DELETE".to_owned();
    assert!(
        findings(&report).contains(&PgFinding::NoPermission { missing }),
        "{report}"
    );
}

#[actix_web::test]
async fn more_connections_than_the_server_has_are_found() {
    let (server, _) = own(&[("fsync", "on"), ("max_connections", "10")]).await;
    let store = PgStore::builder(server.pool(2))
        .table("records")
        .connections(20);
    let store = store.build().expect("options that hold");
    let report = store.check_for(1).await.expect("a report");
    assert!(
        matches!(
            findings(&report)[..],
            [PgFinding::TooFewConnections {
                needed: 44,
                allowed: 7
            }]
        ),
        "{report}"
    );
}

#[actix_web::test]
async fn fewer_connections_than_workers_are_found() {
    let (_server, store) = own(&[("fsync", "on")]).await;
    let report = store.check_for(4).await.expect("a report");
    assert_eq!(findings(&report), []);
    let report = store.check_for(5).await.expect("a report");
    let found = PgFinding::FewerThanWorkers {
        connections: 4,
        workers: 5,
    };
    assert_eq!(findings(&report), [found]);
    assert!(report.is_safe());
}

#[actix_web::test]
async fn workers_are_as_many_as_threads_unless_told_otherwise() {
    let (_server, store) = own(&[("fsync", "on")]).await;
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let told = store.check_for(threads).await.expect("a report");
    assert_eq!(store.check().await.expect("a report"), told);
}

/// What the store finds through a pooler in that mode.
async fn through(mode: &str) -> Vec<PgFinding> {
    let (server, _) = own(&[("fsync", "on")]).await;
    let pooler = PgBouncer::before(&server, mode);
    let pool = server.pool_with(2, pooler.options(&server));
    let store = PgStore::builder(pool)
        .table("records")
        .timeout(AMPLE)
        .build();
    let report = store.expect("options that hold").check_for(1).await;
    findings(&report.expect("a report"))
}

#[actix_web::test]
async fn a_pooler_that_keeps_sessions_is_as_good_as_the_server() {
    assert_eq!(through("session").await, []);
}

#[actix_web::test]
async fn a_pooler_that_keeps_transactions_is_found() {
    let found = through("transaction").await;
    // By its version: pgbouncer knows prepared statements since 1.21, where it is told to.
    let known = [
        PgFinding::NoPreparedStatements,
        PgFinding::TransactionPooler,
    ];
    assert!(
        matches!(&found[..], [one] if known.contains(one)),
        "{found:?}"
    );
}

#[actix_web::test]
async fn a_pooler_that_keeps_nothing_is_fatal() {
    assert_eq!(through("statement").await, [PgFinding::StatementPooler]);
}
