//! The main example: its page in a browser, and what it prints without one.

mod clients;
mod demo;
mod looks;
mod page;
mod scenes;
mod service;
