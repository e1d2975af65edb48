//! What servers and stores can be told against a loss.

use std::fmt;

use super::servers::Kind;

/// What can be configured against a loss.
#[derive(Clone, Copy, Debug)]
pub struct Configuration {
    name: &'static str,
    /// Lines of `redis.conf`.
    pub lines: &'static [(&'static str, &'static str)],
    /// How many replicas a write of the store waits for.
    pub wait_replicas: usize,
}

const DEFAULT: Configuration = Configuration {
    name: "default",
    lines: &[],
    wait_replicas: 0,
};

const MIN_REPLICAS: Configuration = Configuration {
    name: "`min-replicas-to-write 1`, `min-replicas-max-lag 2`",
    lines: &[
        ("min-replicas-to-write", "1"),
        ("min-replicas-max-lag", "2"),
    ],
    wait_replicas: 0,
};

const WAIT_1: Configuration = Configuration {
    name: "`wait_replicas(1)`",
    wait_replicas: 1,
    ..DEFAULT
};

const WAIT_2: Configuration = Configuration {
    name: "`wait_replicas(2)`",
    wait_replicas: 2,
    ..DEFAULT
};

impl Configuration {
    /// The ones to compare.
    pub fn of(kind: Kind) -> &'static [Self] {
        match kind {
            Kind::Sentinel => &[DEFAULT, MIN_REPLICAS, WAIT_1, WAIT_2],
            Kind::Cluster => &[DEFAULT, MIN_REPLICAS, WAIT_1],
            Kind::Server => &[
                Self {
                    name: "no persistence",
                    ..DEFAULT
                },
                Self {
                    name: "`appendfsync everysec`",
                    lines: &[("appendonly", "yes"), ("appendfsync", "everysec")],
                    ..DEFAULT
                },
                Self {
                    name: "`appendfsync always`",
                    lines: &[("appendonly", "yes"), ("appendfsync", "always")],
                    ..DEFAULT
                },
            ],
        }
    }
}

impl fmt::Display for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
