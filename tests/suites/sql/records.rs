//! What the tests of both stores ask of a record.

use std::time::{Duration, SystemTime};

use actix_web::http::{Method, StatusCode};
use actix_web::web::Bytes;
use idempotency_actix::store::{
    Begun, Claim, Completion, Description, Finished, RecordId, State, Store, StoreError,
    StoredResponse,
};
use idempotency_actix_tests::{fresh_claim, fresh_id};

/// Nothing lapses while a test runs.
pub const LEASE: Duration = Duration::from_secs(600);
pub const DAY: Duration = Duration::from_secs(86_400);

/// A step's timeout that no busy machine reaches.
pub const AMPLE: Duration = Duration::from_secs(20);

pub fn claim() -> Claim {
    let route = Some("/charges/{id}");
    let description = Description::new(Method::POST, route, SystemTime::now());
    fresh_claim(LEASE, DAY).described(description.with_label("order '7'"))
}

pub fn answer(text: &'static str) -> Finished {
    let body = Some(Bytes::from_static(text.as_bytes()));
    Finished::Completed(StoredResponse::new(StatusCode::CREATED, [], body))
}

pub async fn is_granted(store: &impl Store, id: &RecordId, claim: &Claim) -> bool {
    let begun = store.begin(id, claim).await.expect("an answer");
    matches!(begun, Begun::Claimed { .. })
}

/// A first run, all of it.
pub async fn run(store: &impl Store, ttl: Duration) -> RecordId {
    let (id, claim) = (fresh_id(), claim());
    assert!(is_granted(store, &id, &claim).await);
    let done = store.complete(&id, &claim, &answer("first"), ttl).await;
    assert_eq!(done.expect("an answer"), Completion::Recorded);
    id
}

pub async fn is_replayed(store: &impl Store, id: &RecordId) -> bool {
    let begun = store.begin(id, &claim()).await.expect("an answer");
    let Begun::Found(record) = begun else {
        return false;
    };
    matches!(record.state, State::Finished(finished) if finished == answer("first"))
}

/// An error's text with all its causes.
pub fn told(error: &StoreError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}
