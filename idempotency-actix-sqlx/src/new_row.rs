//! A row that is to be written. What a reader makes of it, and the statement, are not known here.

use std::time::Duration;

use idempotency_actix::store::{
    Claim, Description, Fingerprint, Finished, RecordCodec, RecordId, Recording, StoredRecord,
    StoredState, Token,
};

use crate::conditions::{ANSWER, CLAIM, GIVEN_UP, NOT_KEPT};
use crate::values::{clamped, micros, octets};

/// A row to be written; its times begin when it is.
#[derive(Clone, Debug)]
pub(crate) struct NewRow {
    pub(crate) kind: i32,
    pub(crate) token: [u8; 16],
    pub(crate) generation: i64,
    pub(crate) fingerprint: Vec<u8>,
    pub(crate) lease: Option<i64>,
    pub(crate) retention: Option<i64>,
    /// How long it is kept.
    pub(crate) kept: i64,
    pub(crate) answer: Option<Vec<u8>>,
    /// Where it is of a claim.
    pub(crate) description: Option<Description>,
}

impl NewRow {
    pub(crate) fn claim(claim: &Claim, generation: u64) -> Self {
        let retention = micros(claim.retention());
        Self {
            kind: CLAIM,
            token: *claim.token().as_bytes(),
            generation: clamped(generation),
            fingerprint: octets(claim.fingerprint()),
            lease: Some(micros(claim.lease())),
            retention: Some(retention),
            kept: retention,
            answer: None,
            description: claim.description().cloned(),
        }
    }

    /// The answer that a transaction commits.
    pub(crate) fn recorded(recording: &Recording<'_>, codec: &RecordCodec) -> Self {
        let claim = recording.claim;
        let row = Self::finished(
            recording.id,
            *claim.token(),
            claim.generation(),
            *claim.fingerprint(),
            recording.finished,
            recording.ttl,
            codec,
        );
        row.described(claim.description())
    }

    /// An attempt that is finished, and belongs to `token` from now on.
    pub(crate) fn finished(
        id: &RecordId,
        token: Token,
        generation: u64,
        fingerprint: Fingerprint,
        finished: &Finished,
        ttl: Duration,
        codec: &RecordCodec,
    ) -> Self {
        let state = StoredState::Finished(finished.clone());
        let stored = StoredRecord::new(token, generation, fingerprint, state);
        let answer = codec.encode(id, &stored);
        Self {
            // An answer that does not fit the stored form is remembered as one that was not kept.
            kind: match answer.get(1) {
                Some(2) => ANSWER,
                _ => NOT_KEPT,
            },
            token: *token.as_bytes(),
            generation: clamped(generation),
            fingerprint: octets(&fingerprint),
            lease: None,
            retention: None,
            kept: micros(ttl),
            answer: Some(answer),
            description: None,
        }
    }

    /// The same with what an operator may know of its claim.
    pub(crate) fn described(self, description: Option<&Description>) -> Self {
        let description = description.cloned();
        Self {
            description,
            ..self
        }
    }

    pub(crate) fn method(&self) -> Option<&str> {
        let description = self.description.as_ref();
        description.map(|it| it.method().as_str())
    }

    pub(crate) fn route(&self) -> Option<&str> {
        self.description.as_ref()?.route()
    }

    pub(crate) fn label(&self) -> Option<&str> {
        self.description.as_ref()?.label()
    }

    /// A generation that is remembered for so long.
    pub(crate) fn given_up(generation: i64, fingerprint: Vec<u8>, kept: i64) -> Self {
        Self {
            kind: GIVEN_UP,
            token: *Token::NOBODY.as_bytes(),
            generation,
            fingerprint,
            lease: None,
            retention: None,
            kept,
            answer: None,
            description: None,
        }
    }
}
