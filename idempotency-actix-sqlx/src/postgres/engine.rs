//! PostgreSQL as an engine of steps: what its codes mean. It knows no statement.

use sqlx::postgres::{PgConnection, PgDatabaseError, PgSeverity, Postgres};

use crate::failure::{Cause, Explained, Meaning};
use crate::steps::{Ask, Engine, Rows};

impl Engine for Postgres {
    fn fetch(connection: &mut PgConnection, ask: Ask<Self>) -> Rows<'_, Self> {
        Box::pin(ask.fetch_all(connection))
    }

    fn meaning(error: &sqlx::Error) -> Meaning {
        let Some(reply) = reply(error) else {
            return match error {
                // What was never sent.
                sqlx::Error::Encode(_) | sqlx::Error::Configuration(_) => Meaning::Refused,
                _ => Meaning::Broken,
            };
        };
        let is_over = matches!(reply.severity(), PgSeverity::Fatal | PgSeverity::Panic);
        match reply.code() {
            // Undone as a whole: serialization failure, deadlock.
            "40001" | "40P01" => Meaning::Again,
            // A statement that was prepared for a table or a server that is another one now; not carried out.
            "26000" | "0A000" if !is_over => Meaning::Broken,
            // The server ends, or does not know whether it committed.
            "40003" => Meaning::Broken,
            code if is_over || code.starts_with("08") || code.starts_with("57P") => Meaning::Broken,
            _ => Meaning::Refused,
        }
    }

    fn explain(error: sqlx::Error) -> Cause {
        let advice = match reply(&error).map(PgDatabaseError::code) {
            Some("42P01" | "3F000" | "42703") => {
                "the table of the records is not there, or of another version: run `PgStore::migrate`, or the crate's SQL files"
            }
            Some("42501") => {
                "the role may not do this: it needs SELECT, INSERT, UPDATE and DELETE on the table"
            }
            Some("25006") => {
                "the server takes no writes: it is a standby, or its transactions are read-only by default"
            }
            Some("53100") => "the server's disk is full",
            Some("53300") => {
                "the server has no connection left: lower `connections`, or raise its `max_connections`"
            }
            Some("55P03") => "somebody else holds a lock on the record or the table",
            Some("57014") => "the server cancelled the statement: see its `statement_timeout`",
            Some("40001" | "40P01") => "the statement met others again and again, and was undone",
            _ => return error.into(),
        };
        Explained::cause(advice, error)
    }
}

fn reply(error: &sqlx::Error) -> Option<&PgDatabaseError> {
    error.as_database_error()?.try_downcast_ref()
}
