//! How long a test waits for what must happen, where no signal can tell.

use std::time::{Duration, Instant};

/// How long a test waits for what must happen; less than the lease that a layer has by default, so that
/// nothing counts as happened that came of a lapse.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Asks again and again until there is an answer; `None` once the limit has passed.
pub fn until<T>(limit: Duration, mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = probe() {
            return Some(found);
        }
        if Instant::now() >= deadline {
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Polls until it is so, and fails the test where that takes too long.
#[track_caller]
pub fn eventually(what: &str, is_so: impl FnMut() -> bool) {
    eventually_within(PATIENCE, what, is_so);
}

/// The same with a limit of choice.
#[track_caller]
pub fn eventually_within(limit: Duration, what: &str, mut is_so: impl FnMut() -> bool) {
    let came = until(limit, || is_so().then_some(()));
    assert!(came.is_some(), "not within {limit:?}: {what}");
}

/// The same on a runtime, which goes on meanwhile.
pub async fn eventually_async(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
