//! The servers that something happens to.

use std::fmt;
use std::ops::RangeInclusive;

use idempotency_actix::store::{RecordId, RedisPool};
use idempotency_actix_tests::fresh_id;
use idempotency_actix_tests::redis::{RedisCluster, RedisServer, SentinelGroup};

use super::configuration::Configuration;

/// Sentinels look around as seldom as they do by default. The group that tests have hurries them.
const PACE: &[&str] = &[
    "SENTINEL",
    "DEBUG",
    "info-period",
    "10000",
    "ping-period",
    "1000",
    "ask-period",
    "1000",
    "publish-period",
    "2000",
];

/// The store's user in a group with sentinels, so that it keeps its rights when the default user, which
/// servers and sentinels talk to each other by, loses its own.
const USER: &str = "app";

/// The slots of the cluster's node that fails.
const SLOTS: RangeInclusive<u16> = 0..=5460;

/// Enough for each write of the load to have a connection of its own.
const CONNECTIONS: usize = 32;

#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Sentinel,
    Cluster,
    Server,
}

impl Kind {
    /// The id of a record that the primary that fails has.
    pub fn fresh_id(self) -> RecordId {
        let mut ids = std::iter::repeat_with(fresh_id);
        match self {
            Self::Cluster => ids.find(|id| SLOTS.contains(&slot(&id.to_string()))),
            Self::Sentinel | Self::Server => ids.next(),
        }
        .expect("no end")
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sentinel => "Sentinel",
            Self::Cluster => "Cluster",
            Self::Server => "one server",
        })
    }
}

/// Running servers; the first one of each kind is the primary that fails.
pub enum Servers {
    Sentinel(SentinelGroup),
    Cluster(RedisCluster),
    Server(RedisServer),
}

impl Servers {
    pub fn start(kind: Kind, configuration: &Configuration) -> Self {
        match kind {
            Kind::Sentinel => {
                let user = format!("{USER} on >{USER} ~* &* +@all");
                let lines = [configuration.lines, &[("user", &*user)]].concat();
                let group = SentinelGroup::start(&lines);
                for sentinel in group.sentinels() {
                    sentinel.command(PACE).text();
                }
                Self::Sentinel(group)
            }
            Kind::Cluster => Self::Cluster(RedisCluster::start(configuration.lines)),
            Kind::Server => Self::Server(RedisServer::start(configuration.lines)),
        }
    }

    pub fn pool(&self) -> RedisPool {
        match self {
            Self::Sentinel(group) => group.pool_of_user(CONNECTIONS, USER),
            Self::Cluster(cluster) => cluster.pool_of(CONNECTIONS),
            Self::Server(server) => server.pool_of(CONNECTIONS),
        }
    }
}

/// The slot of a hash tag: CRC-16/XMODEM of it, modulo the number of slots.
fn slot(tag: &str) -> u16 {
    let crc = tag.bytes().fold(0_u16, |crc, octet| {
        (0..8).fold(crc ^ (u16::from(octet) << 8), |crc, _| {
            (crc << 1) ^ if crc & 0x8000 == 0 { 0 } else { 0x1021 }
        })
    });
    crc % 16_384
}
