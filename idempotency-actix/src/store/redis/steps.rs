//! The state machine on the server. What is there is read into a [`Stored`], decided about here, and
//! changed by comparing with exactly the octets that were seen.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use deadpool_redis::redis::{self, Cmd};

use super::failure::{Failure, TooOld, contended, undecided};
use super::notifications::Notifications;
use super::script::LOOK;
use super::seal::Seal;
use super::session::{Ask, Server, Session};
use super::swap::Change;
use super::value::{self, Stage, Stored};
use crate::store::{
    Begun, Claim, Completion, Finished, Record, RecordId, Released, Renewed, StoreError, Token,
};

/// How often a step looks again at a record that others change under its hands.
const LOOKS: usize = 8;

pub(super) struct Steps {
    pub(super) server: Server,
    pub(super) prefix: String,
    pub(super) seal: Seal,
    /// Where changes are told of; empty for nowhere.
    pub(super) channel: String,
    pub(super) notifications: Option<Notifications>,
    /// Whether the server compares and sets in one command. Believed until it says that it does not.
    pub(super) has_ifeq: AtomicBool,
}

/// A record, with its time to live and when that ends by the server's clock, in milliseconds.
pub(super) struct Seen {
    pub(super) stored: Stored,
    pub(super) left: i64,
    pub(super) pulse: u64,
}

impl Seen {
    fn record(self) -> Option<Record> {
        self.stored.record(self.left, self.pulse)
    }
}

/// What became of a change to the own claim.
enum Own {
    Changed,
    /// There is another record, or none.
    Other(Option<Seen>),
}

impl Steps {
    /// The record's key. Its hash tag puts whatever belongs to one record into one slot.
    pub(super) fn key(&self, id: &RecordId) -> Vec<u8> {
        [self.prefix.as_bytes(), b"{", &id.digits(), b"}"].concat()
    }

    pub(super) async fn begin(&self, id: &RecordId, claim: &Claim) -> Result<Begun, StoreError> {
        let key = self.key(id);
        let mut session = self.server.writing(&key);
        let (value, px) = value::claim(id, claim, claim.generation());
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
        let (change, generation) = match found.stage {
            Stage::Finished(_) => return Ok(found.record(0, 0).map(Begun::Found)),
            Stage::Held { px, .. } if found.token == *claim.token() => {
                (Change::Keep { px }, found.generation)
            }
            Stage::Held { .. } => {
                let seen = Box::pin(self.look(id, session)).await.map_err(undecided)?;
                let Some(seen) = seen else {
                    return Ok(None);
                };
                Box::pin(self.start_clock(id, session, &seen)).await?;
                return Ok(seen.record().map(Begun::Found));
            }
            Stage::GivenUp => {
                let generation = claim.generation().max(found.generation.saturating_add(1));
                (set_claim(id, claim, generation), generation)
            }
        };
        let swap = self.swap(id, session, &found.bytes, &change, None);
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
            Some(stored) if matches!(stored.stage, Stage::Finished(_)) => {
                let record = stored.record(0, 0);
                record.map(Begun::Found).ok_or_else(|| failure.into())
            }
            // An earlier copy of this very claim is not in the way, and has to be released.
            Some(stored) if stored.is_held_by(claim.token()) => {
                Err(StoreError::unavailable(StoreError::from(failure)))
            }
            Some(Stored {
                stage: Stage::Held { .. },
                ..
            }) => Err(undecided(failure.into())),
            _ => Err(failure.into()),
        }
    }

    pub(super) async fn renew(&self, id: &RecordId, claim: &Claim) -> Result<Renewed, StoreError> {
        let key = self.key(id);
        let mut session = self.server.session(&key);
        let keep = |_: &Stored, px| Change::Keep { px };
        match self.change_own(id, &mut session, claim, keep).await? {
            Own::Changed => Ok(Renewed::Alive),
            Own::Other(_) => Ok(Renewed::Lost),
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
        let finish =
            |stored: &Stored, _| self.set_finished(id, stored, stored.token, finished, ttl);
        let set_absent = || finish(&Stored::held(id, claim), 0);
        for _ in 0..LOOKS {
            let seen = match self.change_own(id, &mut session, claim, finish).await? {
                Own::Changed => {
                    session.confirm().await?;
                    return Ok(Completion::Recorded);
                }
                Own::Other(seen) => seen,
            };
            let (seen, change, completion) = match &seen {
                None => (&[][..], set_absent(), Completion::RecordedAbsent),
                Some(Seen { stored, left, .. }) => match stored.stage {
                    Stage::Finished(_) if stored.token == *claim.token() => {
                        if self.server.wait_replicas == 0 {
                            return Ok(Completion::Recorded);
                        }
                        // Replicas confirm a write, so there has to be one.
                        let px = u64::try_from(*left).unwrap_or(value::millis(ttl));
                        let keep = Change::Keep { px };
                        (&stored.bytes[..], keep, Completion::Recorded)
                    }
                    Stage::GivenUp if stored.generation < claim.generation() => {
                        (&stored.bytes[..], set_absent(), Completion::RecordedAbsent)
                    }
                    _ => return Ok(Completion::Refused),
                },
            };
            let swap = self.swap(id, &mut session, seen, &change, None);
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
        let give_up = |stored: &Stored, px| match claim.is_fenced() {
            true => remember(id, stored, px),
            false => give_up(id, stored, px),
        };
        match self.change_own(id, &mut session, claim, give_up).await? {
            Own::Changed => Ok(Released::Released),
            Own::Other(_) => Ok(Released::NotOwner),
        }
    }

    pub(super) async fn inspect(&self, id: &RecordId) -> Result<Option<Record>, StoreError> {
        let key = self.key(id);
        let seen = self.look(id, &mut self.server.session(&key)).await?;
        Ok(seen.and_then(Seen::record))
    }

    /// Changes the claim of this token. What its owner knows of it is compared first, unread.
    async fn change_own(
        &self,
        id: &RecordId,
        session: &mut Session<'_>,
        claim: &Claim,
        change: impl Fn(&Stored, u64) -> Change,
    ) -> Result<Own, StoreError> {
        let mut stored = Stored::held(id, claim);
        for _ in 0..LOOKS {
            let Stage::Held { px, .. } = stored.stage else {
                break;
            };
            let change = change(&stored, px);
            if self.swap(id, session, &stored.bytes, &change, None).await? {
                return Ok(Own::Changed);
            }
            match Box::pin(self.look(id, session)).await? {
                Some(seen) if seen.stored.is_held_by(claim.token()) => stored = seen.stored,
                other => return Ok(Own::Other(other)),
            }
        }
        Err(contended())
    }

    /// A claim that lost its expiry would never lapse: it is alive, and its time starts now.
    async fn start_clock(
        &self,
        id: &RecordId,
        session: &mut Session<'_>,
        seen: &Seen,
    ) -> Result<(), StoreError> {
        if let (Stage::Held { px, .. }, -1) = (&seen.stored.stage, seen.left) {
            let keep = Change::Keep { px: *px };
            self.swap(id, session, &seen.stored.bytes, &keep, None)
                .await?;
        }
        Ok(())
    }

    pub(super) async fn look(
        &self,
        id: &RecordId,
        session: &mut Session<'_>,
    ) -> Result<Option<Seen>, StoreError> {
        let Some((value, left, ends)) = self.look_unread(session).await? else {
            return Ok(None);
        };
        Ok(Some(Seen {
            stored: self.read(id, value)?,
            left,
            pulse: u64::try_from(ends).unwrap_or(0),
        }))
    }

    /// The octets under the record's key, with their time to live and when that ends.
    pub(super) async fn look_unread(
        &self,
        session: &mut Session<'_>,
    ) -> Result<Option<(Vec<u8>, i64, i64)>, StoreError> {
        let seen: (Option<Vec<u8>>, i64, i64) = LOOK.run(session, &[session.key()], &[]).await?;
        let (value, left, ends) = seen;
        Ok(value.map(|value| (value, left, ends)))
    }

    fn read(&self, id: &RecordId, value: Vec<u8>) -> Result<Stored, StoreError> {
        Stored::decode(id, value, &self.seal).map_err(StoreError::unreadable)
    }

    pub(super) fn set_finished(
        &self,
        id: &RecordId,
        stored: &Stored,
        owner: Token,
        finished: &Finished,
        ttl: Duration,
    ) -> Change {
        let px = value::millis(ttl);
        let value = value::finished(id, stored, &owner, finished, &self.seal);
        Change::Set { value, px }
    }
}

/// Makes the record absent; above generation 1 its generation is remembered.
pub(super) fn give_up(id: &RecordId, stored: &Stored, px: u64) -> Change {
    match stored.generation > 1 {
        true => remember(id, stored, px),
        false => Change::Remove,
    }
}

/// Makes the record absent, and remembers its generation.
pub(super) fn remember(id: &RecordId, stored: &Stored, px: u64) -> Change {
    let value = value::given_up(id, stored.generation, &stored.fingerprint);
    Change::Set { value, px }
}

pub(super) fn set_claim(id: &RecordId, claim: &Claim, generation: u64) -> Change {
    let (value, px) = value::claim(id, claim, generation);
    Change::Set { value, px }
}
