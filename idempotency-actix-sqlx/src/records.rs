//! The steps of the contract, as they are on any table: what is made of what a statement found. How it is found is the
//! table's.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use idempotency_actix::store::{
    Begun, Claim, Completion, Cursor, Fingerprint, Finished, Page, Record, RecordCodec, RecordId,
    Released, Renewed, State, StoreError, UnknownOutcome, Wakeups,
};
use tokio::time::Instant;

use crate::failure::{Failure, Trouble};
use crate::new_row::NewRow;
use crate::row::{Parsed, Progress, Row};
use crate::values::{clamped, duration};

/// How often a step looks again at a record that others change under its hands.
const LOOKS: usize = 16;

/// The statements of one database, each one atomic step.
pub(crate) trait Table: Send + Sync + 'static {
    /// Writes the claim if nothing is in its way, and gives its generation; else what is there, which may be gone
    /// by now.
    fn begin(
        &self,
        id: &RecordId,
        claim: &NewRow,
        deadline: Instant,
    ) -> impl Future<Output = Result<Written<i64>, Failure>> + Send;

    /// A sign of life of the claim of that token; whether there is one.
    fn renew(
        &self,
        id: &RecordId,
        token: &[u8; 16],
        deadline: Instant,
    ) -> impl Future<Output = Result<bool, Failure>> + Send;

    /// Writes the answer of exactly that attempt, or where nothing is in its way; whether it was absent.
    fn complete(
        &self,
        id: &RecordId,
        answer: &NewRow,
        deadline: Instant,
    ) -> impl Future<Output = Result<Written<bool>, Failure>> + Send;

    /// Removes the claim of that token, or remembers its generation; whether there is one.
    fn release(
        &self,
        id: &RecordId,
        token: &[u8; 16],
        is_fenced: bool,
        deadline: Instant,
    ) -> impl Future<Output = Result<bool, Failure>> + Send;

    fn look(
        &self,
        id: &RecordId,
        deadline: Instant,
    ) -> impl Future<Output = Result<Option<Row>, Failure>> + Send;

    /// Claims whose owner is gone, with their ids, by the time of their begin, from behind that time and id.
    fn unknown(
        &self,
        after: (i64, &[u8]),
        limit: i64,
        deadline: Instant,
    ) -> impl Future<Output = Result<Vec<(Vec<u8>, Row)>, Failure>> + Send;

    /// Changes the row if it still is what was seen, and has lapsed if it must have; `None` removes it.
    fn change(
        &self,
        id: &RecordId,
        seen: &Row,
        must_have_lapsed: bool,
        to: Option<&NewRow>,
        deadline: Instant,
    ) -> impl Future<Output = Result<bool, Failure>> + Send;

    /// Tells other processes that the record has changed, sooner or later.
    fn tell(&self, id: &RecordId);
}

/// What became of a step that writes or finds.
pub(crate) enum Written<T> {
    Done(T),
    Found(Box<Row>),
    /// It saw neither: what was in its way came or went meanwhile.
    Neither,
}

pub(crate) struct Records<T> {
    pub(crate) table: T,
    pub(crate) codec: RecordCodec,
    pub(crate) timeout: Duration,
    pub(crate) wakeups: Arc<Wakeups>,
}

/// Whose attempt an answer is written as.
struct Attempt {
    generation: u64,
    fingerprint: Fingerprint,
}

impl<T: Table> Records<T> {
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.timeout
    }

    pub(crate) async fn begin(&self, id: &RecordId, claim: &Claim) -> Result<Begun, StoreError> {
        let deadline = self.deadline();
        let row = NewRow::claim(claim, claim.generation());
        for _ in 0..LOOKS {
            match self.table.begin(id, &row, deadline).await? {
                Written::Done(generation) => {
                    let generation = u64::try_from(generation).unwrap_or(1);
                    return Ok(Begun::Claimed { generation });
                }
                Written::Found(row) => {
                    let parsed = row.parse(id, &self.codec)?;
                    // The own claim, or what is absent, would have been written over if it had stayed.
                    let others = parsed.filter(|it| !it.is_held_by(claim.token()));
                    if let Some(record) = others.and_then(Parsed::record) {
                        return Ok(Begun::Found(record));
                    }
                }
                Written::Neither => {}
            }
        }
        Err(contended())
    }

    pub(crate) async fn renew(&self, id: &RecordId, claim: &Claim) -> Result<Renewed, StoreError> {
        let token = claim.token().as_bytes();
        match self.table.renew(id, token, self.deadline()).await? {
            true => Ok(Renewed::Alive),
            false => Ok(Renewed::Lost),
        }
    }

    pub(crate) async fn complete(
        &self,
        id: &RecordId,
        claim: &Claim,
        finished: &Finished,
        ttl: Duration,
    ) -> Result<Completion, StoreError> {
        let deadline = self.deadline();
        let mut attempt = Attempt {
            generation: claim.generation(),
            fingerprint: *claim.fingerprint(),
        };
        for _ in 0..LOOKS {
            let Attempt {
                generation,
                fingerprint,
            } = attempt;
            let token = *claim.token();
            let answer = NewRow::finished(
                id,
                token,
                generation,
                fingerprint,
                finished,
                ttl,
                &self.codec,
            );
            let answer = answer.described(claim.description());
            let found = match self.table.complete(id, &answer, deadline).await? {
                Written::Done(was_absent) => {
                    self.changed(id);
                    return Ok(match was_absent {
                        true => Completion::RecordedAbsent,
                        false => Completion::Recorded,
                    });
                }
                Written::Found(row) => row.parse(id, &self.codec)?,
                Written::Neither => None,
            };
            match found {
                // It came or went meanwhile.
                None => {}
                // As the store has it: who sent the claim twice may know it otherwise.
                Some(it) if it.is_held_by(&token) => {
                    attempt = Attempt {
                        generation: it.generation,
                        fingerprint: it.fingerprint,
                    };
                }
                Some(it) => match it.progress {
                    Progress::Finished(_) if it.token == token => return Ok(Completion::Recorded),
                    Progress::GivenUp if it.generation < claim.generation() => {}
                    _ => return Ok(Completion::Refused),
                },
            }
        }
        Err(contended())
    }

    pub(crate) async fn release(
        &self,
        id: &RecordId,
        claim: &Claim,
    ) -> Result<Released, StoreError> {
        let token = claim.token().as_bytes();
        let deadline = self.deadline();
        let released = self.table.release(id, token, claim.is_fenced(), deadline);
        match released.await? {
            true => {
                self.changed(id);
                Ok(Released::Released)
            }
            false => Ok(Released::NotOwner),
        }
    }

    pub(crate) async fn inspect(&self, id: &RecordId) -> Result<Option<Record>, StoreError> {
        let Some(row) = self.table.look(id, self.deadline()).await? else {
            return Ok(None);
        };
        Ok(row.parse(id, &self.codec)?.and_then(Parsed::record))
    }

    pub(crate) async fn unknown(
        &self,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let after = after.map(Cursor::time_and_id).transpose();
        let after = after.map_err(StoreError::refused)?;
        let (begun, id) = match &after {
            Some((begun, id)) => (clamped(*begun), &id.as_bytes()[..]),
            None => (i64::MIN, &[][..]),
        };
        // One more tells whether there is another page.
        let most = i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX);
        let rows = (self.table.unknown((begun, id), most, self.deadline())).await?;
        let is_last = rows.len() <= limit;
        let (mut outcomes, mut next) = (Vec::new(), None);
        for (id, row) in rows.into_iter().take(limit) {
            let Ok(id) = <[u8; 32]>::try_from(&id[..]).map(RecordId::from_bytes) else {
                continue;
            };
            next = Some(Cursor::behind(u64::try_from(row.begun).unwrap_or(0), &id));
            let last_seen = UNIX_EPOCH + duration(row.seen);
            // What cannot be read is for whoever looks at the record.
            let Ok(Some(Record {
                attempt,
                state: State::Unknown { lease },
                description: Some(description),
                ..
            })) = row
                .parse(&id, &self.codec)
                .map(|row| row.and_then(Parsed::record))
            else {
                continue;
            };
            outcomes.push(UnknownOutcome::new(
                id,
                attempt,
                description,
                last_seen,
                lease,
            ));
        }
        Ok(Page::new(outcomes, next.filter(|_| !is_last)))
    }

    /// Wakes who waits for the record, here and elsewhere.
    pub(crate) fn changed(&self, id: &RecordId) {
        self.wakeups.wake(id);
        self.table.tell(id);
    }
}

fn contended() -> StoreError {
    StoreError::unavailable(Trouble::Contended)
}
