//! Stores of [`idempotency_actix`] in the application's own database: PostgreSQL and SQLite.
//!
// Above the README, whose own definitions of these links lead to files: of two definitions the first one counts.
//! [sql.md]: idempotency_actix::guide::sql
//! [transactions.md]: idempotency_actix::guide::transactions
#![cfg_attr(
    all(feature = "postgres", feature = "sqlite"),
    doc = include_str!("../README.md")
)]
//!
//! # Features
//!
//! - `postgres`: [`PgStore`].
//! - `sqlite`: [`SqliteStore`]. SQLite's C library is compiled with it, and can be linked once only.
//! - `encryption`: answers are sealed by a [`Keyring`](idempotency_actix::store::Keyring).
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod background;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod conditions;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod connections;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod error;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod failure;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod name;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod nesting;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod new_row;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod options;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod records;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod report;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod row;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod sql_error;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod steps;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod sweep;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod values;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod verdict;

pub use sqlx;

#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub use self::error::SqlConfigError;
#[cfg(feature = "postgres")]
#[cfg_attr(docsrs, doc(cfg(feature = "postgres")))]
pub use self::postgres::{PgFinding, PgStore, PgStoreBuilder, PgTransaction, PgTx};
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub use self::report::{SqlFinding, SqlReport, SqlSeverity};
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub use self::sql_error::SqlError;
#[cfg(feature = "sqlite")]
#[cfg_attr(docsrs, doc(cfg(feature = "sqlite")))]
pub use self::sqlite::{
    SqliteFinding, SqliteStore, SqliteStoreBuilder, SqliteTransaction, SqliteTx,
};
