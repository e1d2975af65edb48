//! Why a value is not the record that was asked for. It knows no value.

use std::error::Error;
use std::fmt;

use crate::store::DecodeError;

/// Why a value is not the record that was asked for.
#[derive(Debug)]
pub(super) enum ValueError {
    Version(u8),
    Malformed,
    OtherRecord,
    WrongType,
    Answer(DecodeError),
    NoKeys,
    #[cfg(feature = "encryption")]
    NotSealed,
    #[cfg(feature = "encryption")]
    Seal(Box<dyn Error + Send + Sync>),
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => write!(f, "value of unknown version {version}"),
            Self::Malformed => f.write_str("value is malformed"),
            Self::OtherRecord => f.write_str("value belongs to another record"),
            Self::WrongType => f.write_str("value is not a string: another application's key"),
            Self::Answer(_) => f.write_str("the answer in the value cannot be read"),
            Self::NoKeys => f.write_str("the answer is sealed, and the store has no keys"),
            #[cfg(feature = "encryption")]
            Self::NotSealed => {
                f.write_str("the answer is not sealed, and only sealed ones are read")
            }
            #[cfg(feature = "encryption")]
            Self::Seal(_) => f.write_str("the sealed answer cannot be opened"),
        }
    }
}

impl Error for ValueError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Answer(cause) => Some(cause),
            #[cfg(feature = "encryption")]
            Self::Seal(cause) => Some(&**cause),
            _ => None,
        }
    }
}

impl From<DecodeError> for ValueError {
    fn from(cause: DecodeError) -> Self {
        Self::Answer(cause)
    }
}
