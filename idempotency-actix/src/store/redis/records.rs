//! The records of one store on its server: where they are, and what is there. What is made of them is
//! decided elsewhere.

use super::script::LOOK;
use super::session::{Server, Session};
use super::stored::Stored;
use super::swap::Swap;
use super::value;
use crate::store::{Record, RecordCodec, RecordId, StoreError};

/// How often a step looks again at a record that others change under its hands.
pub(super) const LOOKS: usize = 8;

pub(super) struct Records {
    pub(super) server: Server,
    pub(super) prefix: String,
    pub(super) codec: RecordCodec,
    pub(super) swap: Swap,
}

/// A record as it was read, with its time to live and when that ends by the server's clock, in
/// milliseconds.
pub(super) struct Snapshot {
    pub(super) stored: Stored,
    pub(super) left: i64,
    pub(super) pulse: u64,
}

impl Snapshot {
    pub(super) fn record(self) -> Option<Record> {
        self.stored.record(self.left, self.pulse)
    }
}

impl Records {
    /// The record's key. Its hash tag puts whatever belongs to one record into one slot.
    pub(super) fn key(&self, id: &RecordId) -> Vec<u8> {
        [self.prefix.as_bytes(), b"{", &id.digits(), b"}"].concat()
    }

    pub(super) async fn inspect(&self, id: &RecordId) -> Result<Option<Record>, StoreError> {
        let key = self.key(id);
        let snapshot = self.look(id, &mut self.server.session(&key)).await?;
        Ok(snapshot.and_then(Snapshot::record))
    }

    pub(super) async fn look(
        &self,
        id: &RecordId,
        session: &mut Session<'_>,
    ) -> Result<Option<Snapshot>, StoreError> {
        let Some((value, left, ends)) = self.look_unread(session).await? else {
            return Ok(None);
        };
        Ok(Some(Snapshot {
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
        // By a script: of two commands, the second may be about another value than the first.
        let found: (Option<Vec<u8>>, i64, i64) = LOOK.run(session, &[session.key()], &[]).await?;
        let (value, left, ends) = found;
        Ok(value.map(|value| (value, left, ends)))
    }

    pub(super) fn read(&self, id: &RecordId, value: Vec<u8>) -> Result<Stored, StoreError> {
        value::read(id, value, &self.codec).map_err(StoreError::unreadable)
    }
}
