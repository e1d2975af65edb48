//! Ports that servers and proxies do not take from each other.

use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// Distance of a cluster node's bus port from its port.
const BUS: u16 = 10_000;

/// A port that no other test takes, even while nothing listens on it.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _claim: TcpListener,
}

impl Port {
    /// Below the ports that systems give to outgoing connections, with a free bus port.
    pub fn reserve() -> Self {
        (0..1_000)
            .find_map(|attempt| {
                let random = RandomState::new().hash_one(attempt) % 5_000;
                let number = 10_000 + 2 * u16::try_from(random).expect("below 5000");
                // Only even ports are given away, so holding the odd one above claims the pair.
                let claim = listen(number + 1).ok()?;
                listen(number).ok()?;
                listen(number + BUS).ok()?;
                Some(Self {
                    number,
                    _claim: claim,
                })
            })
            .expect("a free port between 10000 and 20000")
    }

    pub fn number(&self) -> u16 {
        self.number
    }

    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.number).into()
    }
}

fn listen(port: u16) -> std::io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
}
