//! Why a store cannot be made. It knows no option, only what to say of one.

use std::error::Error;
use std::fmt;
use std::time::Duration;

/// Why a store cannot be made; the message says what to change.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SqlConfigError {
    /// `schema` or `table` is no plain identifier.
    Name {
        /// The option.
        option: &'static str,
        /// What was given.
        name: String,
    },
    /// `timeout` is zero or over 8 hours.
    Timeout(Duration),
    /// `connections` or `readers` is zero.
    NoConnections,
    /// `statement_timeout` is under 1 ms or over 8 hours.
    #[cfg(feature = "postgres")]
    #[cfg_attr(docsrs, doc(cfg(feature = "postgres")))]
    StatementTimeout(Duration),
    /// `sweep_every` is under 10 ms or over a day.
    SweepEvery(Duration),
}

impl fmt::Display for SqlConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name { option, name } => write!(
                f,
                "`{option}` is {name:?}; give 1 to 48 of a to z, 0 to 9 and _, not beginning with a digit"
            ),
            Self::Timeout(timeout) => write!(
                f,
                "`timeout` is {timeout:?}; give more than 0, and a third of the lease at most"
            ),
            Self::NoConnections => {
                f.write_str("`connections`, or `readers`, is 0; give at least 1")
            }
            #[cfg(feature = "postgres")]
            Self::StatementTimeout(timeout) => write!(
                f,
                "`statement_timeout` is {timeout:?}; give 1 ms to 8 hours, or leave it out"
            ),
            Self::SweepEvery(every) => {
                write!(f, "`sweep_every` is {every:?}; give 10 ms to 24 hours")
            }
        }
    }
}

impl Error for SqlConfigError {}
