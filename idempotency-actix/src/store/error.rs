//! Why a store could not do what it was asked. It knows no store, and no problem that a client gets.

use std::error::Error;
use std::fmt;

/// Why a store could not do what it was asked.
///
/// The client never sees it: it gets 503 `store-unavailable` with `Retry-After`. The log does, with all its
/// causes, so their text must not quote what is stored: an answer may hold what a client sent.
#[derive(Debug)]
pub struct StoreError {
    kind: StoreErrorKind,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What a failure means for the claim that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// No answer, or one that does not tell: the command may or may not have been applied. A claim
    /// that met it is released by token in the background.
    Unavailable,
    /// The store said no, or could not even be asked: nothing was written.
    Refused,
    /// The store has no room for a new claim, and nothing was written.
    Full,
    /// There is a value, and it cannot be read: undecodable, of a newer version, or of another
    /// record. It is never treated as absent.
    Unreadable,
    /// The store cannot do that at all, whatever its state.
    Unsupported,
}

impl StoreErrorKind {
    /// The kind in one word, as metrics have it.
    #[cfg(feature = "metrics")]
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::Refused => "refused",
            Self::Full => "full",
            Self::Unreadable => "unreadable",
            Self::Unsupported => "unsupported",
        }
    }
}

impl StoreError {
    /// The store gave no answer, or one that does not tell whether the command was applied.
    pub fn unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            kind: StoreErrorKind::Unavailable,
            source: Some(source.into()),
        }
    }

    /// The store said no, or could not even be asked: nothing was written, and nothing will be.
    pub fn refused(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            kind: StoreErrorKind::Refused,
            source: Some(source.into()),
        }
    }

    /// The store refused a new claim for want of room.
    pub fn full() -> Self {
        Self {
            kind: StoreErrorKind::Full,
            source: None,
        }
    }

    /// The same with what the server said.
    #[cfg(feature = "redis")]
    pub(super) fn full_because(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            source: Some(source.into()),
            ..Self::full()
        }
    }

    /// The stored value cannot be read.
    pub fn unreadable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            kind: StoreErrorKind::Unreadable,
            source: Some(source.into()),
        }
    }

    /// The store has no way to do what it was asked.
    pub fn unsupported() -> Self {
        Self {
            kind: StoreErrorKind::Unsupported,
            source: None,
        }
    }

    /// What the failure means for the claim.
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            StoreErrorKind::Unavailable => "the store did not answer",
            StoreErrorKind::Refused => "the store refused",
            StoreErrorKind::Full => "the store is full",
            StoreErrorKind::Unreadable => "the stored record cannot be read",
            StoreErrorKind::Unsupported => "the store cannot do that",
        })
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
