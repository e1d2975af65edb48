//! The layer's behaviour over HTTP, through the public interface.

mod app;

mod all_routes;
mod binding;
mod config;
mod keys;
mod not_kept;
mod pass_through;
mod problems;
mod replay;
mod request_body;
mod scope;
mod wiring;
