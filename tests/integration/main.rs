//! The layer's behaviour over HTTP, through the public interface.

mod app;

mod keys;
mod scope;
