//! What the tests of a Redis store share: real servers, and a proxy that breaks their connections.
//!
//! Every server is a process of its own on a free loopback port, in a folder of its own. It ends
//! with the value that started it, and with the test process if that is killed. So a `shared`
//! server may live in a static: all tests of one process have it, and nobody needs to end it.

mod binary;
mod cluster;
mod connection;
mod pool;
mod proxy;
mod reply;
mod sentinel;
mod server;

pub use cluster::RedisCluster;
pub use connection::Connection;
pub use pool::pool;
pub use proxy::{Harm, Proxy, Rule, Traffic};
pub use reply::Reply;
pub use sentinel::SentinelGroup;
pub use server::RedisServer;
