//! The layer beside the crates that applications put around it and into their handlers, each the real one. The table in
//! the guide is made of what is said of each here.

mod modes;
mod table;

// Who calls.
mod httpauth;
mod identity;
mod sessions;

// What stands around an application.
mod cors;
mod error_handlers;
mod governor;
mod logger;
mod normalize_path;

// What handlers take.
mod graphql;
mod multipart;
mod validation;

// What they answer.
mod event_streams;
mod files;
mod web_sockets;
