//! The claims whose owner is gone, found by a scan that each call does a part of. What is decided about them is not known
//! here.

use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

use deadpool_redis::redis::{Value, cmd, from_redis_value};

use super::failure::Failure;
use super::records::{Records, Snapshot};
use crate::store::{Cursor, Page, ParseCursorError, RecordId, State, StoreError, UnknownOutcome};

const SCAN: &str = include_str!("unknown.lua");

/// How many keys of each server a step looks at, about.
const KEYS: usize = 500;

/// How many steps a call takes where they find too little.
const STEPS: usize = 10;

/// What a server has left to scan, by its own name; `end` if that is nothing.
type Cursors = BTreeMap<String, String>;

/// A server's name, where its scan goes on, and the claims with their times to live.
type Scanned = (String, String, Vec<(Vec<u8>, Vec<u8>, i64, i64)>);

impl Records {
    pub(super) async fn unknown(
        &self,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let mut cursors = match after {
            Some(cursor) => read(cursor).map_err(StoreError::refused)?,
            None => Cursors::new(),
        };
        let mut outcomes = Vec::new();
        for _ in 0..STEPS {
            for (server, cursor, found) in self.scan(&cursors).await? {
                cursors.insert(server, cursor);
                outcomes.extend(found.into_iter().filter_map(|found| self.outcome(found)));
            }
            if outcomes.len() >= limit || is_over(&cursors) {
                break;
            }
        }
        outcomes.sort_by_key(|it| it.last_seen);
        let next = match is_over(&cursors) {
            true => None,
            false => Some(written(&cursors).map_err(StoreError::unavailable)?),
        };
        Ok(Page::new(outcomes, next))
    }

    /// One step of every server's scan.
    async fn scan(&self, cursors: &Cursors) -> Result<Vec<Scanned>, StoreError> {
        let mut scan = cmd("EVAL");
        scan.arg(SCAN).arg(0).arg(self.pattern()).arg(KEYS);
        for (server, cursor) in cursors {
            scan.arg(server).arg(cursor);
        }
        let replies = self.server.ask_primaries(&scan).await?;
        let parse = |(_, reply): (String, Value)| {
            let reply = reply.extract_error().map_err(Failure::Refused)?;
            from_redis_value(reply).map_err(|error| Failure::Unclear(error.into()))
        };
        let scanned: Result<_, Failure> = replies.into_iter().map(parse).collect();
        Ok(scanned?)
    }

    /// What all keys of records match.
    fn pattern(&self) -> String {
        let mut pattern = String::new();
        for char in self.prefix.chars() {
            if r"*?[]\^-".contains(char) {
                pattern.push('\\');
            }
            pattern.push(char);
        }
        pattern + "{*}"
    }

    /// `None` for a claim that is in flight or described by nobody, and for what is no record of ours.
    fn outcome(
        &self,
        (key, value, left, ends): (Vec<u8>, Vec<u8>, i64, i64),
    ) -> Option<UnknownOutcome> {
        let id = key.strip_prefix(self.prefix.as_bytes())?;
        let id = id.strip_prefix(b"{")?.strip_suffix(b"}")?;
        let id: RecordId = str::from_utf8(id).ok()?.parse().ok()?;
        let snapshot = Snapshot {
            stored: self.read(&id, value).ok()?,
            left,
            pulse: u64::try_from(ends).unwrap_or(0),
        };
        let last_seen = snapshot.stored.last_seen(snapshot.pulse)?;
        let last_seen = UNIX_EPOCH.checked_add(Duration::from_millis(last_seen))?;
        let record = snapshot.record()?;
        let State::Unknown { lease } = record.state else {
            return None;
        };
        let description = record.description?;
        Some(UnknownOutcome::new(
            id,
            record.attempt,
            description,
            last_seen,
            lease,
        ))
    }
}

fn is_over(cursors: &Cursors) -> bool {
    cursors.values().all(|cursor| cursor == "end")
}

fn written(cursors: &Cursors) -> Result<Cursor, ParseCursorError> {
    let parts: Vec<_> = cursors
        .iter()
        .map(|(server, cursor)| format!("{server}:{cursor}"))
        .collect();
    Cursor::new(&parts.join("~"))
}

fn read(cursor: &Cursor) -> Result<Cursors, ParseCursorError> {
    let part = |part: &str| {
        let (server, cursor) = part.split_once(':')?;
        let is_good = cursor == "end" || cursor.parse::<u64>().is_ok();
        is_good.then(|| (server.to_owned(), cursor.to_owned()))
    };
    let parts = cursor.as_str().split('~').map(part).collect();
    Option::<Cursors>::ok_or(parts, ParseCursorError::foreign())
}
