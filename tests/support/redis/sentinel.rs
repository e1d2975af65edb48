//! A primary with replicas, and the sentinels that watch it.

use std::sync::OnceLock;
use std::time::Duration;

use super::server::RedisServer;
use crate::patience::until;

const SERVICE: &str = "orders";
const SENTINELS: usize = 3;
const REPLICAS: usize = 2;

/// Sentinels look around every 100 ms instead of every 1 to 10 s, and a machine under load that
/// wakes one of them late does not make it sit out for 30 s. The ping period stays: a replica
/// qualifies for five of them after its last `INFO`, which comes each second in a failover.
const PACE: &[&str] = &[
    "SENTINEL",
    "DEBUG",
    "info-period",
    "100",
    "ask-period",
    "100",
    "publish-period",
    "100",
    "tilt-trigger",
    "20000",
];

/// A primary with two replicas, and three sentinels that watch them; ended when dropped.
#[derive(Debug)]
pub struct SentinelGroup {
    sentinels: Vec<RedisServer>,
    servers: Vec<RedisServer>,
}

impl SentinelGroup {
    /// Starts it with these lines of `redis.conf` added to each server's, and waits until every
    /// sentinel knows the others and both replicas.
    pub fn start(config: &[(&str, &str)]) -> Self {
        let mut servers = vec![RedisServer::start(config)];
        let primary = format!("127.0.0.1 {}", servers[0].port());
        let config = [config, &[("replicaof", &primary)]].concat();
        let monitor = format!("monitor {SERVICE} {primary} 2");
        let (down, failover) = (
            format!("down-after-milliseconds {SERVICE} 1000"),
            format!("failover-timeout {SERVICE} 3000"),
        );
        let lines = [&monitor, &down, &failover].map(|line| ("sentinel", &**line));

        let (replicas, sentinels) = std::thread::scope(|scope| {
            let replica = || RedisServer::start(&config);
            let sentinel = || RedisServer::start_sentinel(&lines);
            let replicas: Vec<_> = (0..REPLICAS).map(|_| scope.spawn(replica)).collect();
            let sentinels: Vec<_> = (0..SENTINELS).map(|_| scope.spawn(sentinel)).collect();
            (join(replicas), join(sentinels))
        });
        servers.extend(replicas);
        let group = Self { sentinels, servers };
        for sentinel in &group.sentinels {
            sentinel.command(PACE).text();
        }
        group.wait_until_whole();
        group
    }

    /// The group that all tests of this process share.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<SentinelGroup> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&[]))
    }

    /// The name that the sentinels know the primary by.
    pub fn service(&self) -> &'static str {
        SERVICE
    }

    /// Where the sentinels listen, as clients want it.
    pub fn urls(&self) -> Vec<String> {
        self.sentinels.iter().map(RedisServer::url).collect()
    }

    /// The sentinels.
    pub fn sentinels(&self) -> &[RedisServer] {
        &self.sentinels
    }

    /// The primary and the replicas; the first began as the primary.
    pub fn servers(&self) -> &[RedisServer] {
        &self.servers
    }

    /// The server that all running sentinels name and that takes writes.
    ///
    /// # Panics
    ///
    /// If there is none within 60 s.
    pub fn primary(&self) -> &RedisServer {
        self.wait("primary", || {
            let mut named = self.up_sentinels().map(named_primary);
            let port = named.next()??;
            let agreed = named.all(|other| other == Some(port));
            let mut servers = self.servers.iter().filter(|server| server.is_up());
            let server = servers.find(|server| agreed && server.port() == port)?;
            (server.info("role")? == "master").then_some(server)
        })
    }

    /// Ends the primary by `SIGKILL`, and says which it was.
    pub fn kill_primary(&self) -> &RedisServer {
        let primary = self.primary();
        primary.kill();
        primary
    }

    /// Waits until another server than this one is the primary.
    ///
    /// # Panics
    ///
    /// If that does not happen within 60 s.
    pub fn wait_for_failover(&self, old: &RedisServer) -> &RedisServer {
        self.wait("failover", || {
            let new = self.primary();
            (new.port() != old.port()).then_some(new)
        })
    }

    fn wait_until_whole(&self) {
        self.wait("whole group", || {
            let whole = self.sentinels.iter().all(|sentinel| {
                let known = |field| field_of_primary(sentinel, field);
                known("num-other-sentinels").is_some_and(|n| n == (SENTINELS - 1).to_string())
                    && known("num-slaves").is_some_and(|n| n == REPLICAS.to_string())
                    && known("flags").is_some_and(|flags| flags == "master")
            });
            let linked = self.servers[1..].iter().all(|replica| {
                let status = replica.info("master_link_status");
                status.is_some_and(|status| status == "up")
            });
            (whole && linked).then_some(())
        });
    }

    fn up_sentinels(&self) -> impl Iterator<Item = &RedisServer> {
        self.sentinels.iter().filter(|sentinel| sentinel.is_up())
    }

    fn wait<T>(&self, what: &str, probe: impl FnMut() -> Option<T>) -> T {
        until(Duration::from_secs(60), probe).unwrap_or_else(|| {
            let logs: Vec<_> = self.sentinels.iter().map(RedisServer::log_tail).collect();
            panic!("no {what} within 60 s:\n{}", logs.join("\n\n"))
        })
    }
}

fn join(starts: Vec<std::thread::ScopedJoinHandle<'_, RedisServer>>) -> Vec<RedisServer> {
    let servers = starts.into_iter().map(|start| start.join());
    servers.map(|server| server.expect("a server")).collect()
}

fn named_primary(sentinel: &RedisServer) -> Option<u16> {
    let ask = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE];
    let addr = sentinel.try_command(&ask).ok()?.items();
    let port = addr.into_iter().nth(1)?;
    port.text().parse().ok()
}

fn field_of_primary(sentinel: &RedisServer, field: &str) -> Option<String> {
    let reply = sentinel
        .try_command(&["SENTINEL", "MASTER", SERVICE])
        .ok()?;
    let mut words = reply.items().into_iter().map(|word| word.text());
    words.find(|name| name == field)?;
    words.next()
}
