//! Why a value is not the record that was asked for. It knows no value.

use std::error::Error;
use std::fmt;

use super::DecodeError;

/// Why a stored value is not the record that was asked for. It is never absent for that.
#[derive(Debug)]
#[non_exhaustive]
pub enum RecordError {
    /// Written by a version that this one does not know.
    Version(u8),
    /// Cut off, padded, or never a record at all.
    Malformed,
    /// The record of another id.
    OtherRecord,
    /// A finished record whose answer cannot be read.
    Answer(DecodeError),
    /// The answer is sealed, and there are no keys.
    NoKeys,
    /// The answer is in plain where only sealed ones are read.
    NotSealed,
    /// The sealed answer cannot be opened: changed, moved, or sealed with a key that is not there.
    Sealed(Box<dyn Error + Send + Sync>),
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => write!(f, "value of unknown version {version}"),
            Self::Malformed => f.write_str("value is malformed"),
            Self::OtherRecord => f.write_str("value belongs to another record"),
            Self::Answer(_) => f.write_str("the answer in the value cannot be read"),
            Self::NoKeys => f.write_str("the answer is sealed, and the store has no keys"),
            Self::NotSealed => {
                f.write_str("the answer is not sealed, and only sealed ones are read")
            }
            Self::Sealed(_) => f.write_str("the sealed answer cannot be opened"),
        }
    }
}

impl Error for RecordError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Answer(cause) => Some(cause),
            Self::Sealed(cause) => Some(&**cause),
            _ => None,
        }
    }
}

impl From<DecodeError> for RecordError {
    fn from(cause: DecodeError) -> Self {
        Self::Answer(cause)
    }
}
