//! The error of a handler that sends statements: whether it may be run anew, and what its client is told, which is nothing.

use std::error::Error as StdError;
use std::fmt;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use idempotency_actix::RunAgain;

/// The error of a handler in a transaction: of a statement, or the application's own.
///
/// A serialization failure or a deadlock (40001 and 40P01 of PostgreSQL, `SQLITE_BUSY`) is undone, and the handler runs
/// again. Any other error of a statement is a 500 without a word about its cause, which the log has; the transaction is
/// rolled back and nothing binds. An error of the application's own is answered as it says.
///
/// # Examples
///
/// ```
/// use actix_web::error::ErrorConflict;
/// use idempotency_actix_sqlx::SqlError;
/// use idempotency_actix_sqlx::sqlx;
///
/// fn check(balance: i64) -> Result<(), SqlError> {
///     match balance {
///         0.. => Ok(()),
///         _ => Err(SqlError::own(ErrorConflict("the account is empty"))),
///     }
/// }
///
/// # let failed: Result<(), sqlx::Error> = Err(sqlx::Error::RowNotFound);
/// // `?` makes one of an error of sqlx.
/// # || -> Result<(), SqlError> {
/// failed?;
/// check(0)
/// # };
/// ```
#[derive(Debug)]
pub struct SqlError(Kind);

#[derive(Debug)]
enum Kind {
    Sql(sqlx::Error),
    Own(actix_web::Error),
}

impl SqlError {
    /// An error of the application's own.
    pub fn own(error: impl Into<actix_web::Error>) -> Self {
        Self(Kind::Own(error.into()))
    }

    /// The error of sqlx, if it is one.
    pub fn sql(&self) -> Option<&sqlx::Error> {
        match &self.0 {
            Kind::Sql(error) => Some(error),
            Kind::Own(_) => None,
        }
    }

    /// Whether the statement was undone for another transaction's sake, so that the handler may go through if it is run
    /// again.
    pub fn is_to_run_again(&self) -> bool {
        let code = self.sql().and_then(sqlx::Error::as_database_error);
        match code.and_then(|error| error.code()).as_deref() {
            Some("40001" | "40P01") => true,
            // Of SQLite, whose extended codes have the primary one in their low octet.
            Some(code) if code.len() < 5 => {
                matches!(code.parse::<u32>().map(|code| code & 0xff), Ok(5 | 6))
            }
            _ => false,
        }
    }
}

impl From<sqlx::Error> for SqlError {
    fn from(error: sqlx::Error) -> Self {
        Self(Kind::Sql(error))
    }
}

impl From<actix_web::Error> for SqlError {
    fn from(error: actix_web::Error) -> Self {
        Self(Kind::Own(error))
    }
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Sql(_) => f.write_str("a statement failed"),
            Kind::Own(error) => error.fmt(f),
        }
    }
}

impl StdError for SqlError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.sql().map(|error| error as _)
    }
}

impl ResponseError for SqlError {
    fn status_code(&self) -> StatusCode {
        match &self.0 {
            Kind::Sql(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Kind::Own(error) => error.as_response_error().status_code(),
        }
    }

    fn error_response(&self) -> HttpResponse {
        let error = match &self.0 {
            Kind::Own(error) => return error.error_response(),
            Kind::Sql(error) => error,
        };
        let answer = HttpResponse::InternalServerError()
            .content_type("text/plain; charset=utf-8")
            .body("Internal Server Error");
        if self.is_to_run_again() {
            tracing::debug!(%error, "a statement was undone for another transaction's sake");
            return RunAgain::mark(answer);
        }
        // Its text may quote what a client sent.
        let code = error.as_database_error().and_then(|error| error.code());
        tracing::error!(
            code = code.as_deref().unwrap_or("none"),
            "a statement of a handler failed"
        );
        tracing::debug!(%error, "how it failed");
        answer
    }
}
