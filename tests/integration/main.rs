//! The layer's behaviour over HTTP, through the public interface.

mod app;

mod binding;
mod keys;
mod not_kept;
mod pass_through;
mod problems;
mod replay;
mod request_body;
mod scope;
