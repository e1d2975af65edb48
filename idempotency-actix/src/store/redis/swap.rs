//! Compare and set: a record is changed if it still is what was seen. Three ways lead there, by what the server has and
//! how long the value is. Why a record is changed is not known here.

use std::sync::atomic::{AtomicBool, Ordering};

use deadpool_redis::redis::{self, Cmd, ServerErrorKind};

use super::change::Change;
use super::failure::Failure;
use super::script::SWAP;
use super::session::{Ask, Session};
use crate::store::{RecordId, Token};

/// From this many octets on, a value is written beside the record and moved. A script copies its arguments:
/// with 10 KiB it takes the server 23 us where the move takes 13, and below 2 KiB it is the faster one.
const LARGE: usize = 2 * 1024;

/// How long a value waits to be moved, in milliseconds: what a step that broke off leaves goes by itself.
const WAITS: u64 = 60_000;

/// How records are changed on the server.
pub(super) struct Swap {
    /// Where changes are told of; empty for nowhere.
    channel: String,
    /// Whether the server compares and sets in one command. Believed until it says that it does not: to ask
    /// first would be one more command for each connection.
    has_ifeq: AtomicBool,
}

/// What a verdict is about: a lapsed claim without a sign of life since it was seen.
pub(super) struct Lapsed {
    pub(super) pulse: u64,
    pub(super) longest_left: u64,
}

impl Swap {
    pub(super) fn new(channel: String) -> Self {
        Self {
            channel,
            has_ifeq: AtomicBool::new(true),
        }
    }

    /// Changes the record if it is as it was seen, in one atomic step. No octets are a record that is
    /// absent, except where it is to be removed: there they are an empty value.
    pub(super) async fn change(
        &self,
        id: &RecordId,
        session: &mut Session<'_>,
        seen: &[u8],
        change: &Change,
        lapsed: Option<Lapsed>,
    ) -> Result<bool, Failure> {
        session.keep_apart(seen.len() + change.len());
        if let (Change::Set { value, px }, None, false) = (change, &lapsed, seen.is_empty()) {
            // No command tells the channel as well.
            if self.channel.is_empty()
                && let Some(done) = self.swap_by_command(session, seen, value, *px).await?
            {
                return Ok(done);
            }
            if value.len() >= LARGE
                && let Some(done) = self.swap_by_move(id, session, seen, value, *px).await?
            {
                return Ok(done);
            }
        }
        let (act, value, px): (&[u8], &[u8], _) = match change {
            Change::Keep { px } => (b"keep", b"", *px),
            Change::Set { value, px } => (b"set", value, *px),
            Change::Remove => (b"remove", b"", 0),
        };
        let px = px.to_string();
        let mut args = vec![seen, act, value, px.as_bytes()];
        // Not sent for nothing: each part costs the server some time.
        if lapsed.is_some() || !self.channel.is_empty() {
            args.extend([self.channel.as_bytes(), id.as_bytes()]);
        }
        let lapsed = lapsed.map(|it| [it.pulse.to_string(), it.longest_left.to_string()]);
        args.extend(lapsed.iter().flatten().map(String::as_bytes));
        let done: i64 = SWAP.run(session, &[session.key()], &args).await?;
        Ok(done == 1)
    }

    /// The same in a command that not every server has; `None` where it has not, or is out of memory,
    /// which scripts of ours may pass.
    async fn swap_by_command(
        &self,
        session: &mut Session<'_>,
        seen: &[u8],
        value: &[u8],
        px: u64,
    ) -> Result<Option<bool>, Failure> {
        if !self.has_ifeq.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let key = session.key();
        let mut set = Cmd::with_capacity(7, key.len() + value.len() + seen.len() + 32);
        set.arg("SET").arg(key).arg(value);
        set.arg("IFEQ").arg(seen).arg("PX").arg(px);
        match session.send::<Option<String>>(Ask::Command(&set)).await {
            Ok(done) => Ok(Some(done.is_some())),
            Err(failure) if failure.is_syntax_error() => {
                self.has_ifeq.store(false, Ordering::Relaxed);
                Ok(None)
            }
            Err(failure) if failure.has_code("OOM") => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// The same for a value that is too long to go through a script: it is written beside the record,
    /// and the script moves it. `None` where it did not get there.
    async fn swap_by_move(
        &self,
        id: &RecordId,
        session: &mut Session<'_>,
        seen: &[u8],
        value: &[u8],
        px: u64,
    ) -> Result<Option<bool>, Failure> {
        let key = session.key();
        // Unique for each try: an earlier one that arrives late must not move this.
        let waiting = [key, b":", Token::random().as_bytes()].concat();
        let mut set = Cmd::with_capacity(5, waiting.len() + value.len() + 32);
        set.arg("SET").arg(&waiting).arg(value);
        set.arg("PX").arg(WAITS);
        let (keys, px) = ([key, &waiting], px.to_string());
        let mut args = vec![seen, b"move", b"", px.as_bytes()];
        if !self.channel.is_empty() {
            args.extend([self.channel.as_bytes(), id.as_bytes()]);
        }
        // In one round trip; if the first command fails, the script finds nothing to move.
        let mut both = redis::Pipeline::with_capacity(2);
        both.add_command(set).ignore();
        both.add_command(SWAP.by_hash(&keys, &args));
        let moved = match session.send::<(i64,)>(Ask::Pipeline(&both)).await {
            Ok((moved,)) => Ok(moved),
            Err(failure) if failure.is(ServerErrorKind::NoScript) => {
                Box::pin(SWAP.run(session, &keys, &args)).await
            }
            Err(failure) => Err(failure),
        };
        match moved {
            Ok(-1) => Ok(None),
            Ok(moved) => Ok(Some(moved == 1)),
            Err(failure) if failure.has_code("OOM") || failure.is(ServerErrorKind::TryAgain) => {
                Ok(None)
            }
            Err(failure) => Err(failure),
        }
    }
}
