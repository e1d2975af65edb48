//! The SQL stores on real servers and files: what a step costs, what stands in the table, and what is answered in every
//! state in which the database does not do as it is told.

mod http;
mod postgres;
mod recipes;
mod records;
mod sqlite;
mod transactions;
