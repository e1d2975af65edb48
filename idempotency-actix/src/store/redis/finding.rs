//! What can be wrong with a server's configuration, how bad it is, and what to change. How it is found is not
//! known here.

use std::fmt;

/// How much a [`RedisFinding`] endangers the promise of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RedisSeverity {
    /// A loss that needs a rare accident, and that many accept.
    Note,
    /// A common failure, such as a crash of the server or a failover, loses claims.
    Warning,
    /// No failure is needed: claims are lost or refused in ordinary operation.
    Fatal,
}

impl fmt::Display for RedisSeverity {
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
pub enum RedisFinding {
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
    /// The store's user may not write its keys, or may not run scripts on them.
    NotPermitted {
        /// What its keys start with.
        prefix: String,
    },
    /// The server does not tell something, which is thus not checked.
    Unreadable {
        /// `INFO`, or the name of its field.
        what: &'static str,
    },
}

impl RedisFinding {
    /// How much it endangers the promise.
    pub fn severity(&self) -> RedisSeverity {
        match self {
            Self::Eviction { .. }
            | Self::NotPrimary
            | Self::VersionTooOld { .. }
            | Self::NotPermitted { .. } => RedisSeverity::Fatal,
            Self::AppendFsync { policy } if policy.as_deref() != Some("no") => RedisSeverity::Note,
            Self::AppendOnlyOff
            | Self::AppendFsync { .. }
            | Self::TooFewReplicas { .. }
            | Self::UnawaitedReplicas { .. }
            | Self::NoMinReplicas
            | Self::Unreadable { .. } => RedisSeverity::Warning,
        }
    }
}

impl fmt::Display for RedisFinding {
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
            Self::NotPermitted { prefix } => write!(
                f,
                "the store's user may not write keys that start with `{prefix}`, or not run scripts on them, so that every claim fails (503); allow it (`ACL SETUSER .. ~{prefix}* +@read +@write +@scripting`)"
            ),
            Self::Unreadable { what } => write!(
                f,
                "`{what}` cannot be read, so that what it tells is not checked; allow the store's user to run `INFO` (`ACL SETUSER .. +info`)"
            ),
        }
    }
}
