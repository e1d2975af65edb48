//! The layer on a Redis store, over HTTP: connections that break at every command, and servers in
//! every state in which they do not do as they are told.

#[path = "../http/counted.rs"]
mod counted;
mod site;

mod away;
mod check;
mod costs;
mod crowds;
mod cuts;
mod foreign;
mod forgotten;
mod leases;
mod notifications;
mod refusals;
mod sealed;
mod stalls;
mod unprotected;
mod waiting;
