//! What an operator or a recovery decides about a record that was seen. Whether enough time has passed since
//! is known by those who decide.

use actix_web::web::Bytes;

use super::change::Change;
use super::records::{Records, Snapshot};
use super::session::Session;
use super::stored::{StoredState, is_lapsed};
use super::swap::Lapsed;
use super::value;
use crate::store::{
    AttemptId, MIN_CLAIM_RETENTION, RecordId, Resolved, StoreError, Token, Verdict,
};

/// A change to a record that is exactly this, and has lapsed if that is what it is about.
struct Decision {
    bytes: Bytes,
    change: Change,
    lapsed: Option<Lapsed>,
}

impl Records {
    pub(super) async fn resolve(
        &self,
        id: &RecordId,
        attempt: &AttemptId,
        verdict: &Verdict,
    ) -> Result<Resolved, StoreError> {
        let key = self.key(id);
        let mut session = self.server.writing(&key);
        let decision = match verdict {
            Verdict::Forget if *attempt == AttemptId::UNREADABLE => {
                self.forget_unreadable(id, &mut session).await?
            }
            _ => {
                let snapshot = self.look(id, &mut session).await?;
                snapshot.and_then(|snapshot| self.decide(id, snapshot, attempt, verdict))
            }
        };
        let Some(Decision {
            bytes,
            change,
            lapsed,
        }) = decision
        else {
            return Ok(Resolved::Refused);
        };
        let swap = self.swap.change(id, &mut session, &bytes, &change, lapsed);
        if !swap.await? {
            return Ok(Resolved::Refused);
        }
        session.confirm().await?;
        Ok(Resolved::Done)
    }

    /// `None` if the verdict does not stand on what is there.
    fn decide(
        &self,
        id: &RecordId,
        snapshot: Snapshot,
        attempt: &AttemptId,
        verdict: &Verdict,
    ) -> Option<Decision> {
        let Snapshot {
            stored,
            left,
            pulse,
        } = snapshot;
        let is_same = stored.attempt(pulse) == *attempt;
        let (change, lapsed) = match (&stored.state, verdict) {
            (StoredState::Held { px, .. }, Verdict::TakeOver(claim))
                if stored.token == *claim.token() =>
            {
                (Change::Keep { px: *px }, None)
            }
            (StoredState::Held { lease, px, .. }, _) if is_same && is_lapsed(*lease, *px, left) => {
                let change = match verdict {
                    Verdict::Finished(finished, ttl) => {
                        let codec = &self.codec;
                        Change::to_finished(id, &stored, Token::NOBODY, finished, *ttl, codec)
                    }
                    Verdict::TakeOver(claim) => {
                        Change::to_claim(id, claim, stored.generation.saturating_add(1))
                    }
                    Verdict::NotExecuted => Change::to_absent(id, &stored, *px),
                    Verdict::Forget => Change::to_remembered(id, &stored, *px),
                };
                // Compared once more on the server: an owner that renews meanwhile changes no octet of its claim.
                let longest_left = px.saturating_sub(value::millis(*lease));
                let lapsed = Lapsed {
                    pulse,
                    longest_left,
                };
                (change, Some(lapsed))
            }
            (StoredState::Finished(_), Verdict::Forget) if is_same => {
                let px = remembered_for(left);
                (Change::to_remembered(id, &stored, px), None)
            }
            _ => return None,
        };
        Some(Decision {
            bytes: stored.bytes,
            change,
            lapsed,
        })
    }

    /// Forgets a value that cannot be read, and only such a one. Where its head tells no generation,
    /// nothing is left of it.
    async fn forget_unreadable(
        &self,
        id: &RecordId,
        session: &mut Session<'_>,
    ) -> Result<Option<Decision>, StoreError> {
        let Some((bytes, left, _)) = self.look_unread(session).await? else {
            return Ok(None);
        };
        if value::read(id, bytes.clone(), &self.codec).is_ok() {
            return Ok(None);
        }
        let px = remembered_for(left);
        let change = match value::given_up_unread(id, &bytes) {
            Some(value) => Change::Set { value, px },
            None => Change::Remove,
        };
        Ok(Some(Decision {
            bytes: bytes.into(),
            change,
            lapsed: None,
        }))
    }
}

/// How long a generation is remembered, in milliseconds, after a value that does not tell the retention
/// of its claim: as long as it had left, and as long as the shortest of them at least.
fn remembered_for(left: i64) -> u64 {
    let left = u64::try_from(left).unwrap_or(0);
    left.max(value::millis(MIN_CLAIM_RETENTION))
}
