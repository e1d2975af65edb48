//! The texts of the statements, made once for a table. How they are sent is not known here.
//!
//! Each is one atomic step: SQLite has one writer at a time. The time is the machine's, and comes as a parameter.

use std::sync::Arc;

use crate::conditions::{GIVEN_UP, as_seen, claimable, completable, listed, over, own};
use crate::name::Names;
use crate::row::COLUMNS;
use crate::sweep::BATCH;

/// As a write from the start: one that turned into a write later could find that another one was first.
const BEGIN: &str = "BEGIN IMMEDIATE";

#[derive(Debug)]
pub(super) struct Statements {
    pub(super) begin: Arc<str>,
    pub(super) renew: Arc<str>,
    pub(super) complete: Arc<str>,
    pub(super) release: Arc<str>,
    pub(super) remember: Arc<str>,
    pub(super) look: Arc<str>,
    pub(super) open: Arc<str>,
    pub(super) open_plain: Arc<str>,
    pub(super) record: Arc<str>,
    pub(super) unknown: Arc<str>,
    pub(super) change: Arc<str>,
    pub(super) remove: Arc<str>,
    pub(super) sweep: Arc<str>,
    pub(super) postpone: Arc<str>,
    pub(super) health: Arc<str>,
}

impl Statements {
    pub(super) fn of(names: &Names) -> Self {
        let table = names.table();
        let look = format!("SELECT $2 + 0, {COLUMNS} FROM {table} WHERE id = $1");
        Self {
            begin: begin(&table).into(),
            renew: renew(&table).into(),
            complete: complete(&table).into(),
            release: release(&table).into(),
            remember: remember(&table).into(),
            open: format!("{BEGIN}; {look}").into(),
            open_plain: BEGIN.into(),
            record: format!("{}; COMMIT", record(&table)).into(),
            look: look.into(),
            unknown: unknown(&table).into(),
            change: change(&table).into(),
            remove: remove(&table).into(),
            sweep: sweep(&table).into(),
            postpone: postpone(&table).into(),
            health: format!("DELETE FROM {table} WHERE id = x''").into(),
        }
    }
}

/// By the index of claims. Of those in flight it passes over, which are as many as handlers run.
fn unknown(table: &str) -> String {
    let listed = listed("r", "$4");
    format!("SELECT $4 + 0, {COLUMNS}, id FROM {table} AS r WHERE {listed}")
}

fn begin(table: &str) -> String {
    let (free, own, over) = (
        claimable("r", "$2", "$7"),
        own("r", "$2", "$7"),
        over("r", "$7"),
    );
    format!(
        "INSERT INTO {table} AS r \
         (id, kind, token, generation, fingerprint, lease, retention, begun, seen, expires, \
          method, route, label) \
         VALUES ($1, 1, $2, $3, $4, $5, $6, $7, $7, $7 + $6, $8, $9, $10) \
         ON CONFLICT (id) DO UPDATE SET \
            kind = excluded.kind, token = excluded.token, answer = NULL, \
            method = excluded.method, route = excluded.route, label = excluded.label, \
            generation = CASE WHEN {own} THEN r.generation \
                WHEN {over} THEN excluded.generation \
                ELSE max(r.generation + 1, excluded.generation) END, \
            fingerprint = CASE WHEN {own} THEN r.fingerprint ELSE excluded.fingerprint END, \
            lease = CASE WHEN {own} THEN r.lease ELSE excluded.lease END, \
            retention = CASE WHEN {own} THEN r.retention ELSE excluded.retention END, \
            begun = CASE WHEN {own} THEN r.begun ELSE excluded.begun END, \
            seen = CASE WHEN {own} THEN max(r.seen + 1, excluded.seen) ELSE excluded.seen END, \
            expires = CASE WHEN {own} THEN r.expires ELSE excluded.expires END \
         WHERE {free} \
         RETURNING generation"
    )
}

/// Each sign of life is later than the last, whatever the clock does: attempts are told apart by it.
fn renew(table: &str) -> String {
    let own = own("r", "$2", "$3");
    format!(
        "UPDATE {table} AS r SET seen = max(r.seen + 1, $3) WHERE r.id = $1 AND {own} RETURNING 1"
    )
}

/// An answer as a new row.
fn record(table: &str) -> String {
    format!(
        "INSERT INTO {table} AS r \
         (id, kind, token, generation, fingerprint, begun, seen, expires, answer, \
          method, route, label) \
         VALUES ($1, $5, $2, $3, $4, $8, $8, $8 + $6, $7, $9, $10, $11)"
    )
}

/// A finished row keeps the lease of its claim, by which the answer to a lost claim is told.
fn complete(table: &str) -> String {
    let free = completable("r", "$2", "$3", "$4", "$8");
    let own = own("r", "$2", "$8");
    let record = record(table);
    format!(
        "{record} \
         ON CONFLICT (id) DO UPDATE SET \
            kind = excluded.kind, token = excluded.token, generation = excluded.generation, \
            fingerprint = excluded.fingerprint, retention = NULL, \
            lease = CASE WHEN {own} THEN r.lease END, \
            begun = CASE WHEN {own} THEN r.begun ELSE excluded.begun END, \
            seen = excluded.seen, expires = excluded.expires, answer = excluded.answer, \
            method = excluded.method, route = excluded.route, label = excluded.label \
         WHERE {free} \
         RETURNING lease IS NULL"
    )
}

/// Above generation 1, and where the claim is fenced, the generation is remembered instead. A claim's generation never
/// changes, so at most one of the two statements meets the row.
fn release(table: &str) -> String {
    let own = own("r", "$2", "$3");
    format!(
        "DELETE FROM {table} AS r WHERE r.id = $1 AND {own} AND r.generation = 1 AND NOT $4 RETURNING 1"
    )
}

fn remember(table: &str) -> String {
    let own = own("r", "$2", "$3");
    format!(
        "UPDATE {table} AS r SET kind = {GIVEN_UP}, token = zeroblob(16), lease = NULL, seen = $3, \
         expires = $3 + r.retention \
         WHERE r.id = $1 AND {own} AND (r.generation > 1 OR $4) RETURNING 1"
    )
}

fn change(table: &str) -> String {
    let as_seen = as_seen("r", "$17", "IS");
    format!(
        "UPDATE {table} AS r SET kind = $9, token = $10, generation = $11, \
         fingerprint = $12, lease = $13, retention = $14, seen = max(r.seen + 1, $17), \
         expires = $17 + $15, answer = $16 WHERE {as_seen} RETURNING 1"
    )
}

fn remove(table: &str) -> String {
    let as_seen = as_seen("r", "$9", "IS");
    format!("DELETE FROM {table} AS r WHERE {as_seen} RETURNING 1")
}

fn sweep(table: &str) -> String {
    let is_over = over("r", "$1");
    format!(
        "DELETE FROM {table} WHERE id IN (SELECT r.id FROM {table} AS r \
         WHERE r.expires <= $1 AND {is_over} ORDER BY r.expires LIMIT {BATCH}) RETURNING 1"
    )
}

/// A claim's place in the index is that of its begin. One that was renewed since is moved on, so that it is not met by
/// each sweep.
fn postpone(table: &str) -> String {
    let is_over = over("r", "$1");
    format!(
        "UPDATE {table} AS r SET expires = r.seen + max(r.retention, r.lease) \
         WHERE r.expires <= $1 AND r.kind = 1 AND NOT {is_over} RETURNING 1"
    )
}
