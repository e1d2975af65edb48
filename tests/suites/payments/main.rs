//! The main example: its page in a browser, and what it prints without one.

mod demo;
mod looks;
mod page;
mod scenes;
