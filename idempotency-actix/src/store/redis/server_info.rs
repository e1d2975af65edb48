//! Reads a server's `INFO` for what endangers the promise of one run. Nothing is sent from here.

use super::finding::RedisFinding;

/// The first version that has `SET` with `NX` and `GET` together. Every Valkey is later.
const MIN_VERSION: (u32, u32) = (7, 0);

/// What the text of `INFO` tells, empty if it was refused. The policy of `appendfsync` is all that
/// only `CONFIG GET` tells, which many a hosted server refuses.
pub(super) fn findings(info: &str, appendfsync: Option<&str>, asked: usize) -> Vec<RedisFinding> {
    if info.trim_ascii().is_empty() {
        return vec![RedisFinding::Unreadable { what: "INFO" }];
    }
    let info = &Info(info);
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

fn version(info: &Info<'_>) -> Option<RedisFinding> {
    // Valkey tells a `redis_version` as well, the one that it is compatible with.
    let (server, version) = match info.field("valkey_version") {
        Some(version) => ("valkey", version),
        None => ("redis", info.field("redis_version").unwrap_or_default()),
    };
    let mut numbers = version.split('.').map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => {
            ((major, minor) < MIN_VERSION).then(|| RedisFinding::VersionTooOld {
                server,
                version: version.to_owned(),
            })
        }
        _ => Some(RedisFinding::Unreadable {
            what: "redis_version",
        }),
    }
}

fn eviction(info: &Info<'_>) -> Option<RedisFinding> {
    let what = "maxmemory_policy";
    match info.field(what) {
        Some("noeviction") => None,
        Some(policy) => Some(RedisFinding::Eviction {
            policy: policy.to_owned(),
        }),
        None => Some(RedisFinding::Unreadable { what }),
    }
}

fn persistence(info: &Info<'_>, appendfsync: Option<&str>) -> Option<RedisFinding> {
    let what = "aof_enabled";
    match (info.field(what), appendfsync) {
        (Some("0"), _) => Some(RedisFinding::AppendOnlyOff),
        (Some(_), Some("always")) => None,
        (Some(_), policy) => Some(RedisFinding::AppendFsync {
            policy: policy.map(str::to_owned),
        }),
        (None, _) => Some(RedisFinding::Unreadable { what }),
    }
}

fn replication(info: &Info<'_>, asked: usize) -> Vec<RedisFinding> {
    let what = "role";
    match info.field(what) {
        Some("master") => {}
        Some(_) => return vec![RedisFinding::NotPrimary],
        None => return vec![RedisFinding::Unreadable { what }],
    }
    let online = info.replicas_online();
    let mut findings = Vec::new();
    if online < asked {
        findings.push(RedisFinding::TooFewReplicas { asked, online });
    }
    if online > asked {
        findings.push(RedisFinding::UnawaitedReplicas { asked, online });
    }
    // The field is there only if both options are above 0.
    if online > 0 && info.field("min_slaves_good_slaves").is_none() {
        findings.push(RedisFinding::NoMinReplicas);
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
