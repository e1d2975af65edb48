//! SQLite as an engine of steps: what its codes mean. It knows no statement.

use sqlx::sqlite::{Sqlite, SqliteConnection};

use crate::failure::{Cause, Explained, Meaning};
use crate::steps::{Ask, Engine, Rows};

/// Primary result codes.
const ERROR: i32 = 1;
const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const READONLY: i32 = 8;
const IOERR: i32 = 10;
const CORRUPT: i32 = 11;
const FULL: i32 = 13;
const CANTOPEN: i32 = 14;
const NOTADB: i32 = 26;

impl Engine for Sqlite {
    fn fetch(connection: &mut SqliteConnection, ask: Ask<Self>) -> Rows<'_, Self> {
        Box::pin(ask.fetch_all(connection))
    }

    fn meaning(error: &sqlx::Error) -> Meaning {
        match code(error) {
            Some(BUSY | LOCKED) => Meaning::Again,
            // The file system did not tell whether the commit is on the disk.
            Some(IOERR) => Meaning::Broken,
            Some(_) => Meaning::Refused,
            None => match error {
                sqlx::Error::Encode(_) | sqlx::Error::Configuration(_) => Meaning::Refused,
                _ => Meaning::Broken,
            },
        }
    }

    fn explain(error: sqlx::Error) -> Cause {
        let is_missing = |error: &sqlx::Error| {
            let reply = error.as_database_error();
            reply.is_some_and(|reply| reply.message().starts_with("no such "))
        };
        let advice = match code(&error) {
            Some(ERROR) if is_missing(&error) => {
                "the table of the records is not there, or of another version: run `SqliteStore::migrate`, or the crate's SQL files"
            }
            Some(BUSY | LOCKED) => "another connection writes for longer than the store waits",
            Some(READONLY) => {
                "the file takes no writes: it, its folder or the connection is read-only"
            }
            Some(FULL) => "the disk is full",
            Some(CANTOPEN) => "the file cannot be opened: its folder must be there and writable",
            Some(CORRUPT | NOTADB) => "the file is damaged, or no database",
            _ => return error.into(),
        };
        Explained::cause(advice, error)
    }
}

/// The primary code, which is the low octet of an extended one.
fn code(error: &sqlx::Error) -> Option<i32> {
    let code = error.as_database_error()?.code()?;
    code.parse::<i32>().ok().map(|code| code & 0xff)
}
