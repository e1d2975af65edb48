//! The layer on a Redis store, over HTTP: connections that break at every command, and servers in
//! every state in which they do not do as they are told.

// The application on a real server, behind a proxy.
mod site;

// What a request costs on the wire.
mod costs;

// The claim and its lease.
mod leases;

// Connections that break.
mod crowds;
mod cuts;

// Servers that are gone, slow, unwilling or not ours, and routes that run nevertheless.
mod away;
mod foreign;
mod refusals;
mod stalls;
mod too_long;
mod unprotected;

// Answers that are sealed.
mod sealed;

// Retries that wait.
mod notifications;
mod waiting;

// The operator: what is said of the server, and what is forgotten on it.
mod check;
mod forgotten;
