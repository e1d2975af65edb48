//! Errors of the Redis client, as errors of the store: what surely was not written, and what may have been.

use std::error::Error;
use std::fmt;

use deadpool_redis::redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::store::StoreError;

/// Why the server did not do what it was asked.
#[derive(Debug)]
pub(super) enum Failure {
    /// It said no, or was not even asked: nothing was written.
    Refused(RedisError),
    /// Nobody knows.
    Unclear(Box<dyn Error + Send + Sync>),
}

impl Failure {
    /// What the server said.
    fn reply(&self) -> Option<&RedisError> {
        match self {
            Self::Refused(error) => Some(error),
            Self::Unclear(error) => error.downcast_ref(),
        }
    }

    pub(super) fn is(&self, kind: ServerErrorKind) -> bool {
        self.reply()
            .is_some_and(|error| error.kind() == ErrorKind::Server(kind))
    }

    /// Whether the reply has this code, also where a script's own command got it.
    pub(super) fn has_code(&self, code: &str) -> bool {
        self.reply().is_some_and(|error| {
            let detail = error.detail().unwrap_or_default();
            let mut words = detail.split([' ', ':', '-']);
            error.code() == Some(code) || words.any(|word| word == code)
        })
    }

    /// Whether the server does not know the command in this form.
    pub(super) fn is_syntax_error(&self) -> bool {
        let detail = self.reply().and_then(RedisError::detail);
        self.is(ServerErrorKind::ResponseError) && detail.is_some_and(|it| it.contains("syntax"))
    }

    /// Whether the server may still be read from, although it does not take a write.
    pub(super) fn may_read(&self) -> bool {
        const CODES: [&str; 6] = [
            "OOM",
            "READONLY",
            "NOREPLICAS",
            "MISCONF",
            "MASTERDOWN",
            "CLUSTERDOWN",
        ];
        CODES.iter().any(|code| self.has_code(code))
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        let is_full = failure.has_code("OOM");
        if failure.has_code("WRONGTYPE") {
            return StoreError::unreadable(NotAString);
        }
        match failure {
            Failure::Refused(error) if is_full => StoreError::full_because(error),
            Failure::Refused(error) => StoreError::refused(error),
            Failure::Unclear(error) => StoreError::unavailable(error),
        }
    }
}

/// Another application's key.
#[derive(Debug)]
struct NotAString;

impl fmt::Display for NotAString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("value is not a string: another application's key")
    }
}

impl Error for NotAString {}

/// A write that fewer replicas have than were asked for.
#[derive(Debug)]
pub(super) struct TooFewReplicas {
    pub(super) have: usize,
    pub(super) wanted: usize,
}

impl fmt::Display for TooFewReplicas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { have, wanted } = self;
        write!(f, "{have} replicas have the write, {wanted} were asked for")
    }
}

impl Error for TooFewReplicas {}

/// What is there is somebody's, whatever becomes of it.
pub(super) fn undecided(cause: StoreError) -> StoreError {
    StoreError::unreadable(Undecided(cause))
}

/// There is a claim, and the server did not tell whether its owner lives.
#[derive(Debug)]
struct Undecided(StoreError);

impl fmt::Display for Undecided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is a claim, and the server did not tell whether its owner lives")
    }
}

impl Error for Undecided {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

pub(super) fn contended() -> StoreError {
    StoreError::unavailable(Contended)
}

/// The record changed each time that it was looked at.
#[derive(Debug)]
struct Contended;

impl fmt::Display for Contended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the record changed each time that it was looked at")
    }
}

impl Error for Contended {}

/// The server is older than the command that a claim takes.
#[derive(Debug)]
pub(super) struct TooOld;

impl fmt::Display for TooOld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the server does not know SET with NX and GET: Redis 7.0 or Valkey 7.2 is needed",
        )
    }
}

impl Error for TooOld {}
