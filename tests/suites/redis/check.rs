//! What the store says of real servers: at start-up, and to a readiness probe.

use idempotency_actix::store::{RedisFinding, RedisReport, RedisSeverity, Store, StoreErrorKind};
use idempotency_actix::{Idempotency, KeyScope, RedisStore};
use idempotency_actix_tests::redis::{RedisServer, Reply, pool};

use crate::site::{AMPLE, Setup, own_server};

async fn check(server: &RedisServer) -> RedisReport {
    Setup::new().store(server).check().await.expect("a report")
}

fn findings(report: &RedisReport) -> Vec<RedisFinding> {
    report.findings().cloned().collect()
}

#[actix_web::test]
async fn a_server_as_it_is_installed_has_no_append_only_file() {
    let server = own_server(&[]);
    let report = check(server).await;
    assert_eq!(findings(&report), [RedisFinding::AppendOnlyOff]);
    assert!(!report.is_safe());
    let [one] = report.servers() else {
        panic!("one server: {report}");
    };
    assert_eq!(one.address(), server.addr().to_string());
}

#[actix_web::test]
async fn a_server_that_keeps_what_it_has_on_disk_is_safe() {
    let report = check(own_server(&[("appendonly", "yes")])).await;
    assert_eq!(report.worst(), Some(RedisSeverity::Note), "{report}");
    assert!(report.is_safe());
    let always = [("appendonly", "yes"), ("appendfsync", "always")];
    let report = check(own_server(&always)).await;
    assert_eq!(findings(&report), []);
}

#[actix_web::test]
async fn a_server_that_evicts_is_fatal() {
    let report = check(own_server(&[("maxmemory-policy", "allkeys-lru")])).await;
    assert_eq!(report.worst(), Some(RedisSeverity::Fatal));
    let policy = "allkeys-lru".to_owned();
    assert!(findings(&report).contains(&RedisFinding::Eviction { policy }));
}

#[actix_web::test]
async fn a_replica_is_fatal() {
    let server = own_server(&[("replicaof", "127.0.0.1 1")]);
    let report = check(server).await;
    assert_eq!(report.worst(), Some(RedisSeverity::Fatal));
    assert!(findings(&report).contains(&RedisFinding::NotPrimary));
}

fn with_user(rules: &[&str]) -> RedisStore {
    let server = own_server(&[]);
    let user = [
        "ACL", "SETUSER", "shop", "on", ">secret", "~*", "&*", "+@all",
    ];
    let reply = server.command(&[&user, rules].concat());
    assert_eq!(reply, Reply::Simple("OK".to_owned()));
    RedisStore::builder(pool(&format!("redis://shop:secret@{}", server.addr())))
        .timeout(AMPLE)
        .build()
        .expect("a store")
}

#[actix_web::test]
async fn a_user_that_may_not_ask_is_a_finding_and_no_error() {
    let report = with_user(&["-info"]).check().await.expect("a report");
    assert_eq!(
        findings(&report),
        [RedisFinding::Unreadable { what: "INFO" }]
    );
    assert!(!report.is_safe());
}

#[actix_web::test]
async fn a_user_that_may_not_see_the_configuration_or_its_own_address_gets_a_report() {
    let store = with_user(&["-config", "-client"]);
    let report = store.check().await.expect("a report");
    assert_eq!(findings(&report), [RedisFinding::AppendOnlyOff]);
}

#[actix_web::test]
async fn a_user_that_may_not_write_or_run_scripts_is_fatal() {
    for rules in [&["resetkeys", "~other:*"][..], &["-evalsha", "-eval"]] {
        let report = with_user(rules).check().await.expect("a report");
        assert_eq!(report.worst(), Some(RedisSeverity::Fatal), "{rules:?}");
        let prefix = "idem:".to_owned();
        let finding = RedisFinding::NotPermitted { prefix };
        assert!(findings(&report).contains(&finding), "{rules:?}: {report}");
        assert!(report.to_string().contains("~idem:*"), "{report}");
    }
}

#[actix_web::test]
async fn a_server_that_is_not_there_is_an_error() {
    let server = own_server(&[]);
    server.kill();
    let error = Setup::impatient().store(server).check().await;
    error.expect_err("no report");
}

fn layer(server: &RedisServer) -> Idempotency {
    let setup = Setup::new();
    Idempotency::builder(setup.store(server), KeyScope::everyone())
        .lease(setup.lease)
        .build()
        .expect("options that can hold")
}

#[actix_web::test]
async fn a_server_that_takes_claims_is_healthy() {
    layer(RedisServer::shared()).health().await.expect("health");
}

/// Ill while it takes no writes, though it answers every ping; well before and after.
async fn assert_ill(ill: &[&str], well: &[&str]) -> StoreErrorKind {
    let server = own_server(&[]);
    let layer = layer(server);
    layer.health().await.expect("health before");
    let done = |reply| assert_eq!(reply, Reply::Simple("OK".to_owned()));
    done(server.command(ill));
    let error = layer.health().await.expect_err("illness");
    assert_eq!(server.command(&["PING"]), Reply::Simple("PONG".to_owned()));
    done(server.command(well));
    layer.health().await.expect("health after");
    error.kind()
}

#[actix_web::test]
async fn a_replica_is_ill() {
    let ill = ["REPLICAOF", "127.0.0.1", "1"];
    let kind = assert_ill(&ill, &["REPLICAOF", "NO", "ONE"]).await;
    assert_eq!(kind, StoreErrorKind::Refused);
}

#[actix_web::test]
async fn a_full_server_is_ill() {
    let ill = ["CONFIG", "SET", "maxmemory", "1"];
    let kind = assert_ill(&ill, &["CONFIG", "SET", "maxmemory", "0"]).await;
    assert_eq!(kind, StoreErrorKind::Full);
}

#[actix_web::test]
async fn a_server_without_its_replicas_is_ill() {
    let ill = ["CONFIG", "SET", "min-replicas-to-write", "1"];
    let kind = assert_ill(&ill, &["CONFIG", "SET", "min-replicas-to-write", "0"]).await;
    assert_eq!(kind, StoreErrorKind::Refused);
}

#[actix_web::test]
async fn a_user_that_may_not_run_scripts_is_ill() {
    let error = with_user(&["-eval", "-evalsha"]).health().await;
    assert_eq!(error.unwrap_err().kind(), StoreErrorKind::Refused);
    assert!(with_user(&[]).health().await.is_ok());
}

#[actix_web::test]
async fn a_server_that_is_not_there_is_ill() {
    let server = own_server(&[]);
    let store = Setup::impatient().store(server);
    server.kill();
    store.health().await.expect_err("illness");
    server.restart();
    while store.health().await.is_err() {}
}
