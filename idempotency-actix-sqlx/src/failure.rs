//! Why a step did not get what it asked for, and what that means to the layer. It knows no database's codes.

use std::error::Error;
use std::fmt;

use idempotency_actix::store::StoreError;

pub(crate) type Cause = Box<dyn Error + Send + Sync>;

/// Why the database did not do what it was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It said no, or was not even asked: nothing was written.
    Refused(Cause),
    /// Nobody knows.
    Unclear(Cause),
    /// There is a row, and it is no record of ours.
    Unreadable(Cause),
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(cause) => Self::refused(cause),
            Failure::Unclear(cause) => Self::unavailable(cause),
            Failure::Unreadable(cause) => Self::unreadable(cause),
        }
    }
}

/// What an error of the client means, in a database's own codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// The statement was undone for another's sake: asked again it may go through.
    Again,
    /// It was not carried out, and will not be.
    Refused,
    /// The connection is lost, or in doubt.
    Broken,
}

/// An error with what to do about it.
#[derive(Debug)]
pub(crate) struct Explained {
    advice: &'static str,
    cause: sqlx::Error,
}

impl Explained {
    pub(crate) fn cause(advice: &'static str, cause: sqlx::Error) -> Cause {
        Box::new(Self { advice, cause })
    }
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.advice)
    }
}

impl Error for Explained {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.cause)
    }
}

/// What needs no cause: the sentence says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    NoConnection,
    PoolClosed,
    NoAnswer,
    NoConnect,
    Contended,
    Malformed,
    #[cfg(feature = "sqlite")]
    RolledBack,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoConnection => {
                "all connections of the store are in use: raise `connections`, or see what holds them up"
            }
            Self::PoolClosed => "the pool that the store was made with is closed",
            Self::NoAnswer => "the database did not answer within the store's `timeout`",
            Self::NoConnect => "no connection to the database within the store's `timeout`",
            Self::Contended => "the record changed each time that it was looked at",
            Self::Malformed => "the row is no record of this version",
            #[cfg(feature = "sqlite")]
            Self::RolledBack => {
                "the transaction was rolled back before: by the handler, or for an error that it passed over"
            }
        })
    }
}

impl Error for Trouble {}
