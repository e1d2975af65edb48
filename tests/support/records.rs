//! Records and claims that no application made, for tests that ask a store directly.

use std::time::Duration;

use idempotency_actix::store::{Claim, Fingerprint, RecordId, Token};

/// The id of a record that nobody else has.
pub fn fresh_id() -> RecordId {
    let half = || *Token::random().as_bytes();
    RecordId::from_bytes([half(), half()].concat().try_into().expect("32 octets"))
}

/// A claim that nobody else has, of a request whose body does not matter.
pub fn fresh_claim(lease: Duration, retention: Duration) -> Claim {
    let fingerprint = Fingerprint::new(Fingerprint::BYTES, [0; 32]);
    Claim::new(Token::random(), fingerprint, lease, retention)
}
