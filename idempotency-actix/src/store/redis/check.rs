//! What the configuration of the servers means for the promise of one run.

use std::fmt;

/// The first version that has `SET` with `NX` and `GET` together. Every Valkey is later.
const MIN_VERSION: (u32, u32) = (7, 0);

/// What the servers' configuration means for the promise of one run.
///
/// `Display` is one line for each finding, to be acted upon; the values are for a program, which may
/// refuse to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisReport {
    servers: Vec<ServerReport>,
}

impl RedisReport {
    pub(super) fn new(servers: Vec<ServerReport>) -> Self {
        Self { servers }
    }

    /// One report a server: the primaries of a cluster, or the one server that takes claims.
    pub fn servers(&self) -> &[ServerReport] {
        &self.servers
    }

    /// What was found on all servers.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.servers.iter().flat_map(ServerReport::findings)
    }

    /// The severity of the worst finding; `None` if nothing was found.
    pub fn worst(&self) -> Option<Severity> {
        self.findings().map(Finding::severity).max()
    }

    /// Whether there is nothing worse than a note.
    pub fn is_safe(&self) -> bool {
        self.worst() <= Some(Severity::Note)
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
pub struct ServerReport {
    address: String,
    findings: Vec<Finding>,
}

impl ServerReport {
    /// Reads the text of `INFO`, empty if it was refused. The policy of `appendfsync` is all that
    /// only `CONFIG GET` tells, which many a hosted server refuses.
    pub(super) fn read(
        address: String,
        info: &str,
        appendfsync: Option<&str>,
        asked_replicas: usize,
    ) -> Self {
        let findings = if info.trim_ascii().is_empty() {
            vec![Finding::Unreadable { what: "INFO" }]
        } else {
            findings(&Info(info), appendfsync, asked_replicas)
        };
        Self { address, findings }
    }

    /// The server's address, as the client knows it.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What was found.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }
}

impl fmt::Display for ServerReport {
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

/// How much a [`Finding`] endangers the promise of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// A loss that needs a rare accident, and that many accept.
    Note,
    /// A common failure, such as a crash of the server or a failover, loses claims.
    Warning,
    /// No failure is needed: claims are lost or refused in ordinary operation.
    Fatal,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Fatal => "fatal",
        })
    }
}

/// One thing in a server's configuration that bears on the promise; the message says what to change.
///
/// A lost claim or answer means that a retry runs a second time.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// `maxmemory-policy` is not `noeviction`.
    Eviction {
        /// The policy.
        policy: String,
    },
    /// The server is a replica, and takes no claims.
    NotPrimary,
    /// The server lacks a command that a claim needs.
    VersionTooOld {
        /// What the server calls itself: `redis` or `valkey`.
        server: &'static str,
        /// Its version.
        version: String,
    },
    /// `appendonly` is off.
    AppendOnlyOff,
    /// `appendfsync` is not `always`, or cannot be read.
    AppendFsync {
        /// The policy; `None` if the server does not tell it.
        policy: Option<String>,
    },
    /// Fewer replicas are online than a claim waits for.
    TooFewReplicas {
        /// How many are waited for.
        asked: usize,
        /// How many are online.
        online: usize,
    },
    /// A claim does not wait for every replica that a failover may choose.
    UnawaitedReplicas {
        /// How many are waited for.
        asked: usize,
        /// How many are online.
        online: usize,
    },
    /// There are replicas, and `min-replicas-to-write` or `min-replicas-max-lag` is 0.
    NoMinReplicas,
    /// The server does not tell something, which is thus not checked.
    Unreadable {
        /// `INFO`, or the name of its field.
        what: &'static str,
    },
}

impl Finding {
    /// How much it endangers the promise.
    pub fn severity(&self) -> Severity {
        match self {
            Self::Eviction { .. } | Self::NotPrimary | Self::VersionTooOld { .. } => {
                Severity::Fatal
            }
            Self::AppendFsync { policy } if policy.as_deref() != Some("no") => Severity::Note,
            Self::AppendOnlyOff
            | Self::AppendFsync { .. }
            | Self::TooFewReplicas { .. }
            | Self::UnawaitedReplicas { .. }
            | Self::NoMinReplicas
            | Self::Unreadable { .. } => Severity::Warning,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Eviction { policy } => write!(
                f,
                "`maxmemory-policy` is {policy}: at the memory limit claims and answers are evicted, and their retries run again; set `maxmemory-policy noeviction`, by which new claims are refused (503) instead"
            ),
            Self::NotPrimary => f.write_str(
                "the server is a replica, which takes no claims: every one is answered 503; connect to its primary, or by way of Sentinel or Cluster"
            ),
            Self::VersionTooOld { server, version } => write!(
                f,
                "{server} {version} has no `SET` with both `NX` and `GET`, so that every claim fails (503); upgrade to Redis 7.0 or later, or to Valkey"
            ),
            Self::AppendOnlyOff => f.write_str(
                "`appendonly` is no: when the server crashes or is killed, all claims and answers since its last snapshot are lost, and their retries run again; set `appendonly yes`"
            ),
            Self::AppendFsync { policy } => match policy.as_deref() {
                Some("no") => f.write_str(
                    "`appendfsync` is no: a power loss or a crash of the operating system loses what that had not written yet, half a minute or more of claims and answers; set `appendfsync everysec`, or `always`"
                ),
                Some(policy) => write!(
                    f,
                    "`appendfsync` is {policy}: a power loss or a crash of the operating system may lose the last second of claims and answers, a kill of the server loses none; `appendfsync always` loses none in either case"
                ),
                None => f.write_str(
                    "`appendfsync` cannot be read: make sure that it is everysec or always, or allow `CONFIG GET`"
                ),
            },
            Self::TooFewReplicas { asked, online } => write!(
                f,
                "claims wait for {asked} replicas and {online} are online: what is not on a replica is lost with the primary; bring the others back, or wait for fewer"
            ),
            Self::UnawaitedReplicas { asked, online } => write!(
                f,
                "{online} replicas are online and claims wait for {asked}: a failover to one that has not got the last claims loses them, and their retries run again; wait for all replicas"
            ),
            Self::NoMinReplicas => f.write_str(
                "`min-replicas-to-write` is 0: a primary that is cut off from its replicas goes on granting claims, which the failover to a replica loses; set `min-replicas-to-write 1` and `min-replicas-max-lag 10`"
            ),
            Self::Unreadable { what } => write!(
                f,
                "`{what}` cannot be read, so that what it tells is not checked; allow the store's user to run `INFO` (`ACL SETUSER .. +info`)"
            ),
        }
    }
}

fn findings(info: &Info<'_>, appendfsync: Option<&str>, asked: usize) -> Vec<Finding> {
    [
        version(info),
        eviction(info),
        persistence(info, appendfsync),
    ]
    .into_iter()
    .flatten()
    .chain(replication(info, asked))
    .collect()
}

fn version(info: &Info<'_>) -> Option<Finding> {
    // Valkey tells a `redis_version` as well, the one that it is compatible with.
    let (server, version) = match info.field("valkey_version") {
        Some(version) => ("valkey", version),
        None => ("redis", info.field("redis_version").unwrap_or_default()),
    };
    let mut numbers = version.split('.').map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => {
            ((major, minor) < MIN_VERSION).then(|| Finding::VersionTooOld {
                server,
                version: version.to_owned(),
            })
        }
        _ => Some(Finding::Unreadable {
            what: "redis_version",
        }),
    }
}

fn eviction(info: &Info<'_>) -> Option<Finding> {
    let what = "maxmemory_policy";
    match info.field(what) {
        Some("noeviction") => None,
        Some(policy) => Some(Finding::Eviction {
            policy: policy.to_owned(),
        }),
        None => Some(Finding::Unreadable { what }),
    }
}

fn persistence(info: &Info<'_>, appendfsync: Option<&str>) -> Option<Finding> {
    let what = "aof_enabled";
    match (info.field(what), appendfsync) {
        (Some("0"), _) => Some(Finding::AppendOnlyOff),
        (Some(_), Some("always")) => None,
        (Some(_), policy) => Some(Finding::AppendFsync {
            policy: policy.map(str::to_owned),
        }),
        (None, _) => Some(Finding::Unreadable { what }),
    }
}

fn replication(info: &Info<'_>, asked: usize) -> Vec<Finding> {
    let what = "role";
    match info.field(what) {
        Some("master") => {}
        Some(_) => return vec![Finding::NotPrimary],
        None => return vec![Finding::Unreadable { what }],
    }
    let online = info.replicas_online();
    let mut findings = Vec::new();
    if online < asked {
        findings.push(Finding::TooFewReplicas { asked, online });
    }
    if online > asked {
        findings.push(Finding::UnawaitedReplicas { asked, online });
    }
    // The field is there only if both options are above 0.
    if online > 0 && info.field("min_slaves_good_slaves").is_none() {
        findings.push(Finding::NoMinReplicas);
    }
    findings
}

/// The text of `INFO`: sections of `name:value` lines.
struct Info<'a>(&'a str);

impl<'a> Info<'a> {
    fn fields(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let field = |line: &'a str| line.trim_ascii().split_once(':');
        self.0.lines().filter_map(field)
    }

    fn field(&self, name: &str) -> Option<&'a str> {
        self.fields()
            .find_map(|(field, value)| (field == name).then_some(value))
    }

    /// `connected_slaves` counts those too that are still being filled.
    fn replicas_online(&self) -> usize {
        let online = |(name, value): &(&str, &str)| {
            let number = name.strip_prefix("slave");
            number.is_some_and(|number| number.parse::<u32>().is_ok())
                && value.split(',').any(|part| part == "state=online")
        };
        self.fields().filter(online).count()
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

    fn found(info: &str, appendfsync: Option<&str>, asked: usize) -> Vec<Finding> {
        let report = ServerReport::read("redis:6379".into(), info, appendfsync, asked);
        report.findings().to_vec()
    }

    #[test]
    fn a_server_as_it_is_installed_loses_claims_when_it_is_killed() {
        assert_eq!(
            found(REDIS_7, Some("everysec"), 0),
            [Finding::AppendOnlyOff]
        );
    }

    #[test]
    fn a_well_configured_primary_has_nothing_found() {
        let server = ServerReport::read("redis:6379".into(), &primary(), Some("always"), 1);
        let report = RedisReport::new(vec![server]);
        assert_eq!(report.findings().count(), 0);
        assert!(report.is_safe());
    }

    #[test]
    fn the_policy_of_the_append_only_file_is_weighed() {
        let info = primary();
        let severity = |policy| {
            let found = found(&info, policy, 1);
            found.first().map(Finding::severity)
        };
        assert_eq!(severity(Some("always")), None);
        assert_eq!(severity(Some("everysec")), Some(Severity::Note));
        assert_eq!(severity(Some("no")), Some(Severity::Warning));
        assert_eq!(severity(None), Some(Severity::Note));
    }

    #[test]
    fn any_policy_that_evicts_is_fatal() {
        for policy in ["allkeys-lru", "volatile-ttl"] {
            let info = primary().replace("noeviction", policy);
            let found = found(&info, Some("always"), 1);
            let policy = policy.to_owned();
            assert_eq!(found, [Finding::Eviction { policy }]);
            assert_eq!(found[0].severity(), Severity::Fatal);
        }
    }

    #[test]
    fn replicas_that_are_missing_or_not_waited_for_are_found() {
        let (online, found) = (1, |asked| found(&primary(), Some("always"), asked));
        assert_eq!(found(0), [Finding::UnawaitedReplicas { asked: 0, online }]);
        assert_eq!(found(1), []);
        assert_eq!(found(2), [Finding::TooFewReplicas { asked: 2, online }]);
    }

    #[test]
    fn a_replica_that_is_still_being_filled_is_not_online() {
        let info = primary().replace("state=online", "state=wait_bgsave");
        let (asked, online) = (1, 0);
        assert_eq!(
            found(&info, Some("always"), asked),
            [Finding::TooFewReplicas { asked, online }]
        );
    }

    #[test]
    fn a_primary_that_may_write_alone_is_found() {
        let info = primary().replace("min_slaves_good_slaves:1\r\n", "");
        assert_eq!(found(&info, Some("always"), 1), [Finding::NoMinReplicas]);
    }

    #[test]
    fn a_replica_is_no_place_for_claims() {
        let info = primary().replace("role:master", "role:slave");
        assert_eq!(found(&info, Some("always"), 1), [Finding::NotPrimary]);
    }

    #[test]
    fn redis_6_2_is_too_old() {
        let info = primary().replace("7.0.15", "6.2.14");
        let (server, version) = ("redis", "6.2.14".to_owned());
        assert_eq!(
            found(&info, Some("always"), 1),
            [Finding::VersionTooOld { server, version }]
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
        let unreadable = |what| Finding::Unreadable { what };
        assert_eq!(found("", None, 1), [unreadable("INFO")]);
        assert_eq!(
            found("# Server\r\nuptime_in_days:3\r\n", None, 0),
            ["redis_version", "maxmemory_policy", "aof_enabled", "role"].map(unreadable)
        );
    }

    #[test]
    fn a_report_is_a_line_a_finding_and_as_safe_as_the_worst() {
        let evicting = primary().replace("noeviction", "allkeys-lru");
        let read =
            |address: &str, info| ServerReport::read(address.to_owned(), info, Some("everysec"), 1);
        let report = RedisReport::new(vec![read("a:6379", &primary()), read("b:6379", &evicting)]);
        assert_eq!(report.worst(), Some(Severity::Fatal));
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
