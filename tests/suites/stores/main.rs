//! The stores of the crate pass the public suite, over whatever they run on.

mod memory;
mod redis;
