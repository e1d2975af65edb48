//! Handlers that take a transaction: what each answer makes of it, on either database.

#[macro_use]
mod bank;
mod deaths;
mod outcomes;
mod postgres;
mod second_connections;
mod sqlite;
mod wrong_places;
