//! What was found on the servers, for start-up. Which configuration is safe is not known here.

use std::collections::HashMap;
use std::fmt;

use deadpool_redis::redis::{Value, cmd, from_redis_value};

use super::failure::Failure;
use super::finding::{RedisFinding, RedisSeverity};
use super::server_info::findings;
use super::session::Server;

/// What the servers' configuration means for the promise of one run.
///
/// `Display` is one line for each finding, to be acted upon; the values are for a program, which may
/// refuse to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisReport {
    servers: Vec<RedisServerReport>,
}

impl RedisReport {
    /// Asks the primaries of a cluster, or the one server that takes claims.
    pub(super) async fn of(server: &Server) -> Result<Self, Failure> {
        let infos = server.ask_primaries(&cmd("INFO")).await?;
        let mut config = cmd("CONFIG");
        config.arg("GET").arg("appendfsync");
        let config = server.ask_primaries(&config).await.unwrap_or_default();
        let policies: HashMap<String, Value> = config.into_iter().collect();
        let report = |(address, info): (String, Value)| {
            let info: String = from_redis_value(info).unwrap_or_default();
            let policy: Option<(String, String)> = policies
                .get(&address)
                .and_then(|it| from_redis_value(it.clone()).ok());
            let policy = policy.as_ref().map(|(_, policy)| policy.as_str());
            RedisServerReport::read(address, &info, policy, server.wait_replicas)
        };
        Ok(Self::new(infos.into_iter().map(report).collect()))
    }

    fn new(servers: Vec<RedisServerReport>) -> Self {
        Self { servers }
    }

    /// The same with what was found by way of any of them.
    pub(super) fn with(mut self, finding: RedisFinding) -> Self {
        if let Some(server) = self.servers.first_mut() {
            server.findings.push(finding);
        }
        self
    }

    /// One report a server: the primaries of a cluster, or the one server that takes claims.
    pub fn servers(&self) -> &[RedisServerReport] {
        &self.servers
    }

    /// What was found on all servers.
    pub fn findings(&self) -> impl Iterator<Item = &RedisFinding> {
        self.servers.iter().flat_map(RedisServerReport::findings)
    }

    /// The severity of the worst finding; `None` if nothing was found.
    pub fn worst(&self) -> Option<RedisSeverity> {
        self.findings().map(RedisFinding::severity).max()
    }

    /// Whether there is nothing worse than a note.
    pub fn is_safe(&self) -> bool {
        self.worst() <= Some(RedisSeverity::Note)
    }
}

impl fmt::Display for RedisReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, server) in self.servers.iter().enumerate() {
            if at > 0 {
                writeln!(f)?;
            }
            server.fmt(f)?;
        }
        Ok(())
    }
}

/// What one server's configuration means for the promise of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisServerReport {
    address: String,
    findings: Vec<RedisFinding>,
}

impl RedisServerReport {
    fn read(address: String, info: &str, appendfsync: Option<&str>, asked_replicas: usize) -> Self {
        let findings = findings(info, appendfsync, asked_replicas);
        Self { address, findings }
    }

    /// The server's address, as the client knows it.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What was found.
    pub fn findings(&self) -> &[RedisFinding] {
        &self.findings
    }
}

impl fmt::Display for RedisServerReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = &self.address;
        if self.findings.is_empty() {
            return write!(f, "{address}: nothing found that endangers a claim");
        }
        for (at, finding) in self.findings.iter().enumerate() {
            if at > 0 {
                writeln!(f)?;
            }
            write!(f, "{address}: {}: {finding}", finding.severity())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Redis 7.0.15 tells when it is started without a configuration.
    const REDIS_7: &str = "# Server\r\nredis_version:7.0.15\r\nredis_git_sha1:00000000\r\n\
        redis_mode:standalone\r\nos:Linux 6.1.0 x86_64\r\nconfig_file:\r\n\r\n\
        # Memory\r\nused_memory:916760\r\nmaxmemory:0\r\nmaxmemory_human:0B\r\n\
        maxmemory_policy:noeviction\r\n\r\n\
        # Persistence\r\nloading:0\r\naof_enabled:0\r\naof_rewrite_in_progress:0\r\n\r\n\
        # Stats\r\nslave_expires_tracked_keys:0\r\n\r\n\
        # Replication\r\nrole:master\r\nconnected_slaves:0\r\n\
        master_failover_state:no-failover\r\nmaster_repl_offset:0\r\n\r\n\
        # Cluster\r\ncluster_enabled:0\r\n\r\n# Keyspace\r\n";

    /// The same server with one replica, `min-replicas-to-write 1` and an append-only file.
    fn primary() -> String {
        REDIS_7.replace("aof_enabled:0", "aof_enabled:1").replace(
            "connected_slaves:0\r\n",
            "connected_slaves:1\r\nmin_slaves_good_slaves:1\r\n\
             slave0:ip=127.0.0.1,port=6380,state=online,offset=0,lag=1\r\n",
        )
    }

    fn found(info: &str, appendfsync: Option<&str>, asked: usize) -> Vec<RedisFinding> {
        let report = RedisServerReport::read("redis:6379".into(), info, appendfsync, asked);
        report.findings().to_vec()
    }

    #[test]
    fn a_server_as_it_is_installed_loses_claims_when_it_is_killed() {
        assert_eq!(
            found(REDIS_7, Some("everysec"), 0),
            [RedisFinding::AppendOnlyOff]
        );
    }

    #[test]
    fn a_well_configured_primary_has_nothing_found() {
        let server = RedisServerReport::read("redis:6379".into(), &primary(), Some("always"), 1);
        let report = RedisReport::new(vec![server]);
        assert_eq!(report.findings().count(), 0);
        assert!(report.is_safe());
    }

    #[test]
    fn the_policy_of_the_append_only_file_is_weighed() {
        let info = primary();
        let severity = |policy| {
            let found = found(&info, policy, 1);
            found.first().map(RedisFinding::severity)
        };
        assert_eq!(severity(Some("always")), None);
        assert_eq!(severity(Some("everysec")), Some(RedisSeverity::Note));
        assert_eq!(severity(Some("no")), Some(RedisSeverity::Warning));
        assert_eq!(severity(None), Some(RedisSeverity::Note));
    }

    #[test]
    fn any_policy_that_evicts_is_fatal() {
        for policy in ["allkeys-lru", "volatile-ttl"] {
            let info = primary().replace("noeviction", policy);
            let found = found(&info, Some("always"), 1);
            let policy = policy.to_owned();
            assert_eq!(found, [RedisFinding::Eviction { policy }]);
            assert_eq!(found[0].severity(), RedisSeverity::Fatal);
        }
    }

    #[test]
    fn replicas_that_are_missing_or_not_waited_for_are_found() {
        let (online, found) = (1, |asked| found(&primary(), Some("always"), asked));
        assert_eq!(
            found(0),
            [RedisFinding::UnawaitedReplicas { asked: 0, online }]
        );
        assert_eq!(found(1), []);
        assert_eq!(
            found(2),
            [RedisFinding::TooFewReplicas { asked: 2, online }]
        );
    }

    #[test]
    fn a_replica_that_is_still_being_filled_is_not_online() {
        let info = primary().replace("state=online", "state=wait_bgsave");
        let (asked, online) = (1, 0);
        assert_eq!(
            found(&info, Some("always"), asked),
            [RedisFinding::TooFewReplicas { asked, online }]
        );
    }

    #[test]
    fn a_primary_that_may_write_alone_is_found() {
        let info = primary().replace("min_slaves_good_slaves:1\r\n", "");
        assert_eq!(
            found(&info, Some("always"), 1),
            [RedisFinding::NoMinReplicas]
        );
    }

    #[test]
    fn a_replica_is_no_place_for_claims() {
        let info = primary().replace("role:master", "role:slave");
        assert_eq!(found(&info, Some("always"), 1), [RedisFinding::NotPrimary]);
    }

    #[test]
    fn redis_6_2_is_too_old() {
        let info = primary().replace("7.0.15", "6.2.14");
        let (server, version) = ("redis", "6.2.14".to_owned());
        assert_eq!(
            found(&info, Some("always"), 1),
            [RedisFinding::VersionTooOld { server, version }]
        );
    }

    #[test]
    fn valkey_is_known_by_its_own_version() {
        let valkey = "redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.1\r\n\
            valkey_release_stage:ga";
        let info = primary()
            .replace("redis_version:7.0.15", valkey)
            .replace("lag=1", "lag=1,type=replica");
        assert_eq!(found(&info, Some("always"), 1), []);
    }

    #[test]
    fn what_the_server_does_not_tell_is_said_and_not_guessed() {
        let unreadable = |what| RedisFinding::Unreadable { what };
        assert_eq!(found("", None, 1), [unreadable("INFO")]);
        assert_eq!(
            found("# Server\r\nuptime_in_days:3\r\n", None, 0),
            ["redis_version", "maxmemory_policy", "aof_enabled", "role"].map(unreadable)
        );
    }

    #[test]
    fn a_report_is_a_line_a_finding_and_as_safe_as_the_worst() {
        let evicting = primary().replace("noeviction", "allkeys-lru");
        let read = |address: &str, info| {
            RedisServerReport::read(address.to_owned(), info, Some("everysec"), 1)
        };
        let report = RedisReport::new(vec![read("a:6379", &primary()), read("b:6379", &evicting)]);
        assert_eq!(report.worst(), Some(RedisSeverity::Fatal));
        assert!(!report.is_safe());
        let text = report.to_string();
        let starts: Vec<&str> = text
            .lines()
            .map(|line| line.split(" is ").next().unwrap_or_default())
            .collect();
        assert_eq!(
            starts,
            [
                "a:6379: note: `appendfsync`",
                "b:6379: fatal: `maxmemory-policy`",
                "b:6379: note: `appendfsync`",
            ]
        );
    }
}
