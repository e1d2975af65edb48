//! What an operator or a recovery decides about a record that was seen. Whether enough time has passed since is known by
//! those who decide.

use idempotency_actix::store::{
    AttemptId, MIN_CLAIM_RETENTION, RecordId, Resolved, StoreError, Token, Verdict,
};

use crate::failure::Failure;
use crate::new_row::NewRow;
use crate::records::{Records, Table};
use crate::row::{Parsed, Progress, Row};
use crate::values::{clamped, micros, octets};

/// A change to a row that is exactly this, and has lapsed if that is what it is about.
struct Decision {
    row: Row,
    must_have_lapsed: bool,
    /// `None` leaves nothing.
    to: Option<NewRow>,
}

impl<T: Table> Records<T> {
    pub(crate) async fn resolve(
        &self,
        id: &RecordId,
        attempt: &AttemptId,
        verdict: &Verdict,
    ) -> Result<Resolved, StoreError> {
        let deadline = self.deadline();
        let Some(row) = self.table.look(id, deadline).await? else {
            return Ok(Resolved::Refused);
        };
        let decision = match verdict {
            Verdict::Forget if *attempt == AttemptId::UNREADABLE => self.forget_unreadable(id, row),
            _ => {
                let Some(parsed) = row.parse(id, &self.codec)? else {
                    return Ok(Resolved::Refused);
                };
                if let Verdict::TakeOver(claim) = verdict
                    && parsed.is_held_by(claim.token())
                {
                    let token = claim.token().as_bytes();
                    return Ok(match self.table.renew(id, token, deadline).await? {
                        true => Resolved::Done,
                        false => Resolved::Refused,
                    });
                }
                self.decide(id, parsed, attempt, verdict)
            }
        };
        let Some(decision) = decision else {
            return Ok(Resolved::Refused);
        };
        let Decision {
            row,
            must_have_lapsed,
            to,
        } = decision;
        let table = &self.table;
        let changed = table.change(id, &row, must_have_lapsed, to.as_ref(), deadline);
        if !changed.await? {
            return Ok(Resolved::Refused);
        }
        self.changed(id);
        Ok(Resolved::Done)
    }

    /// `None` if the verdict does not stand on what is there.
    fn decide(
        &self,
        id: &RecordId,
        found: Parsed,
        attempt: &AttemptId,
        verdict: &Verdict,
    ) -> Option<Decision> {
        if found.attempt() != *attempt {
            return None;
        }
        let Parsed {
            generation,
            fingerprint,
            progress,
            row,
            ..
        } = found;
        let remembered = |kept| NewRow::given_up(clamped(generation), octets(&fingerprint), kept);
        let (must_have_lapsed, to) = match (progress, verdict) {
            (
                Progress::Held {
                    retention,
                    is_lapsed: true,
                    ..
                },
                verdict,
            ) => {
                let to = match verdict {
                    Verdict::Finished(finished, ttl) => Some(NewRow::finished(
                        id,
                        Token::NOBODY,
                        generation,
                        fingerprint,
                        finished,
                        *ttl,
                        &self.codec,
                    )),
                    Verdict::TakeOver(claim) => {
                        Some(NewRow::claim(claim, generation.saturating_add(1)))
                    }
                    Verdict::NotExecuted if generation > 1 => Some(remembered(retention)),
                    Verdict::NotExecuted => None,
                    Verdict::Forget => Some(remembered(retention)),
                    _ => return None,
                };
                (true, to)
            }
            (Progress::Finished(_), Verdict::Forget) => {
                (false, Some(remembered(remembered_for(&row))))
            }
            _ => return None,
        };
        Some(Decision {
            row,
            must_have_lapsed,
            to,
        })
    }

    /// Forgets a row that cannot be read, and only such a one. Where it tells no generation, nothing is left of it.
    fn forget_unreadable(&self, id: &RecordId, row: Row) -> Option<Decision> {
        match row.clone().parse(id, &self.codec) {
            Err(Failure::Unreadable(_)) => {}
            _ => return None,
        }
        let to = row.readable_generation().map(|generation| {
            let fingerprint = row.readable_fingerprint();
            let fingerprint = fingerprint.map_or_else(|| vec![0; 33], |it| octets(&it));
            NewRow::given_up(clamped(generation), fingerprint, remembered_for(&row))
        });
        Some(Decision {
            row,
            must_have_lapsed: false,
            to,
        })
    }
}

/// How long a generation is remembered after a row that does not tell the retention of its claim: as long as it had
/// left, and as long as the shortest of them at least.
fn remembered_for(row: &Row) -> i64 {
    row.left().max(micros(MIN_CLAIM_RETENTION))
}
