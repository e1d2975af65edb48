//! The stores of the crates pass the public suite, over whatever they run on.

mod memory;
mod postgres;
mod redis;
mod several;
mod sqlite;
