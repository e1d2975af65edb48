//! How an operation is claimed, or found to be somebody's. It knows nothing of the claim's later life.

use deadpool_redis::redis::{self, Cmd};

use super::change::Change;
use super::failure::{Failure, TooOld, contended, undecided};
use super::records::{LOOKS, Records, Snapshot};
use super::session::{Ask, Session};
use super::stored::{Stored, StoredState};
use super::value;
use crate::store::{Begun, Claim, RecordId, StoreError};

impl Records {
    pub(super) async fn begin(&self, id: &RecordId, claim: &Claim) -> Result<Begun, StoreError> {
        let key = self.key(id);
        let mut session = self.server.writing(&key);
        let (value, px) = value::claim(id, claim, claim.generation());
        // The claim is also the look-up, in one command that takes as long as a GET: a replay costs no more,
        // and a read followed by a write would let two retries both find nothing. PX is the whole time to
        // live: what is missing of it tells how old the last sign of life is, by the server's clock alone.
        let mut set = Cmd::with_capacity(7, key.len() + value.len() + 32);
        set.arg("SET").arg(&key).arg(&value);
        set.arg("NX").arg("GET").arg("PX").arg(px);
        drop(value);
        for _ in 0..LOOKS {
            let found: Option<Vec<u8>> = match session.try_write(&set).await {
                Ok(found) => found,
                Err(failure) => {
                    return Box::pin(self.begin_unwritten(id, claim, session, failure)).await;
                }
            };
            let begun = match found {
                None => Some(Begun::Claimed {
                    generation: claim.generation(),
                }),
                Some(value) => {
                    let found = self.read(id, value)?;
                    self.begin_on(id, &mut session, claim, found).await?
                }
            };
            match begun {
                Some(Begun::Found(record)) => return Ok(Begun::Found(record)),
                Some(claimed) => {
                    session.confirm().await?;
                    return Ok(claimed);
                }
                None => {}
            }
        }
        Err(contended())
    }

    /// Begins on a record that is there; `None` if it is there no longer.
    ///
    /// What a replay does not take is boxed, since every operation is as large as its longest way.
    async fn begin_on(
        &self,
        id: &RecordId,
        session: &mut Session<'_>,
        claim: &Claim,
        found: Stored,
    ) -> Result<Option<Begun>, StoreError> {
        let (change, generation) = match found.state {
            StoredState::Finished(_) => return Ok(found.record(0, 0).map(Begun::Found)),
            // A client of a cluster and a proxy send commands again: a copy meets its own claim.
            StoredState::Held { px, .. } if found.token == *claim.token() => {
                (Change::Keep { px }, found.generation)
            }
            StoredState::Held { .. } => {
                let look = Box::pin(self.look(id, session)).await;
                let snapshot = look.map_err(undecided)?;
                let Some(snapshot) = snapshot else {
                    return Ok(None);
                };
                Box::pin(self.start_clock(id, session, &snapshot)).await?;
                return Ok(snapshot.record().map(Begun::Found));
            }
            StoredState::GivenUp => {
                let generation = claim.generation().max(found.generation.saturating_add(1));
                (Change::to_claim(id, claim, generation), generation)
            }
        };
        let swap = self.swap.change(id, session, &found.bytes, &change, None);
        let is_claimed = Box::pin(swap).await?;
        Ok(is_claimed.then_some(Begun::Claimed { generation }))
    }

    /// A server that does not take the claim may still have the answer. Nothing else that it says
    /// counts: a claim that it has may be over, and one that it lacks may have been given.
    async fn begin_unwritten(
        &self,
        id: &RecordId,
        claim: &Claim,
        mut session: Session<'_>,
        failure: Failure,
    ) -> Result<Begun, StoreError> {
        if failure.is_syntax_error() {
            return Err(StoreError::refused(TooOld));
        }
        let is_down = self.server.pool.is_cluster() && session.has_time_left();
        if !failure.may_read() && !is_down {
            return Err(failure.into());
        }
        let mut get = redis::cmd("GET");
        get.arg(session.key());
        let found: Option<Vec<u8>> = match session.send(Ask::Command(&get)).await {
            Ok(found) => found,
            Err(_) => return Err(failure.into()),
        };
        match found.map(|value| self.read(id, value)).transpose()? {
            Some(stored) if matches!(stored.state, StoredState::Finished(_)) => {
                let record = stored.record(0, 0);
                record.map(Begun::Found).ok_or_else(|| failure.into())
            }
            // An earlier copy of this very claim is not in the way, and has to be released.
            Some(stored) if stored.is_held_by(claim.token()) => {
                Err(StoreError::unavailable(StoreError::from(failure)))
            }
            Some(Stored {
                state: StoredState::Held { .. },
                ..
            }) => Err(undecided(failure.into())),
            _ => Err(failure.into()),
        }
    }

    /// A claim that lost its expiry would never lapse: it is alive, and its time starts now.
    async fn start_clock(
        &self,
        id: &RecordId,
        session: &mut Session<'_>,
        snapshot: &Snapshot,
    ) -> Result<(), StoreError> {
        if let (StoredState::Held { px, .. }, -1) = (&snapshot.stored.state, snapshot.left) {
            let (bytes, keep) = (&snapshot.stored.bytes, Change::Keep { px: *px });
            self.swap.change(id, session, bytes, &keep, None).await?;
        }
        Ok(())
    }
}
