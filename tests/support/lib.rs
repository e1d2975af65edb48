//! What all suites stand on; it must not know any of them.
//!
//! - the wire: a real HTTP [server](serve), and a raw [client](Client) that sends exactly the bytes it
//!   is told and reads exactly the bytes that come;
//! - [`app`]: the application under test;
//! - [`incidents`] and [`log`]: what the layer tells its operator;
//! - [`redis`]: Redis servers, and a proxy that breaks their connections;
//! - [`postgres`]: PostgreSQL servers;
//! - [`trial`]: processes that die under load, and what every key must then show;
//! - [`Process`]: a program that no test leaves behind; [`Program`]: one whose lines a test reads;
//! - [`mod@browser`], which is Chromium without a window;
//! - [`fresh_id`] and [`fresh_claim`]: what a test asks a store for directly;
//! - [`until`] and [`eventually`]: how long a test waits where no signal can tell.

mod client;
mod http2;
mod patience;
mod port;
mod process;
mod program;
mod records;
mod request;
mod response;
mod server;
mod watchdog;

pub mod app;
pub mod browser;
pub mod incidents;
pub mod log;
pub mod postgres;
pub mod redis;
pub mod trial;

pub use client::Client;
pub use http2::Http2;
pub use patience::{PATIENCE, eventually, eventually_async, eventually_within, until};
pub use port::Port;
pub use process::Process;
pub use program::Program;
pub use records::{fresh_claim, fresh_id};
pub use request::Request;
pub use response::{Response, assert_first, assert_in_flight, assert_problem, assert_replay};
pub use server::{HalfClosed, Server, serve, serve_half_closed};
pub use watchdog::Watchdog;

/// The code of the README: it compiles, and what has no commands below it passes. What has is run by the suite `quick_start`.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
