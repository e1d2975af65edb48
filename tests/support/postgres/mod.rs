//! What the tests of a PostgreSQL store share: real servers, each a process of its own on a free loopback port, with a
//! data folder of its own. PostgreSQL refuses to run as root, so there it runs as its own user.

mod binary;
mod bouncer;
mod server;
mod wire;

pub use bouncer::PgBouncer;
pub use server::PgServer;
pub use wire::{COMMIT, Cut, Wire};
