//! What happens to a primary, and how long it lasts.

use std::fmt;
use std::time::Duration;

use idempotency_actix_tests::redis::{RedisCluster, RedisServer, Reply, SentinelGroup};
use idempotency_actix_tests::until;

use super::servers::{Kind, Servers};

/// What happens to the primary.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// `SIGKILL`; started again some time after the failover.
    Killed,
    /// `SIGSTOP`; goes on some time after the failover, and takes itself for a primary.
    Frozen,
    /// An operator orders a failover from a primary that is well.
    Ordered,
    /// Clients reach it, and neither replicas nor sentinels do, until some time after the failover.
    CutOff,
    /// `SIGKILL`, and started again at once.
    Restarted,
}

impl Event {
    pub fn of(kind: Kind) -> &'static [Self] {
        match kind {
            Kind::Sentinel => &[Self::Killed, Self::Frozen, Self::Ordered, Self::CutOff],
            Kind::Cluster => &[Self::Killed, Self::Frozen, Self::Ordered],
            Kind::Server => &[Self::Restarted],
        }
    }

    /// Makes it happen, and returns when all servers are well again. In between, after the failover,
    /// the cause goes on for as long as `linger` takes.
    pub fn happen(self, servers: &Servers, linger: impl FnOnce()) {
        match servers {
            Servers::Sentinel(group) => self.happen_to_group(group, linger),
            Servers::Cluster(cluster) => self.happen_to_cluster(cluster, linger),
            Servers::Server(server) => {
                server.restart();
                linger();
            }
        }
    }

    fn happen_to_group(self, group: &SentinelGroup, linger: impl FnOnce()) {
        let old = group.primary();
        self.begin(old, || {
            // A replica counts as fit once its sentinel has heard of it again.
            let order = ["SENTINEL", "FAILOVER", group.service()];
            let obeys = || group.sentinels()[0].command(&order) == Reply::Simple("OK".to_owned());
            let obeyed = until(Duration::from_secs(20), || obeys().then_some(()));
            obeyed.expect("a replica that is fit");
        });
        group.wait_for_failover(old);
        linger();
        self.end(old);
    }

    fn happen_to_cluster(self, cluster: &RedisCluster, linger: impl FnOnce()) {
        let (old, replica) = (&cluster.nodes()[0], &cluster.nodes()[3]);
        self.begin(old, || {
            replica.command(&["CLUSTER", "FAILOVER"]).text();
        });
        cluster.wait_for_promotion(KEY, old);
        linger();
        self.end(old);
        cluster.wait_until_whole();
    }

    fn begin(self, primary: &RedisServer, order: impl FnOnce()) {
        match self {
            Self::Killed | Self::Restarted => primary.kill(),
            Self::Frozen => primary.freeze(),
            Self::Ordered => order(),
            Self::CutOff => {
                let rights = [&["ACL", "SETUSER", "default"], BETWEEN_SERVERS].concat();
                primary.command(&rights).text();
                for kind in ["replica", "pubsub"] {
                    primary.command(&["CLIENT", "KILL", "TYPE", kind]).int();
                }
            }
        }
    }

    /// Ends the cause, and waits until the old primary has become a replica.
    fn end(self, old: &RedisServer) {
        match self {
            Self::Killed | Self::Restarted => old.restart(),
            Self::Frozen => old.thaw(),
            Self::Ordered => {}
            Self::CutOff => {
                let rights = ["ACL", "SETUSER", "default", "+@all"];
                old.command(&rights).text();
            }
        }
        until(Duration::from_secs(60), || {
            let is_linked = old.info("master_link_status").is_some_and(|s| s == "up");
            is_linked.then_some(())
        })
        .expect("an old primary that becomes a replica within a minute");
    }
}

/// A key of the cluster's first node, in slot 5061.
const KEY: &str = "bar";

/// What replicas and sentinels need, taken away; `INFO` alone lets no sentinel call a server well.
const BETWEEN_SERVERS: &[&str] = &[
    "-psync",
    "-sync",
    "-replconf",
    "-ping",
    "-publish",
    "-subscribe",
    "-multi",
    "-replicaof",
    "-slaveof",
];

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Killed => "killed",
            Self::Frozen => "frozen, thawed",
            Self::Ordered => "failover by hand",
            Self::CutOff => "cut off from its replicas",
            Self::Restarted => "killed, restarted",
        })
    }
}
