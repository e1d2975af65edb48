//! Answers of all kinds, replayed by a process that did not give them.

use idempotency_actix_tests::Response;
use idempotency_actix_tests::redis::RedisServer;

use crate::site::{Site, assert_first, assert_replayed, at};

/// The first answer of this kind, replayed exactly by both replicas.
fn replayed_answer(kind: &str) -> Response {
    let site = Site::on(RedisServer::shared());
    let replicas = site.pair();
    let request = at(&format!("/answers/{kind}"), "k");
    let first = replicas[0].send(&request);
    assert_first(&first);
    let [giver, other] = replicas;
    assert_replayed(&site, &[other, giver], &request, &first);
    first
}

#[test]
fn a_large_answer_is_replayed_by_the_other_replica() {
    assert_eq!(replayed_answer("large").body.len(), 100 * 1024);
}

#[test]
fn a_binary_answer_is_replayed_by_the_other_replica() {
    let body = replayed_answer("binary").body;
    let octets: Vec<u8> = (0..=u8::MAX).collect();
    assert!(body.starts_with(&octets));
}

#[test]
fn a_header_of_latin1_is_replayed_by_the_other_replica() {
    assert_eq!(replayed_answer("latin1").header("x-name"), Some("José"));
}

#[test]
fn a_streamed_answer_is_replayed_by_the_other_replica() {
    assert_eq!(replayed_answer("streamed").body.len(), 500 * 210);
}

#[test]
fn an_empty_answer_is_replayed_by_the_other_replica() {
    let first = replayed_answer("empty");
    assert_eq!((first.status, first.body.len()), (204, 0));
}
