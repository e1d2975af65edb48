//! The incidents that the layer counts, over all tests of this process.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock};

use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};

/// Starts counting; every test that counts calls it first.
pub fn start() {
    counts();
}

/// How many incidents of a kind there were.
pub fn count(kind: &str) -> u64 {
    let (snapshotter, totals) = counts();
    let mut totals = totals.lock().unwrap();
    // A snapshot takes the counts with it, so they are added up here.
    for (key, _, _, value) in snapshotter.snapshot().into_vec() {
        let (_, key) = key.into_parts();
        if let (DebugValue::Counter(count), "idempotency_incidents_total") = (value, key.name()) {
            let kind = key.labels().find(|label| label.key() == "kind");
            let kind = kind.expect("incidents have a kind").value().to_owned();
            *totals.entry(kind).or_default() += count;
        }
    }
    totals.get(kind).copied().unwrap_or_default()
}

type Counts = (Snapshotter, Mutex<HashMap<String, u64>>);

fn counts() -> &'static Counts {
    static COUNTS: OnceLock<Counts> = OnceLock::new();
    COUNTS.get_or_init(|| {
        let recorder = DebuggingRecorder::new();
        let snapshotter = recorder.snapshotter();
        recorder
            .install()
            .expect("no other recorder in this process");
        (snapshotter, Mutex::default())
    })
}
