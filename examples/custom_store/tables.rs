//! The tables of the file: what is read and written in a transaction. They know no step, and not what the octets mean.

use std::time::{SystemTime, UNIX_EPOCH};

use actix_web::web::Bytes;
use idempotency_actix::store::{Change, RecordId};
use redb::{Error, ReadTransaction, ReadableTable, TableDefinition, WriteTransaction};

const RECORDS: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("records");

/// Claims that a listing of unknown outcomes has to look at: few among all records.
const CLAIMS: TableDefinition<'_, &[u8; 32], ()> = TableDefinition::new("claims");

/// The minute in which a record is over, as it was saved. A later save may have moved its end, and left this behind.
const ENDS: TableDefinition<'_, (u64, &[u8; 32]), ()> = TableDefinition::new("ends");

/// How many ends are taken at once. A step adds one at most, so that none is left for long.
const FEW: usize = 4;

/// Makes the tables that are read before anything is written.
pub(crate) fn create(it: &WriteTransaction) -> Result<(), Error> {
    it.open_table(RECORDS)?;
    it.open_table(CLAIMS)?;
    Ok(())
}

pub(crate) fn read(it: &WriteTransaction, id: &RecordId) -> Result<Option<Bytes>, Error> {
    octets(&it.open_table(RECORDS)?, id)
}

pub(crate) fn read_committed(it: &ReadTransaction, id: &RecordId) -> Result<Option<Bytes>, Error> {
    octets(&it.open_table(RECORDS)?, id)
}

fn octets(
    records: &impl ReadableTable<&'static [u8; 32], &'static [u8]>,
    id: &RecordId,
) -> Result<Option<Bytes>, Error> {
    let octets = records.get(id.as_bytes())?;
    Ok(octets.map(|octets| Bytes::copy_from_slice(octets.value())))
}

pub(crate) fn write(it: &WriteTransaction, id: &RecordId, change: Change) -> Result<(), Error> {
    let id = id.as_bytes();
    let mut records = it.open_table(RECORDS)?;
    let mut claims = it.open_table(CLAIMS)?;
    match change {
        Change::Nothing => {}
        Change::Save(saved) => {
            records.insert(id, &saved.octets[..])?;
            match saved.unknown_from {
                Some(_) => claims.insert(id, ())?,
                None => claims.remove(id)?,
            };
            let end = (minute(saved.expires), id);
            it.open_table(ENDS)?.insert(end, ())?;
        }
        Change::Remove => {
            records.remove(id)?;
            claims.remove(id)?;
        }
    }
    Ok(())
}

pub(crate) fn claims(it: &ReadTransaction) -> Result<Vec<RecordId>, Error> {
    let mut ids = Vec::new();
    for claim in it.open_table(CLAIMS)?.iter()? {
        ids.push(RecordId::from_bytes(*claim?.0.value()));
    }
    Ok(ids)
}

/// Takes a few records out of `ENDS` that may be over.
pub(crate) fn take_ended(it: &WriteTransaction, now: SystemTime) -> Result<Vec<RecordId>, Error> {
    let mut ends = it.open_table(ENDS)?;
    let past = ..(minute(now), &[0; 32]);
    let mut ids = Vec::new();
    for end in ends.extract_from_if(past, |_, ()| true)?.take(FEW) {
        ids.push(RecordId::from_bytes(*end?.0.value().1));
    }
    Ok(ids)
}

fn minute(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs() / 60
}
