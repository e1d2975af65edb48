//! What is exported, against the tables of guide/operations.md. In a process of its own, as a recorder is for all of one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use actix_web::http::Method;
use idempotency_actix::store::RecordId;
use idempotency_actix::{Caller, MemoryStore};
use idempotency_actix_tests::app::{Call, DOWN, FaultyStore, Mode, Rig, Run, created};
use idempotency_actix_tests::eventually;
use metrics_util::MetricKind;
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};

const OPERATIONS: &str = include_str!("../../idempotency-actix/guide/operations.md");

/// The rows of the table under that heading, each as its cells.
fn rows(heading: &str) -> Vec<Vec<&'static str>> {
    let (_, section) = OPERATIONS.split_once(heading).expect("a heading");
    let section = section.split("\n## ").next().expect("a section");
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect())
        .collect()
}

fn names(cell: &str) -> BTreeSet<String> {
    let names = cell.split(',').map(|name| name.trim().trim_matches('`'));
    names
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Everything that is exported so far: by name its kind, labels and whether it is described.
struct Exported {
    snapshotter: Snapshotter,
    seen: BTreeMap<String, (MetricKind, BTreeSet<String>, bool)>,
    counts: BTreeMap<String, f64>,
}

impl Exported {
    fn look(&mut self) {
        for (key, _, description, value) in self.snapshotter.snapshot().into_vec() {
            let (kind, key) = key.into_parts();
            let labels: BTreeSet<_> = key.labels().map(|it| it.key().to_owned()).collect();
            let seen = (kind, labels, description.is_some());
            self.seen.insert(key.name().to_owned(), seen);
            let labels: Vec<_> = key.labels().map(|it| it.value().to_owned()).collect();
            let series = format!("{} {}", key.name(), labels.join(" "));
            match value {
                DebugValue::Counter(count) => {
                    *self.counts.entry(series).or_default() += count as f64;
                }
                // A snapshot takes its values with it.
                DebugValue::Gauge(change) => {
                    *self.counts.entry(series).or_default() += change.into_inner();
                }
                DebugValue::Histogram(times) => {
                    *self.counts.entry(series).or_default() += times.len() as f64;
                }
            }
        }
    }

    fn count(&self, series: &str) -> f64 {
        self.counts.get(series).copied().unwrap_or_default()
    }
}

#[test]
fn what_is_exported_is_what_the_tables_have() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    recorder.install().expect("no other recorder");
    let mut exported = Exported {
        snapshotter,
        seen: BTreeMap::new(),
        counts: BTreeMap::new(),
    };

    let wait = |layer: idempotency_actix::IdempotencyBuilder| layer.wait(Duration::from_secs(60));
    let rig = Rig::new(
        Mode::Marked,
        FaultyStore::new(MemoryStore::new()),
        wait,
        |run: Run| async move {
            run.gate.pass().await;
            created(&run)
        },
    );
    exported.look();
    let kinds: BTreeSet<_> = rows("## Incidents")
        .iter()
        .map(|row| row[0].trim_matches('`'))
        .collect();
    let at_zero = exported
        .counts
        .keys()
        .filter_map(|series| series.strip_prefix("idempotency_incidents_total "));
    assert_eq!(at_zero.collect::<BTreeSet<_>>(), kinds);
    let incidents = |exported: &Exported| -> f64 {
        let series = exported.counts.iter();
        let of_incidents = series.filter(|(name, _)| name.starts_with("idempotency_incidents"));
        of_incidents.map(|(_, count)| count).sum()
    };
    assert_eq!(incidents(&exported), 0.0);

    let mut first = rig.start("k");
    let mut retry = rig.ask("k");
    eventually("a waiter", || rig.layer.in_flight().waiters == 1);
    exported.look();
    for gauge in ["runs_in_flight", "waiters", "memory_records"] {
        assert_eq!(
            exported.count(&format!("idempotency_{gauge} ")),
            1.0,
            "{gauge}"
        );
    }
    rig.gate.open();
    first.receive();
    assert!(retry.receive().is_replay());
    rig.store.always(Call::Complete, DOWN);
    assert_eq!(rig.send("lost").status, 201);
    exported.look();
    assert_eq!(exported.count("idempotency_waiting_answers "), 1.0);
    rig.store.heal(Call::Complete);
    eventually("its record", || rig.layer.in_flight().waiting_answers == 0);
    let reused = rig.request("k").body("other");
    assert_eq!(rig.send_request(&reused).status, 422);

    exported.look();
    let documented: BTreeMap<_, _> = rows("## Metrics")
        .into_iter()
        .map(|row| {
            let kind = match row[1] {
                "counter" => MetricKind::Counter,
                "gauge" => MetricKind::Gauge,
                "histogram" => MetricKind::Histogram,
                other => panic!("no such kind: {other}"),
            };
            (
                row[0].trim_matches('`').to_owned(),
                (kind, names(row[2]), true),
            )
        })
        .collect();
    let ours = exported.seen.iter();
    let ours: BTreeMap<_, _> = ours
        .map(|(name, seen)| (name.clone(), seen.clone()))
        .collect();
    assert_eq!(ours, documented);
    for (series, count) in [
        ("idempotency_requests_total first  /marked", 2.0),
        ("idempotency_requests_total replayed  /marked", 1.0),
        (
            "idempotency_requests_total mismatch key-reused /marked",
            1.0,
        ),
        ("idempotency_incidents_total complete_failed", 1.0),
        ("idempotency_run_duration_seconds /marked", 2.0),
        ("idempotency_wait_duration_seconds /marked", 1.0),
        ("idempotency_runs_in_flight ", 0.0),
        ("idempotency_waiters ", 0.0),
        ("idempotency_memory_records ", 2.0),
    ] {
        let is = exported.count(series);
        let is_so = is == count || count == 1.0 && series.contains("incidents") && is >= 1.0;
        assert!(is_so, "{series} is {is}: {:#?}", exported.counts);
    }
    assert!(exported.count("idempotency_store_duration_seconds begin ok") >= 4.0);
    assert!(exported.count("idempotency_store_duration_seconds complete unavailable") >= 2.0);

    let outcomes: BTreeSet<_> = rows("## One event a request")
        .iter()
        .map(|row| row[0])
        .collect();
    for outcome in [
        "first",
        "first_not_kept",
        "replayed",
        "in_flight",
        "mismatch",
        "unknown",
        "not_kept",
        "released",
        "rejected",
    ] {
        assert!(outcomes.contains(&&*format!("`{outcome}`")), "{outcome}");
    }
    let id = RecordId::of(&Caller::everyone(), &Method::POST, "/marked", "k");
    let exports = format!("{:?}", exported.counts);
    assert!(!exports.contains(&id.hash().to_string()), "{exports}");
}

#[test]
fn rules_and_dashboard_use_names_that_are_exported() {
    let known: Vec<_> = rows("## Metrics")
        .iter()
        .map(|row| row[0].trim_matches('`'))
        .collect();
    for text in [
        include_str!("../../idempotency-actix/guide/operations/alerts.yml"),
        include_str!("../../idempotency-actix/guide/operations/dashboard.json"),
    ] {
        let words = text.split(|char: char| !char.is_ascii_lowercase() && char != '_');
        let used: BTreeSet<_> = words
            .filter(|word| word.starts_with("idempotency_"))
            .map(|word| word.trim_end_matches("_bucket"))
            .filter(|word| *word != "idempotency_")
            .collect();
        assert!(!used.is_empty());
        for name in used {
            assert!(known.contains(&name), "{name}");
        }
    }
}
