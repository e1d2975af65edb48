//! What a benchmark needs: a server that knows its own CPU time, and a client that costs less than it.

mod client;
mod server;
mod spread;

pub use self::client::{Client, Key, Slice};
pub use self::server::serve;
pub use self::spread::Spread;
