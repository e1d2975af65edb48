//! The layer's behaviour over HTTP, through the public interface.

mod app;

mod keys;
mod pass_through;
mod replay;
mod request_body;
mod scope;
