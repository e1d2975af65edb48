//! What the owner of a claim does with it: renews, completes and releases it. Who else may want the record is
//! not known here.

use std::time::Duration;

use super::change::Change;
use super::failure::contended;
use super::records::{LOOKS, Records, Snapshot};
use super::session::Session;
use super::stored::{Stored, StoredState};
use super::value;
use crate::store::{Claim, Completion, Finished, RecordId, Released, Renewed, StoreError};

/// What became of a change to the own claim.
enum OwnClaim {
    Changed,
    /// There is another record, or none.
    Other(Option<Snapshot>),
}

impl Records {
    pub(super) async fn renew(&self, id: &RecordId, claim: &Claim) -> Result<Renewed, StoreError> {
        let key = self.key(id);
        let mut session = self.server.session(&key);
        let keep = |_: &Stored, px| Change::Keep { px };
        match self.change_own(id, &mut session, claim, keep).await? {
            OwnClaim::Changed => Ok(Renewed::Alive),
            OwnClaim::Other(_) => Ok(Renewed::Lost),
        }
    }

    pub(super) async fn complete(
        &self,
        id: &RecordId,
        claim: &Claim,
        finished: &Finished,
        ttl: Duration,
    ) -> Result<Completion, StoreError> {
        let key = self.key(id);
        let mut session = self.server.writing(&key);
        let finish = |stored: &Stored, _| {
            Change::to_finished(id, stored, stored.token, finished, ttl, &self.codec)
        };
        let set_absent = || finish(&value::held(id, claim), 0);
        for _ in 0..LOOKS {
            let other = match self.change_own(id, &mut session, claim, finish).await? {
                OwnClaim::Changed => {
                    session.confirm().await?;
                    return Ok(Completion::Recorded);
                }
                OwnClaim::Other(other) => other,
            };
            let (bytes, change, completion) = match &other {
                None => (&[][..], set_absent(), Completion::RecordedAbsent),
                Some(Snapshot { stored, left, .. }) => match stored.state {
                    StoredState::Finished(_) if stored.token == *claim.token() => {
                        if self.server.wait_replicas == 0 {
                            return Ok(Completion::Recorded);
                        }
                        // Replicas confirm a write, so there has to be one.
                        let px = u64::try_from(*left).unwrap_or(value::millis(ttl));
                        let keep = Change::Keep { px };
                        (&stored.bytes[..], keep, Completion::Recorded)
                    }
                    // The generation that is remembered shuts out itself and those below.
                    StoredState::GivenUp if stored.generation < claim.generation() => {
                        (&stored.bytes[..], set_absent(), Completion::RecordedAbsent)
                    }
                    _ => return Ok(Completion::Refused),
                },
            };
            let swap = self.swap.change(id, &mut session, bytes, &change, None);
            if Box::pin(swap).await? {
                session.confirm().await?;
                return Ok(completion);
            }
        }
        Err(contended())
    }

    pub(super) async fn release(
        &self,
        id: &RecordId,
        claim: &Claim,
    ) -> Result<Released, StoreError> {
        let key = self.key(id);
        let mut session = self.server.session(&key);
        let absent = |stored: &Stored, px| match claim.is_fenced() {
            true => Change::to_remembered(id, stored, px),
            false => Change::to_absent(id, stored, px),
        };
        match self.change_own(id, &mut session, claim, absent).await? {
            OwnClaim::Changed => Ok(Released::Released),
            OwnClaim::Other(_) => Ok(Released::NotOwner),
        }
    }

    /// Changes the claim of this token. What its owner knows of it is compared first, unread: a claim never
    /// changes while it lives, so nearly always that is what is there, and no read comes before the write.
    async fn change_own(
        &self,
        id: &RecordId,
        session: &mut Session<'_>,
        claim: &Claim,
        change: impl Fn(&Stored, u64) -> Change,
    ) -> Result<OwnClaim, StoreError> {
        let mut stored = value::held(id, claim);
        for _ in 0..LOOKS {
            let StoredState::Held { px, .. } = stored.state else {
                break;
            };
            let change = change(&stored, px);
            let swap = self.swap.change(id, session, &stored.bytes, &change, None);
            if swap.await? {
                return Ok(OwnClaim::Changed);
            }
            match Box::pin(self.look(id, session)).await? {
                Some(it) if it.stored.is_held_by(claim.token()) => stored = it.stored,
                other => return Ok(OwnClaim::Other(other)),
            }
        }
        Err(contended())
    }
}
