//! Stores of [`idempotency_actix`] in the application's own database: PostgreSQL and SQLite.
//!
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

mod background;
mod conditions;
mod connections;
mod error;
mod failure;
mod name;
mod options;
#[cfg(feature = "postgres")]
mod postgres;
mod records;
mod report;
mod row;
#[cfg(feature = "sqlite")]
mod sqlite;
mod steps;
mod sweep;
mod verdict;

pub use sqlx;

pub use self::error::SqlConfigError;
#[cfg(feature = "postgres")]
#[cfg_attr(docsrs, doc(cfg(feature = "postgres")))]
pub use self::postgres::{PgFinding, PgStore, PgStoreBuilder};
pub use self::report::{SqlFinding, SqlReport, SqlSeverity};
#[cfg(feature = "sqlite")]
#[cfg_attr(docsrs, doc(cfg(feature = "sqlite")))]
pub use self::sqlite::{SqliteFinding, SqliteStore, SqliteStoreBuilder};
