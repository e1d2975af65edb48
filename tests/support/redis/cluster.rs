//! A cluster, and how it gets over the death of a primary.

use std::sync::OnceLock;
use std::time::Duration;

use super::binary::Product;
use super::reply::Reply;
use super::server::RedisServer;
use crate::patience::until;

const PRIMARIES: usize = 3;
const NODES: usize = 2 * PRIMARIES;

/// A replica stays with its primary, so that killing one changes one pair.
const CONFIG: &[(&str, &str)] = &[
    ("cluster-enabled", "yes"),
    ("cluster-node-timeout", "1500"),
    ("cluster-announce-ip", "127.0.0.1"),
    ("cluster-allow-replica-migration", "no"),
    ("repl-ping-replica-period", "1"),
];

/// Three primaries with a replica each, ended when dropped.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<RedisServer>,
}

impl RedisCluster {
    /// Starts it with these lines of `redis.conf` added, and waits until it is whole.
    pub fn start(config: &[(&str, &str)]) -> Self {
        Self::start_product(Product::Redis, config)
    }

    /// Starts it on Valkey.
    pub fn start_valkey(config: &[(&str, &str)]) -> Self {
        Self::start_product(Product::Valkey, config)
    }

    /// The Redis cluster that all tests of this process share.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<RedisCluster> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&[]))
    }

    fn start_product(product: Product, config: &[(&str, &str)]) -> Self {
        let config = [CONFIG, config].concat();
        let start = || RedisServer::start_product(product, &config);
        let nodes = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..NODES).map(|_| scope.spawn(start)).collect();
            let nodes = starts.into_iter().map(|start| start.join());
            nodes.map(|node| node.expect("a node")).collect()
        });
        let cluster = Self { nodes };
        cluster.form();
        cluster
    }

    /// All nodes; the first three began as primaries.
    pub fn nodes(&self) -> &[RedisServer] {
        &self.nodes
    }

    /// Where all nodes listen, as clients want it.
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(RedisServer::url).collect()
    }

    /// The node that has the key, once all running nodes agree on one that runs.
    ///
    /// # Panics
    ///
    /// If they don't within 60 s.
    pub fn primary_of(&self, key: &str) -> &RedisServer {
        self.wait("one primary of the key", || {
            let mut views = self.up().map(|node| primary_seen_by(node, key));
            let port = views.next()??;
            let agreed = views.all(|view| view == Some(port));
            self.up().find(|node| agreed && node.port() == port)
        })
    }

    /// Ends the node that has the key by `SIGKILL`, and says which it was.
    pub fn kill_primary_of(&self, key: &str) -> &RedisServer {
        let primary = self.primary_of(key);
        primary.kill();
        primary
    }

    /// Waits until a node other than this one has the key, and all running nodes serve again.
    ///
    /// # Panics
    ///
    /// If that does not happen within 60 s.
    pub fn wait_for_promotion(&self, key: &str, old: &RedisServer) -> &RedisServer {
        self.wait("a promotion", || {
            let new = self.primary_of(key);
            (new.port() != old.port() && self.all_serve()).then_some(new)
        })
    }

    /// Waits until every node runs, serves and is linked to its primary.
    ///
    /// # Panics
    ///
    /// If that does not happen within 60 s.
    pub fn wait_until_whole(&self) {
        self.wait("a whole cluster", || {
            let all = self.up().count() == NODES && self.all_serve();
            (all && self.nodes.iter().all(is_linked)).then_some(())
        });
    }

    fn form(&self) {
        for (epoch, node) in (1..).zip(&self.nodes) {
            node.command(&["CLUSTER", "SET-CONFIG-EPOCH", &format!("{epoch}")])
                .text();
        }
        let slots = [("0", "5460"), ("5461", "10922"), ("10923", "16383")];
        for (node, (first, last)) in self.nodes.iter().zip(slots) {
            node.command(&["CLUSTER", "ADDSLOTSRANGE", first, last])
                .text();
        }
        // Every pair meets, rather than waiting for gossip.
        for (met, node) in self.nodes.iter().enumerate() {
            for other in &self.nodes[..met] {
                let port = other.port().to_string();
                node.command(&["CLUSTER", "MEET", "127.0.0.1", &port])
                    .text();
            }
        }
        self.wait("nodes that know each other", || {
            let known = |node| {
                let seen = view(node);
                seen.len() == NODES && !seen.iter().any(|seen| seen.flag("handshake"))
            };
            self.nodes.iter().all(known).then_some(())
        });
        for (primary, replica) in self.nodes.iter().zip(&self.nodes[PRIMARIES..]) {
            let id = primary.command(&["CLUSTER", "MYID"]).text();
            replica.command(&["CLUSTER", "REPLICATE", &id]).text();
        }
        self.wait_until_whole();
    }

    fn up(&self) -> impl Iterator<Item = &RedisServer> {
        self.nodes.iter().filter(|node| node.is_up())
    }

    fn all_serve(&self) -> bool {
        self.up().all(|node| {
            let info = node.try_command(&["CLUSTER", "INFO"]);
            info.is_ok_and(|info| {
                // One that is loading replies an error.
                !matches!(info, Reply::Error(_)) && info.text().contains("cluster_state:ok")
            })
        })
    }

    fn wait<T>(&self, what: &str, probe: impl FnMut() -> Option<T>) -> T {
        until(Duration::from_secs(60), probe).unwrap_or_else(|| {
            let logs: Vec<_> = self.nodes.iter().map(RedisServer::log_tail).collect();
            panic!("no {what} within 60 s:\n{}", logs.join("\n\n"))
        })
    }
}

/// Whether a node is linked to its primary, if it is a replica, and sees the other replicas.
fn is_linked(node: &RedisServer) -> bool {
    let replicas = view(node).iter().filter(|seen| seen.is_replica()).count();
    let linked = match node.info("role").as_deref() {
        Some("slave") => node.info("master_link_status").is_some_and(|s| s == "up"),
        role => role == Some("master"),
    };
    linked && replicas == NODES - PRIMARIES
}

fn primary_seen_by(node: &RedisServer, key: &str) -> Option<u16> {
    let slot = node.try_command(&["CLUSTER", "KEYSLOT", key]).ok()?.int();
    let slot = u16::try_from(slot).expect("a slot");
    let seen = view(node);
    let mut primaries = seen.iter().filter(|seen| !seen.flag("fail"));
    Some(primaries.find(|seen| seen.has(slot))?.port)
}

/// One node as another sees it: a line of `CLUSTER NODES`.
struct Seen {
    port: u16,
    flags: Vec<String>,
    link: String,
    slots: Vec<(u16, u16)>,
}

impl Seen {
    fn parse(line: &str) -> Option<Self> {
        let words: Vec<_> = line.split(' ').collect();
        let [_, addr, flags, _, _, _, _, link, slots @ ..] = &*words else {
            return None;
        };
        let port = addr.split_once('@')?.0.rsplit_once(':')?.1;
        let slots = slots.iter().filter_map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            Some((first.parse().ok()?, last.parse().ok()?))
        });
        Some(Self {
            port: port.parse().ok()?,
            flags: flags.split(',').map(str::to_owned).collect(),
            link: (*link).to_owned(),
            slots: slots.collect(),
        })
    }

    fn flag(&self, flag: &str) -> bool {
        self.flags.iter().any(|f| f == flag)
    }

    fn is_replica(&self) -> bool {
        self.flag("slave") && self.link == "connected"
    }

    fn has(&self, slot: u16) -> bool {
        let mut ranges = self.slots.iter();
        self.flag("master") && ranges.any(|(first, last)| (*first..=*last).contains(&slot))
    }
}

fn view(node: &RedisServer) -> Vec<Seen> {
    let Ok(nodes) = node.try_command(&["CLUSTER", "NODES"]) else {
        return Vec::new();
    };
    nodes.text().lines().filter_map(Seen::parse).collect()
}
