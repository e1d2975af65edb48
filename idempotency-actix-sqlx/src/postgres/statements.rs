//! The texts of the statements, made once for a table. How they are sent is not known here.
//!
//! Each is one atomic step under every isolation level. `now` is the server's clock at the start of the statement: if a
//! row had to be waited for meanwhile, a lease is taken for younger than it is, and never for older.

use std::sync::Arc;

use idempotency_actix::store::RecordId;

use super::mark::if_own;
use crate::conditions::{GIVEN_UP, as_seen, claimable, completable, listed, over, own};
use crate::name::Names;
use crate::new_row::NewRow;
use crate::row::COLUMNS;
use crate::sweep::BATCH;

#[derive(Debug)]
pub(super) struct Statements {
    pub(super) begin: Arc<str>,
    pub(super) renew: Arc<str>,
    pub(super) complete: Arc<str>,
    pub(super) release: Arc<str>,
    pub(super) look: Arc<str>,
    pub(super) unknown: Arc<str>,
    pub(super) change: Arc<str>,
    pub(super) remove: Arc<str>,
    pub(super) sweep: Arc<str>,
    pub(super) health: Arc<str>,
}

/// The server's clock.
macro_rules! us {
    () => {
        "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
    };
}

const US: &str = us!();

/// Read in a query of its own, so that all of a statement goes by one time.
const NOW: &str = concat!("now AS MATERIALIZED (SELECT ", us!(), " AS us)");

/// Columns that a row lacks which was written and not read.
const NOTHING: &str = "NULL::integer, NULL::bytea, NULL::bigint, NULL::bytea, NULL::bigint, \
    NULL::bigint, NULL::bigint, NULL::bigint, NULL::bytea, NULL::bigint, \
    NULL::text, NULL::text, NULL::text";

impl Statements {
    pub(super) fn of(names: &Names) -> Self {
        let table = names.table();
        Self {
            begin: begin(&table).into(),
            renew: renew(&table).into(),
            complete: complete(&table).into(),
            release: release(&table).into(),
            look: look(&table).into(),
            unknown: unknown(&table).into(),
            change: change(&table).into(),
            remove: remove(&table).into(),
            sweep: sweep(&table).into(),
            health: health(&table).into(),
        }
    }
}

/// The claim and the look-up in one. What is in the way is found by a read before anything is written, since a row that
/// an `INSERT` runs into is locked, which is a write.
fn begin(table: &str) -> String {
    let is_found_free = claimable("f", "$2", "(SELECT us FROM now)");
    let (free, own, over) = (
        claimable("r", "$2", "EXCLUDED.seen"),
        own("r", "$2", "EXCLUDED.seen"),
        over("r", "EXCLUDED.seen"),
    );
    format!(
        "WITH {NOW}, \
         found AS MATERIALIZED (SELECT {COLUMNS} FROM {table} WHERE id = $1), \
         made AS (\
            INSERT INTO {table} AS r \
            (id, kind, token, generation, fingerprint, lease, retention, begun, seen, expires, \
             method, route, label) \
            SELECT $1, 1, $2, $3, $4, $5, $6, us, us, us + $6, $7, $8, $9 FROM now \
            WHERE NOT EXISTS (SELECT FROM found f WHERE NOT {is_found_free}) \
            ON CONFLICT (id) DO UPDATE SET \
                kind = EXCLUDED.kind, token = EXCLUDED.token, answer = NULL, \
                method = EXCLUDED.method, route = EXCLUDED.route, label = EXCLUDED.label, \
                generation = CASE WHEN {own} THEN r.generation \
                    WHEN {over} THEN EXCLUDED.generation \
                    ELSE GREATEST(r.generation + 1, EXCLUDED.generation) END, \
                fingerprint = CASE WHEN {own} THEN r.fingerprint ELSE EXCLUDED.fingerprint END, \
                lease = CASE WHEN {own} THEN r.lease ELSE EXCLUDED.lease END, \
                retention = CASE WHEN {own} THEN r.retention ELSE EXCLUDED.retention END, \
                begun = CASE WHEN {own} THEN r.begun ELSE EXCLUDED.begun END, \
                seen = CASE WHEN {own} THEN GREATEST(r.seen + 1, EXCLUDED.seen) ELSE EXCLUDED.seen END, \
                expires = CASE WHEN {own} THEN r.expires ELSE EXCLUDED.expires END \
            WHERE {free} \
            RETURNING r.generation) \
         SELECT m.generation AS made, us, {NOTHING} FROM made m, now \
         UNION ALL SELECT NULL, us, {COLUMNS} FROM found, now WHERE NOT EXISTS (SELECT FROM made)"
    )
}

/// Each sign of life is later than the last, whatever the clock does: attempts are told apart by it.
fn renew(table: &str) -> String {
    let own = own("r", "$2", "now.us");
    format!(
        "WITH {NOW} UPDATE {table} AS r SET seen = GREATEST(r.seen + 1, now.us) FROM now \
         WHERE r.id = $1 AND {own} RETURNING 1"
    )
}

/// A finished row keeps the lease of its claim, by which the answer to a lost claim is told.
fn complete(table: &str) -> String {
    let can = |row, now| completable(row, "$2", "$3", "$4", now);
    let (is_found_free, free) = (can("f", "(SELECT us FROM now)"), can("r", "EXCLUDED.seen"));
    let own = own("r", "$2", "EXCLUDED.seen");
    format!(
        "WITH {NOW}, \
         found AS MATERIALIZED (SELECT {COLUMNS} FROM {table} WHERE id = $1), \
         made AS (\
            INSERT INTO {table} AS r \
            (id, kind, token, generation, fingerprint, begun, seen, expires, answer, \
             method, route, label) \
            SELECT $1, $5, $2, $3, $4, us, us, us + $6, $7, $8, $9, $10 FROM now \
            WHERE NOT EXISTS (SELECT FROM found f WHERE NOT {is_found_free}) \
            ON CONFLICT (id) DO UPDATE SET \
                kind = EXCLUDED.kind, token = EXCLUDED.token, generation = EXCLUDED.generation, \
                fingerprint = EXCLUDED.fingerprint, retention = NULL, \
                lease = CASE WHEN {own} THEN r.lease END, \
                begun = CASE WHEN {own} THEN r.begun ELSE EXCLUDED.begun END, \
                seen = EXCLUDED.seen, expires = EXCLUDED.expires, answer = EXCLUDED.answer, \
                method = EXCLUDED.method, route = EXCLUDED.route, label = EXCLUDED.label \
            WHERE {free} \
            RETURNING r.lease IS NULL AS was_absent) \
         SELECT m.was_absent AS made, us, {NOTHING} FROM made m, now \
         UNION ALL SELECT NULL, us, {COLUMNS} FROM found, now WHERE NOT EXISTS (SELECT FROM made)"
    )
}

/// Above generation 1, and where the claim is fenced, the generation is remembered. A claim's generation never changes,
/// so at most one of the two meets the row.
fn release(table: &str) -> String {
    let own = own("r", "$2", "now.us");
    format!(
        "WITH {NOW}, \
         gone AS (DELETE FROM {table} AS r USING now \
            WHERE r.id = $1 AND {own} AND r.generation = 1 AND NOT $3 RETURNING 1), \
         kept AS (UPDATE {table} AS r SET kind = {GIVEN_UP}, token = $4, lease = NULL, seen = now.us, \
            expires = now.us + r.retention FROM now \
            WHERE r.id = $1 AND {own} AND (r.generation > 1 OR $3) RETURNING 1) \
         SELECT 1 FROM gone UNION ALL SELECT 1 FROM kept"
    )
}

/// Asked for each request: without a query for its one time, it takes the server less.
pub(super) fn look(table: &str) -> String {
    format!("SELECT {US}, {COLUMNS} FROM {table} WHERE id = $1")
}

/// By the index of claims. Of those in flight it passes over, which are as many as handlers run.
fn unknown(table: &str) -> String {
    let listed = listed("r", "(SELECT us FROM now)");
    format!(
        "WITH {NOW} SELECT (SELECT us FROM now), {COLUMNS}, id FROM {table} AS r WHERE {listed}"
    )
}

/// An answer as a new row, in the transaction that has this mark and no other. Its values stand in the text, as a message of
/// several statements takes no others.
pub(super) fn record_new(table: &str, mark: &str, id: &RecordId, row: &NewRow) -> String {
    let values = values(id, row);
    new_row(table, mark, values.each_ref().map(String::as_str))
}

/// The same of any values: id, kind, token, generation, fingerprint, how long it is kept, answer, method, route and label.
pub(super) fn new_row(table: &str, mark: &str, values: [&str; 10]) -> String {
    let kind = if_own(mark, values[1]);
    let mut values: [&str; 10] = values;
    values[1] = &kind;
    let columns = columns(values);
    format!(
        "INSERT INTO {table} \
         (id, kind, token, generation, fingerprint, begun, seen, expires, answer, method, route, label) \
         SELECT {columns} FROM (SELECT {US} AS us) AS now"
    )
}

/// An answer over another row, if that may be, for a query over what was made. It takes several times as long to plan.
pub(super) fn record_over(table: &str, id: &RecordId, row: &NewRow) -> String {
    let values = values(id, row);
    let columns = columns(values.each_ref().map(String::as_str));
    let free = completable(
        "r",
        "EXCLUDED.token",
        "EXCLUDED.generation",
        "EXCLUDED.fingerprint",
        "EXCLUDED.seen",
    );
    format!(
        "WITH {NOW}, made AS (\
            INSERT INTO {table} AS r \
            (id, kind, token, generation, fingerprint, begun, seen, expires, answer, \
             method, route, label) \
            SELECT {columns} FROM now \
            ON CONFLICT (id) DO UPDATE SET \
                kind = EXCLUDED.kind, token = EXCLUDED.token, generation = EXCLUDED.generation, \
                fingerprint = EXCLUDED.fingerprint, retention = NULL, lease = NULL, begun = EXCLUDED.begun, \
                seen = EXCLUDED.seen, expires = EXCLUDED.expires, answer = EXCLUDED.answer, \
                method = EXCLUDED.method, route = EXCLUDED.route, label = EXCLUDED.label \
            WHERE {free} \
            RETURNING 1)"
    )
}

/// Octets as a constant, which the server reads with the text: a function would be found and called. What a backslash is in a
/// plain constant is up to its configuration.
pub(super) fn octets(octets: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(octets.len() * 2 + 6);
    text.push_str("E'\\\\x");
    for octet in octets {
        text.push(DIGITS[usize::from(octet >> 4)].into());
        text.push(DIGITS[usize::from(octet & 15)].into());
    }
    text.push('\'');
    text
}

/// A text, as a constant where nothing in it could end one.
fn text(text: &str) -> String {
    let is_plain = |octet: u8| matches!(octet, b' '..=b'~') && !matches!(octet, b'\'' | b'\\');
    match text.bytes().all(is_plain) {
        true => format!("'{text}'"),
        false => format!("convert_from({}, 'UTF8')", octets(text.as_bytes())),
    }
}

/// The values of a new row, as constants without a type: they are read as what they are for, where a number would be read
/// as one and then made another.
pub(super) fn values(id: &RecordId, row: &NewRow) -> [String; 10] {
    let text = |value: Option<&str>| value.map_or_else(|| "NULL".to_owned(), text);
    [
        octets(id.as_bytes()),
        format!("'{}'", row.kind),
        octets(&row.token),
        format!("'{}'", row.generation),
        octets(&row.fingerprint),
        format!("'{}'", row.kept),
        octets(row.answer.as_deref().unwrap_or_default()),
        text(row.method()),
        text(row.route()),
        text(row.label()),
    ]
}

/// The columns that they make, with the time of the statement.
fn columns(values: [&str; 10]) -> String {
    let [
        id,
        kind,
        token,
        generation,
        fingerprint,
        kept,
        answer,
        method,
        route,
        label,
    ] = values;
    format!(
        "{id}, {kind}, {token}, {generation}, {fingerprint}, us, us, us + {kept}, {answer}, \
         {method}, {route}, {label}"
    )
}

fn change(table: &str) -> String {
    let as_seen = as_seen("r", "now.us", "IS NOT DISTINCT FROM");
    format!(
        "WITH {NOW} UPDATE {table} AS r SET kind = $9, token = $10, generation = $11, \
         fingerprint = $12, lease = $13, retention = $14, seen = GREATEST(r.seen + 1, now.us), \
         expires = now.us + $15, answer = $16 FROM now WHERE {as_seen} RETURNING 1"
    )
}

fn remove(table: &str) -> String {
    let as_seen = as_seen("r", "now.us", "IS NOT DISTINCT FROM");
    format!("WITH {NOW} DELETE FROM {table} AS r USING now WHERE {as_seen} RETURNING 1")
}

/// A claim's place in the index is that of its begin. One that was renewed since is moved on, so that it is not met
/// by each sweep. The time is a value of its own for the plan, by which the index ends where nothing more is due; joined,
/// it would be compared with every row that there is.
fn sweep(table: &str) -> String {
    let now = "(SELECT us FROM now)";
    let is_over = over("r", now);
    format!(
        "WITH {NOW}, \
         due AS MATERIALIZED (SELECT r.id, {is_over} AS is_over FROM {table} AS r \
            WHERE r.expires <= {now} AND r.kind BETWEEN 1 AND 4 \
            ORDER BY r.expires LIMIT {BATCH} FOR UPDATE SKIP LOCKED), \
         gone AS (DELETE FROM {table} AS r USING due WHERE r.id = due.id AND due.is_over RETURNING 1), \
         moved AS (UPDATE {table} AS r SET expires = r.seen + GREATEST(r.retention, r.lease) FROM due \
            WHERE r.id = due.id AND NOT due.is_over AND r.kind = 1 RETURNING 1) \
         SELECT (SELECT count(*) FROM gone) + (SELECT count(*) FROM moved), (SELECT count(*) FROM gone)"
    )
}

/// Refused where a claim would be, and writes nothing.
fn health(table: &str) -> String {
    format!("DELETE FROM {table} WHERE id = ''::bytea")
}
