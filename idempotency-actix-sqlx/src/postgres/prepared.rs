//! The statements of a transaction that the server keeps: it reads and plans them once for a connection, which is most of what
//! they cost it. A message of several statements takes no values, so they are prepared and executed by SQL. When that is done is
//! not known here.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use idempotency_actix::store::RecordId;

use super::mark::{MARK, own};
use super::statements::{self, new_row, octets, values};
use crate::name::Names;
use crate::new_row::NewRow;

/// The statements of one table.
#[derive(Debug)]
pub(super) struct Prepared {
    names: Names,
    table: String,
    /// What their names begin with. They are named after their texts, so that of one name there is one text, whoever made it:
    /// behind a pooler it may be another process.
    prefix: String,
    all: String,
    /// Reads a row that was seen, by a query of its own.
    read: Arc<str>,
    are_kept: AtomicBool,
}

impl Prepared {
    pub(super) fn of(names: Names) -> Self {
        let table = names.table();
        let row = ["$2", "$3", "$4", "$5", "$6", "$7", "$8", "$9", "$10", "$11"];
        let texts = [
            ("begin(text, text)", lock("$1", "$2")),
            ("look(bytea)", look(&table, "$1")),
            (
                "record(text, bytea, integer, bytea, bigint, bytea, bigint, bytea, text, text, text)",
                new_row(&table, "$1", row),
            ),
            ("own(text)", own("$1")),
        ];
        let mut hasher = DefaultHasher::new();
        texts.hash(&mut hasher);
        let prefix = format!("idempotency_{:016x}_", hasher.finish());
        let prepare = |(head, text): (&str, String)| format!("; PREPARE {prefix}{head} AS {text}");
        let all = texts.map(prepare).concat();
        Self {
            names,
            read: statements::look(&table).into(),
            table,
            prefix,
            all,
            are_kept: AtomicBool::new(true),
        }
    }

    pub(super) fn names(&self) -> &Names {
        &self.names
    }

    pub(super) fn table(&self) -> &str {
        &self.table
    }

    pub(super) fn read(&self) -> Arc<str> {
        Arc::clone(&self.read)
    }

    /// Whether what a connection prepares is there later, as far as is known: a pooler may give each transaction another of
    /// the server's processes, and a handler may tell the server to forget.
    pub(super) fn are_kept(&self) -> bool {
        self.are_kept.load(Ordering::Relaxed)
    }

    /// Has the store do without them from now on.
    pub(super) fn give_up(&self) {
        self.are_kept.store(false, Ordering::Relaxed);
    }

    /// Prepares them, after a transaction that is rolled back.
    pub(super) fn all(&self) -> String {
        format!("ROLLBACK{}", self.all)
    }

    /// Tries for the operation's lock, and looks for its record in the next statement.
    pub(super) fn begin(&self, id: &RecordId, idle: u128) -> String {
        let Self { table, prefix, .. } = self;
        format!(
            "EXECUTE {prefix}begin('{idle}', {}); EXECUTE {prefix}look({})",
            lock_name(table, id),
            octets(id.as_bytes())
        )
    }

    /// Records an answer as a new row. Fails where it is another transaction than the one that has this mark.
    pub(super) fn record(&self, mark: &str, id: &RecordId, row: &NewRow) -> String {
        let values = values(id, row).join(", ");
        format!("EXECUTE {}record('{mark}', {values})", self.prefix)
    }

    /// The same as [`own`], planned before.
    pub(super) fn own(&self, mark: &str) -> String {
        format!("EXECUTE {}own('{mark}')", self.prefix)
    }
}

/// The same as [`Prepared::begin`], read and planned anew.
pub(super) fn begin(table: &str, id: &RecordId, idle: u128) -> String {
    let lock = lock(&format!("'{idle}'"), &lock_name(table, id));
    format!("{lock}; {}", look(table, &octets(id.as_bytes())))
}

/// What of a transaction is set and asked first, whatever it is for.
fn first(idle: &str) -> String {
    format!("SELECT set_config('idle_in_transaction_session_timeout', {idle}, true), {MARK}")
}

/// Begins a transaction for no operation.
pub(super) fn begin_plain(idle: u128) -> String {
    first(&format!("'{idle}'"))
}

/// With the table's name in it, since a lock is one of the whole database.
fn lock_name(table: &str, id: &RecordId) -> String {
    format!("'{}:{id}'", table.replace('\'', "''"))
}

/// Tries for an operation's lock. Where two operations share one, a request is told to come again that need not have been.
fn lock(idle: &str, name: &str) -> String {
    format!(
        "{}, pg_try_advisory_xact_lock(hashtextextended({name}, 0)), \
         current_setting('transaction_isolation') LIKE 'read%'",
        first(idle)
    )
}

fn look(table: &str, id: &str) -> String {
    format!("SELECT 1 FROM {table} WHERE id = {id}")
}

/// Whether the server's process knows nothing of what was prepared.
pub(super) fn is_unprepared(error: &sqlx::Error) -> bool {
    code(error).as_deref() == Some("26000")
}

pub(super) fn is_prepared_already(error: &sqlx::Error) -> bool {
    code(error).as_deref() == Some("42P05")
}

fn code(error: &sqlx::Error) -> Option<Cow<'_, str>> {
    error.as_database_error()?.code()
}
